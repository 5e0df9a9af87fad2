"""Small problems for the solver, full of ties, and what other methods make of them."""

from __future__ import annotations

from typing import Any, get_args

import numpy as np
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment, linprog
from scipy.sparse import coo_array, hstack

from services.matching.solver import Goal, People, Problem, Rules
from services.matching.solver.problem import Bits, Ints, Mask
from services.matching.solver.scores import Scores

GOALS: tuple[Goal, ...] = get_args(Goal)


def bits(members: Any) -> Bits:
    """Rows of 0 and 1 as rows of words; the first column is the lowest bit."""
    padded = np.zeros((*members.shape[:-1], -(-members.shape[-1] // 64) * 64), dtype=np.uint8)
    padded[..., : members.shape[-1]] = members
    return np.packbits(padded, axis=-1, bitorder="little").view(np.uint64)


def people(rng: np.random.Generator, count: int, levels: tuple[int, int], seats: int, kinds: int) -> People:
    """So many people of at most so many kinds, with up to so many seats."""
    kind = rng.integers(0, kinds, count)
    week = np.zeros((2, kinds, 672), dtype=np.uint8)
    for k in range(kinds):
        for day in range(5):
            begin = day * 96 + int(rng.integers(30, 50))
            week[0, k, begin : begin + int(rng.integers(0, 12))] = 1
    week[1] = np.roll(week[0], 4 * (np.arange(kinds) % 2)[0], axis=-1)
    return People(
        ids=rng.permutation(2**16)[:count].astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15),
        seats=rng.integers(0, seats + 1, count),
        placeable=rng.random(count) < 0.9,
        paired=rng.random(count) < 0.2,
        priority=rng.integers(0, 2, count) * 5000,
        level=rng.integers(*levels, kinds)[kind],
        function=rng.integers(0, 3, kinds)[kind],
        site=rng.integers(0, 3, kinds)[kind],
        languages=bits(rng.random((kinds, 3)) < 0.7)[kind],
        channels=bits(rng.random((kinds, 3)) < 0.6)[kind, 0],
        offers=bits(rng.random((kinds, 70)) < 0.1)[kind],
        seeks=bits(rng.random((kinds, 70)) < 0.1)[kind],
        free=bits(week)[:, kind],
    )


def problem(seed: int, mentors: int, executives: int, goal: Goal, seats: int = 3, kinds: int = 6) -> Problem:
    """The same problem for the same arguments."""
    rng = np.random.default_rng(seed)
    ours = people(rng, mentors, (1, 4), seats, kinds)
    theirs = people(rng, executives, (3, 8), seats, kinds)
    cells = np.argwhere(rng.random((mentors, executives)) < 0.1)
    rules = Rules((4000, 2500, 1000, 750, 750, 500, 500), 2, 45, 60, bool(rng.random() < 0.2), bool(rng.random() < 0.2))
    free = Problem(ours, theirs, rules, goal, cells)
    return Problem(ours, theirs, rules, goal, cells, locks(rng, free))


def locks(rng: np.random.Generator, posed: Problem) -> Ints:
    """At most two pairs that are allowed, with a seat for each."""
    chosen: list[tuple[int, int]] = []
    cells = np.argwhere(grid(posed)[1])
    for i, j in cells[rng.permutation(len(cells))[: int(rng.integers(0, 3))]]:
        if all(i != a and j != b for a, b in chosen):
            chosen.append((int(i), int(j)))
    return np.array(chosen, dtype=np.int64).reshape(-1, 2)


@st.composite
def problems(draw: st.DrawFn, most: int = 4, seats: int = 3) -> Problem:
    """Up to so many people on each side."""
    sizes = draw(st.tuples(st.integers(0, most), st.integers(0, most)))
    kinds = draw(st.integers(1, 6))
    return problem(
        draw(st.integers(0, 2**32)), *sizes, draw(st.sampled_from(GOALS)), draw(st.integers(1, seats)), kinds
    )


def grid(posed: Problem) -> tuple[Ints, Mask]:
    """The gain of every pair, and whether it may be chosen beside the locked ones; dense, because they are few."""
    scores = Scores(posed)
    a, b = np.arange(len(posed.mentors))[:, None], np.arange(len(posed.executives))[None, :]
    allowed = scores.allowed(a, b) & posed.able(0)[:, None] & posed.able(1)[None, :]
    for pairs in (posed.apart, posed.locked):
        allowed[pairs[:, 0], pairs[:, 1]] = False
    return scores.points(a, b) + posed.gains()[0], allowed


def best_of_all(posed: Problem) -> int:
    """The most that any choice of pairs gains, by trying all."""
    gains, allowed = grid(posed)
    _, *first = posed.gains()
    cells = [(int(i), int(j)) for i, j in np.argwhere(allowed)]
    seats = [posed.seats(0).tolist(), posed.seats(1).tolist()]
    used = [[0] * len(seats[0]), [0] * len(seats[1])]

    def rest(k: int) -> int:
        if k == len(cells):
            return 0
        best, (i, j) = rest(k + 1), cells[k]
        if used[0][i] < seats[0][i] and used[1][j] < seats[1][j]:
            gained = int(gains[i, j]) + sum(int(first[s][p]) for s, p in ((0, i), (1, j)) if not used[s][p])
            used[0][i] += 1
            used[1][j] += 1
            best = max(best, gained + rest(k + 1))
            used[0][i] -= 1
            used[1][j] -= 1
        return best

    return rest(0)


def by_assignment(posed: Problem) -> int:
    """The most that one seat each gives, by scipy's dense solver."""
    gains, allowed = grid(posed)
    _, *first = posed.gains()
    gains = np.where(allowed, gains + first[0][:, None] + first[1][None, :], 0)
    i, j = linear_sum_assignment(gains, maximize=True)
    return int(gains[i, j].sum())


def by_flow(posed: Problem) -> int:
    """The most that any seats give, as a linear program whose vertices are whole."""
    gains, allowed = grid(posed)
    _, *first = posed.gains()
    i, j = np.nonzero(allowed)
    m, n = gains.shape
    pairs = np.arange(len(i))
    ends = coo_array((np.ones(2 * len(i)), (np.r_[i, m + j], np.r_[pairs, pairs])), (m + n, len(i)))
    pool = coo_array((-np.ones(m + n), (np.arange(m + n), np.arange(m + n))), (m + n, m + n))
    seats = np.r_[posed.seats(0), posed.seats(1)]
    answer = linprog(
        c=-np.r_[gains[i, j], first[0], first[1], np.zeros(m + n)],
        A_eq=hstack([ends, pool, pool]),
        b_eq=np.zeros(m + n),
        bounds=[(0, 1)] * len(i) + [(0, min(1, s)) for s in seats] + [(0, max(0, s - 1)) for s in seats],
        method="highs-ds",
    )
    return -round(answer.fun)
