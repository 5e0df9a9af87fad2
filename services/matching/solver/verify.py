"""Whether a result is what it says and its certificate proves that none is better: with numpy alone, and none of the
code that found it."""

from __future__ import annotations

from typing import Any

import numpy as np

from services.matching.solver.problem import Certificate, Problem, Result

BLOCK = 2**18
"""Pairs looked at together."""


def verify(problem: Problem, result: Result, certificate: Certificate) -> list[str]:
    """What is wrong, in words; empty where the pairs are allowed, the sums are right and the optimum is proven.

    The proof is weak duality: whatever the prices, no choice of pairs gains more than the surplus of all allowed pairs
    over the two prices, plus what each person's first and further seats would pay at theirs. If that equals what the
    result gains, nothing is better.
    """
    pairs, m, e = result.pairs, problem.mentors, problem.executives
    within = pairs.ndim == 2 and pairs.shape[1:] == (2,) and (pairs >= 0).all()
    if not within or (pairs >= [len(m), len(e)]).any():
        return ["a pair has somebody who is not there"]
    if result.points.shape != (len(pairs), 7):
        return ["every pair has its points, term by term"]
    chosen = {(int(i), int(j)) for i, j in pairs}
    locked = {(int(i), int(j)) for i, j in problem.locked}
    out = {(int(i), int(j)) for i, j in problem.apart}
    wrong = [] if len(chosen) == len(pairs) else ["a pair is there twice"]
    wrong += [] if locked <= chosen else ["a locked pair is missing"]
    wrong += [] if not chosen & out - locked else ["a pair is kept apart"]
    for k, side in ((0, m), (1, e)):
        if (np.bincount(pairs[:, k], minlength=len(side)) > side.seats).any():
            wrong.append("somebody has more pairs than seats")
        if not side.placeable[pairs[:, k]].all():
            wrong.append("somebody cannot be placed")
    allowed, points = _judge(problem, pairs[:, 0], pairs[:, 1])
    if not allowed.all():
        wrong.append("a pair is against the rules")
    if (points != result.points).any() or int(points.sum()) != result.total:
        wrong.append("the points are not what the rules give")
    free = np.array([pair not in locked for pair in map(tuple, pairs.tolist())], dtype=np.bool_)
    gained = _gained(problem, pairs[free], int(points[free].sum()))
    if gained != certificate.value or gained != certificate.bound:
        wrong.append("the value is not what the pairs gain")
    if wrong or _bound(problem, certificate, locked | out) == gained:
        return wrong
    return ["the prices do not prove that no choice is better"]


def _firsts(problem: Problem) -> tuple[int, list[Any], list[Any]]:
    """What a pair gains, what each first seat gains, and the seats: all beside the locked pairs."""
    sides = problem.mentors, problem.executives
    gone = [np.bincount(problem.locked[:, k], minlength=len(s)) for k, s in enumerate(sides)]
    seats = [s.seats - g for s, g in zip(sides, gone, strict=True)]
    new = [~s.paired & (g == 0) for s, g in zip(sides, gone, strict=True)]
    if problem.goal == "best_pairs":
        return 0, [np.zeros(len(s), np.int64) for s in sides], seats
    wanted = [s.priority * n for s, n in zip(sides, new, strict=True)]
    more = sum(problem.rules.weights) * min(map(int, map(np.sum, seats))) + int(wanted[0].sum() + wanted[1].sum()) + 1
    if problem.goal == "most_pairs":
        return more, wanted, seats
    return 0, [n * more + w for n, w in zip(new, wanted, strict=True)], seats


def _gained(problem: Problem, pairs: Any, points: int) -> int:
    pair, first, _ = _firsts(problem)
    return points + pair * len(pairs) + sum(int(first[k][list(set(pairs[:, k].tolist()))].sum()) for k in (0, 1))


def _bound(problem: Problem, certificate: Certificate, out: set[tuple[int, int]]) -> int:
    """No choice gains more than this: exact, over every pair there is."""
    pair, first, seats = _firsts(problem)
    prices = [certificate.mentor_prices, certificate.executive_prices]
    able = []
    total = 0
    for k, side in enumerate((problem.mentors, problem.executives)):
        able.append(np.flatnonzero(side.placeable & (seats[k] > 0)))
        price, count = prices[k][able[k]], seats[k][able[k]]
        total += int(np.maximum(first[k][able[k]] + price, 0).sum() + ((count - 1) * np.maximum(price, 0)).sum())
    most = sum(problem.rules.weights) + pair
    rows = max(1, BLOCK // max(1, len(able[1])))
    for at in range(0, len(able[0]), rows):
        cost = prices[0][able[0][at : at + rows], None] + prices[1][None, able[1]]
        r, c = np.nonzero(cost < most)
        i, j = able[0][at + r], able[1][c]
        allowed, points = _judge(problem, i, j)
        surplus = np.maximum(points.sum(axis=1) + pair - cost[r, c], 0) * allowed
        total += int(surplus.sum())
        if surplus.any():
            total -= sum(int(surplus[k]) for k in np.flatnonzero(surplus) if (int(i[k]), int(j[k])) in out)
    return total


def _judge(problem: Problem, i: Any, j: Any) -> tuple[Any, Any]:
    """For a list of pairs: whether the rules allow each, and its points, term by term."""
    m, e, rules = problem.mentors, problem.executives, problem.rules
    apart = e.level[j] - m.level[i] - rules.level_gap
    function, site = m.function[i] != e.function[j], m.site[i] != e.site[j]
    least = np.full(len(i), 24 * 7 * 4)
    allowed = (apart >= 0) & ((m.languages[i] & e.languages[j]) != 0).any(axis=1)
    allowed &= (function | (not rules.other_function)) & (site | (not rules.other_site))
    look = np.flatnonzero(allowed)
    for ours, theirs in zip(m.free, e.free, strict=True):
        both = ours[i[look]] & theirs[j[look]]
        week = np.unpackbits(both.view(np.uint8), axis=1, bitorder="little")[:, : 24 * 7 * 4]
        least[look] = np.minimum(least[look], week.sum(axis=1))
        stretch = week.copy()
        for later in range(1, -(-rules.window_minutes // 15)):
            stretch &= np.roll(week, -later, axis=1)
        allowed[look] &= stretch.any(axis=1)
    minutes = least * 15
    allowed &= minutes >= rules.overlap_minutes
    wants = [np.maximum(np.bitwise_count(s.seeks).sum(axis=1, dtype=np.int64), 1) for s in (m, e)]
    offered = [
        np.bitwise_count(m.offers[i] & e.seeks[j]).sum(axis=1, dtype=np.int64),
        np.bitwise_count(m.seeks[i] & e.offers[j]).sum(axis=1, dtype=np.int64),
    ]
    whole = 4 * rules.overlap_minutes
    w = rules.weights
    points = [
        offered[0] * w[0] // wants[1][j],
        offered[1] * w[1] // wants[0][i],
        np.clip(apart, 0, 4) * w[2] // 4,
        function * w[3],
        site * w[4],
        np.minimum(minutes, whole) * w[5] // whole,
        ((m.channels[i] & e.channels[j]) != 0) * w[6],
    ]
    return allowed, np.stack(points, axis=1).astype(np.int64)
