"""The checker accepts what is proven and nothing else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given as for_all
from hypothesis import settings
from hypothesis import strategies as st

from services.matching.solver import Certificate, Problem, Result, solve, verify
from services.matching.solver.scores import Scores
from tests.spec.matching.instances import best_of_all, by_flow, grid, problem, problems


def rescored(posed: Problem, pairs: np.ndarray) -> Result:
    """These pairs with their true points."""
    points = np.stack(list(Scores(posed).terms(pairs[:, 0], pairs[:, 1])), axis=1)
    return Result(pairs, points, int(points.sum()))


def valued(posed: Problem, result: Result, certificate: Certificate) -> Certificate:
    """The certificate with the value that the pairs have."""
    pair, *first = posed.gains()
    locked = {tuple(p) for p in posed.locked.tolist()}
    free = np.array([tuple(p) not in locked for p in result.pairs.tolist()], dtype=np.bool_)
    gained = int(result.points[free].sum()) + pair * int(free.sum())
    gained += sum(int(first[k][np.unique(result.pairs[free, k])].sum()) for k in (0, 1))
    return replace(certificate, value=gained, bound=gained)


@settings(max_examples=80, deadline=None)
@for_all(problems(most=6), st.integers(0, 2**32))
def test_another_choice_with_true_sums_is_accepted_only_if_it_is_as_good(posed: Problem, chance: int) -> None:
    result, certificate = solve(posed, fast=False, known=2)
    cells = np.argwhere(grid(posed)[1])
    rng = np.random.default_rng(chance)
    keep = result.pairs[rng.random(len(result.pairs)) < 0.7]
    pairs = np.unique(np.concatenate([keep, cells[rng.random(len(cells)) < 0.1]]), axis=0)
    other = rescored(posed, pairs)
    proof = valued(posed, other, certificate)
    if verify(posed, other, proof) == []:
        assert proof.value == certificate.value


@settings(max_examples=80, deadline=None)
@for_all(problems(most=6), st.integers(0, 2**32))
def test_whatever_the_prices_nothing_false_is_proven(posed: Problem, chance: int) -> None:
    """Weak duality: with other prices the proof fails, or the result is optimal all the same."""
    result, certificate = solve(posed, fast=False)
    rng = np.random.default_rng(chance)
    worse = result.pairs[rng.random(len(result.pairs)) < 0.8]
    other = rescored(posed, worse)
    size = int(rng.integers(1, 10_000))
    proof = replace(
        valued(posed, other, certificate),
        mentor_prices=certificate.mentor_prices + rng.integers(-size, size, len(posed.mentors)),
        executive_prices=certificate.executive_prices + rng.integers(-size, size, len(posed.executives)),
    )
    if verify(posed, other, proof) == []:
        best = best_of_all(posed) if grid(posed)[1].sum() <= 12 else by_flow(posed)
        assert proof.value == best


@pytest.fixture
def solved() -> tuple[Problem, Result, Certificate]:
    posed = problem(8, 30, 20, "most_people", kinds=20)
    result, certificate = solve(posed, fast=False)
    assert len(result.pairs) > 5 and len(posed.locked)
    assert verify(posed, result, certificate) == []
    return posed, result, certificate


def test_each_kind_of_tampering_is_told(solved: tuple[Problem, Result, Certificate]) -> None:
    posed, result, certificate = solved
    pairs, points = result.pairs, result.points
    locked = {tuple(p) for p in posed.locked.tolist()}
    free = next(k for k, p in enumerate(pairs.tolist()) if tuple(p) not in locked)
    fixed = next(k for k, p in enumerate(pairs.tolist()) if tuple(p) in locked)
    without = rescored(posed, np.delete(pairs, free, axis=0))
    barred = pairs.copy()
    barred[free] = posed.apart[0]
    seats = replace(posed.mentors, seats=np.zeros_like(posed.mentors.seats))
    gone = replace(posed.executives, placeable=np.zeros_like(posed.executives.placeable))
    prices = certificate.mentor_prices.copy()
    prices[pairs[free, 0]] += posed.unit
    tampered: dict[str, tuple[Problem, Result, Certificate]] = {
        "not there": (posed, replace(result, pairs=pairs + 1000), certificate),
        "term by term": (posed, replace(result, points=points[:-1]), certificate),
        "twice": (posed, rescored(posed, np.concatenate([pairs, pairs[:1]])), certificate),
        "locked": (posed, rescored(posed, np.delete(pairs, fixed, axis=0)), certificate),
        "kept apart": (posed, rescored(posed, barred), certificate),
        "more pairs than seats": (replace(posed, mentors=seats, locked=posed.locked[:0]), result, certificate),
        "cannot be placed": (replace(posed, executives=gone, locked=posed.locked[:0]), result, certificate),
        "against the rules": (replace(posed, rules=replace(posed.rules, level_gap=9)), result, certificate),
        "points": (posed, replace(result, total=result.total + 1), certificate),
        "value": (posed, result, replace(certificate, value=certificate.value + 1)),
        "not prove": (posed, without, valued(posed, without, certificate)),
        "prices": (posed, result, replace(certificate, mentor_prices=prices)),
    }
    for told, (given, claimed, proof) in tampered.items():
        assert any(told in wrong for wrong in verify(given, claimed, proof)), told
