"""Seeded cohorts of any size for the solver, in families that are hard in different ways, as arrays."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from services.matching.solver import WORDS, People, Problem, Rules

FAMILIES = ("typical", "single", "scarce", "hot", "split", "tight", "flat")
"""typical: one to three seats on both sides; single: mentors have one; scarce: one executive in five has seats; hot:
four of five want the same three themes; split: five languages, one each; tight: one window a week; flat: forty profiles
a side."""

RULES = Rules((4000, 2500, 1000, 750, 750, 500, 500), 3, 45, 60)
THEMES = 40


def cohort(family: str, size: int, seed: int = 1, seats: int = 3) -> Problem:
    """So many mentors and executives of a family; the same for the same seed."""
    rng = np.random.default_rng([seed, size, FAMILIES.index(family)])
    mentors = _side(rng, family, size, (1, 6), 1 if family == "single" else seats)
    executives = _side(rng, family, size, (5, 10), seats)
    if family == "scarce":
        executives.seats[rng.random(size) >= 0.2] = 0
    return Problem(mentors, executives, RULES, apart=_lines(rng, size))


def _side(rng: np.random.Generator, family: str, size: int, levels: tuple[int, int], seats: int) -> People:
    kinds = 40 if family == "flat" else size
    kind = rng.integers(0, kinds, size) if family == "flat" else np.arange(size)
    free = _weeks(rng, kinds, family == "tight")
    languages = np.ones(kinds, dtype=np.uint64) << rng.integers(0, 5, kinds, dtype=np.uint64)
    if family != "split":
        languages |= np.uint64(1) * (rng.random(kinds) < 0.9).astype(np.uint64)
    return People(
        ids=rng.permutation(size).astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15),
        seats=rng.integers(1, seats + 1, size),
        placeable=np.ones(size, dtype=np.bool_),
        paired=np.zeros(size, dtype=np.bool_),
        priority=np.zeros(size, dtype=np.int64),
        level=rng.integers(*levels, kinds)[kind],
        function=rng.integers(0, 12, kinds)[kind],
        site=rng.integers(0, 20, kinds)[kind],
        languages=languages[kind, None],
        channels=rng.integers(1, 8, kinds).astype(np.uint64)[kind],
        offers=_themes(rng, kinds, 5, hot=False)[kind],
        seeks=_themes(rng, kinds, 4, hot=family == "hot")[kind],
        free=np.ascontiguousarray(free[:, kind]),
    )


def _themes(rng: np.random.Generator, count: int, most: int, *, hot: bool) -> NDArray[np.uint64]:
    """Sets of one to so many themes; hot ones are among the first three for four of five people."""
    found = np.zeros(count, dtype=np.uint64)
    wanted = rng.integers(1, most + 1, count)
    popular = np.where(rng.random(count) < (0.8 if hot else 0), 3, THEMES)
    for k in range(most):
        theme = (rng.random(count) * popular).astype(np.uint64)
        found |= np.where(k < wanted, np.uint64(1) << theme, np.uint64(0))
    return found[:, None]


def _weeks(rng: np.random.Generator, count: int, narrow: bool) -> NDArray[np.uint64]:
    """Windows on two to five days (or one of an hour), in summer and in winter time, as bits of UTC."""
    zone = rng.integers(0, 3, count) * 4
    week = np.zeros((count, WORDS * 64), dtype=np.bool_)
    for day in range(5):
        begins = 32 + rng.integers(0, 30, count)
        lasts = np.where(rng.random(count) < 0.6, rng.integers(4, 16, count), 0)
        if narrow:
            lasts = np.where(rng.integers(0, 5, count) == 0, 6, 0)
        quarters = np.arange(96)
        inside = (quarters >= begins[:, None]) & (quarters < (begins + lasts)[:, None])
        week[:, day * 96 : day * 96 + 96] = inside
    rows, columns = np.nonzero(week)
    seasons = np.zeros((2, count, WORDS * 64), dtype=np.bool_)
    seasons[0, rows, (columns - zone[rows]) % 672] = True
    seasons[1, rows, (columns - zone[rows] - 4 * (zone[rows] > 0)) % 672] = True
    return np.packbits(seasons, axis=2, bitorder="little").view(np.uint64)


def _lines(rng: np.random.Generator, size: int) -> NDArray[np.int64]:
    """Every mentor has three executives above, whom they share with about thirty others."""
    teams = max(1, size // 30)
    above = rng.integers(0, size, (teams, 3))
    pairs = np.stack([np.repeat(np.arange(size), 3), above[rng.integers(0, teams, size)].ravel()], axis=1)
    return np.unique(pairs, axis=0)
