"""From a problem to the best choice and its proof: a few good edges, solved, then priced against all pairs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from services.matching.solver import auction
from services.matching.solver.compiling import COMPILES
from services.matching.solver.grouping import Groups, barred, handed_out
from services.matching.solver.learning import FEW, learn
from services.matching.solver.network import Network, Side, sums
from services.matching.solver.pricing import Pricing
from services.matching.solver.problem import Certificate, Ints, Mask, Problem, Result
from services.matching.solver.scores import Scores
from services.matching.solver.warm import Warm, in_units, kept

VERSION = (4, 0, 0)
"""Another answer to the same problem, even an equally good one, is another version."""

KNOWN = 20
"""Executives a mentor knows at first, and as many more whenever others suit better."""
SMALL = 2**16
"""So few pairs that compiling would take longer than solving; the answer is the same."""


@dataclass(frozen=True)
class Progress:
    """How far a solve is: times that all pairs were priced, paths searched, pairs that were worth more at last."""

    rounds: int
    searches: int
    better: int


Watch = Callable[[Progress], None]


def solve(
    problem: Problem, *, warm: Warm | None = None, fast: bool | None = None, threads: int | None = None,
    known: int = KNOWN, watch: Watch | None = None,
) -> tuple[Result, Certificate]:  # fmt: skip
    """The best choice of pairs and its certificate; the same whatever `fast` (compiled or not) and `threads` are.

    `warm` is where to start: what was best for these people under other locks, rules or goals. The answer is as good as
    any; of equally good ones it stays near its start. `watch` hears of progress, and ends the solve by raising.
    Raises ValueError where a lock is against the rules or `warm` is of other people.
    """
    if fast is None:
        fast = len(problem.mentors) * len(problem.executives) > SMALL
    fast = fast and COMPILES
    order = [_in_order(problem, side) for side in (0, 1)]
    how = _How(known, fast, threads, watch)
    alike = [Groups.alike(problem, k, order[k]) if warm is None else Groups.single(len(order[k])) for k in (0, 1)]
    pairs, prices = _solve_free(problem, order, (alike[0], alike[1]), how, warm)
    chosen = np.concatenate([problem.locked, np.stack([order[0][pairs[:, 0]], order[1][pairs[:, 1]]], axis=1)])
    a, b = chosen[:, 0], chosen[:, 1]
    ranked = np.lexsort((problem.executives.ids[b], problem.mentors.ids[a]))
    a, b = a[ranked], b[ranked]
    scores = Scores(problem)
    if not scores.allowed(a, b).all():
        raise ValueError("a lock is against the rules")
    points = np.stack(list(scores.terms(a, b)), axis=1)
    full = [np.zeros(len(side), dtype=np.int64) for side in (problem.mentors, problem.executives)]
    for k in (0, 1):
        full[k][order[k]] = prices[k]
    free = np.flatnonzero(ranked >= len(problem.locked))
    worth = points.sum(axis=1)[free]
    value, bound = _value(problem, a[free], b[free], worth), _bound(problem, a[free], b[free], worth, full)
    return Result(chosen[ranked], points, int(points.sum())), Certificate(value, bound, full[0], full[1])


def _in_order(problem: Problem, side: int) -> Ints:
    """The rows of those who can be placed, by their ids: the order in which everything happens."""
    people = (problem.mentors, problem.executives)[side]
    able = np.flatnonzero(problem.able(side))
    return able[np.argsort(people.ids[able])]


@dataclass(frozen=True)
class _How:
    """What the answer does not depend on, and how many executives are known at first."""

    known: int
    fast: bool
    threads: int | None
    watch: Watch | None


def _solve_free(
    problem: Problem, order: list[Ints], groups: tuple[Groups, Groups], how: _How, warm: Warm | None
) -> tuple[Ints, list[Ints]]:
    """Pairs beside the locked ones and prices, both in the given orders."""
    rows = [order[k][side.first] for k, side in enumerate(groups)]
    apart = _apart(problem, order)
    pricing = Pricing(Scores(_part(problem, rows)), problem.gains()[0], how.known, how.fast, how.threads)
    network = Network(*_seats(problem, rows, groups, problem.unit), fast=how.fast, barred=barred(apart, groups))
    rounds = 0

    def told(better: int) -> None:
        nonlocal rounds
        rounds += 1
        if how.watch:
            how.watch(Progress(rounds, network.searches, better))

    if warm is None:
        _learn(problem, network, pricing, _seats(problem, rows, groups, problem.handy), told)
        anew = network.loose()
    else:
        anew = _begin(problem, order, network, pricing.scores, warm, apart)
        found = pricing.near(network.theirs.price, _skip(network))
        network.add(found.rows, found.columns, found.gains)
        anew |= network.loose()
    proven = False
    while not proven:
        network.settle(anew)
        found = pricing.better(network.ours.price, network.theirs.price, _skip(network))
        network.add(found.rows, found.columns, found.gains)
        anew = network.loose()
        proven = not anew.any()
        told(int(anew.sum()))
    used = network.flow > 0
    pairs = handed_out(network.tail[used], network.head[used], network.flow[used], groups, apart)
    if pairs is None:  # those who are kept apart are too many to be served in groups
        return _solve_free(problem, order, (Groups.single(len(order[0])), Groups.single(len(order[1]))), how, warm)
    return pairs, [network.ours.price[groups[0].of], network.theirs.price[groups[1].of]]


def _seats(problem: Problem, rows: list[Ints], groups: tuple[Groups, Groups], unit: int) -> tuple[Side, Side]:
    """Both sides, where a person or a pair is worth so much."""
    _, *first = problem.gains(unit)
    ours, theirs = (
        Side.of(first[k][rows[k]], side.people, problem.seats(k)[rows[k]] * side.people)
        for k, side in enumerate(groups)
    )
    return ours, theirs


def _learn(
    problem: Problem, network: Network, pricing: Pricing, seats: tuple[Side, Side], told: Callable[[int], None]
) -> None:
    """Nearly the best choice, or the best: prices are learnt where a person or a pair is worth what is handy."""
    pair, handy = problem.gains()[0], problem.gains(problem.handy)[0]
    draft = network.like(*seats)
    pricing.pair = handy
    learn(draft, pricing, told)
    network.add(draft.tail, draft.head, draft.gain + pair - handy, draft.flow)
    for mine, other, ends in ((network.ours, draft.ours, draft.tail), (network.theirs, draft.theirs, draft.head)):
        mine.place(in_units(other.price, problem.handy, problem.unit), sums(ends, draft.flow, len(other.price)))
    pricing.in_units(pair, problem.handy, problem.unit)
    if network.loose().sum() > FEW * len(network.ours.price):
        auction.exact(network, 0)


def _begin(problem: Problem, order: list[Ints], network: Network, scores: Scores, warm: Warm, apart: Ints) -> Mask:
    """Prices and pairs as they were, where they still can be; the rows whose pairs are not worth their prices now."""
    sides = network.ours, network.theirs
    pairs = kept(warm, problem, order, scores, apart)
    for k, side in enumerate(sides):
        used = np.bincount(pairs[:, k], minlength=len(side.price)).astype(np.int64)
        side.place(warm.prices(problem, k)[order[k]], used)
    pairs = pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]
    gains = scores.points(pairs[:, 0], pairs[:, 1]) + problem.gains()[0]
    network.add(pairs[:, 0], pairs[:, 1], gains, np.ones(len(pairs), dtype=np.int64))
    loose = network.gain < sides[0].price[network.tail] + sides[1].price[network.head]
    return np.isin(np.arange(len(order[0])), network.tail[loose])


def _skip(network: Network) -> Ints:
    """The pairs that pricing need not find: out of the question, or in use."""
    return np.concatenate([network.closed, network.used()])


def _part(problem: Problem, order: list[Ints]) -> Problem:
    """The same rules between these people."""
    return Problem(problem.mentors.some(order[0]), problem.executives.some(order[1]), problem.rules, problem.goal)


def _apart(problem: Problem, order: list[Ints]) -> Ints:
    """The pairs that are out of the question, locked ones too, in the new order."""
    place = []
    for side, rows in zip((problem.mentors, problem.executives), order, strict=True):
        where = np.full(len(side), -1)
        where[rows] = np.arange(len(rows))
        place.append(where)
    pairs = np.unique(np.concatenate([problem.apart, problem.locked]), axis=0)
    moved = np.stack([place[0][pairs[:, 0]], place[1][pairs[:, 1]]], axis=1)
    return moved[(moved >= 0).all(axis=1)]


def _value(problem: Problem, a: Ints, b: Ints, worth: Ints) -> int:
    """What these pairs, which are not locked, gain by the goal."""
    pair, *first = problem.gains()
    return int(worth.sum()) + pair * len(a) + sum(int(first[k][np.unique(rows)].sum()) for k, rows in enumerate((a, b)))


def _bound(problem: Problem, a: Ints, b: Ints, worth: Ints, prices: list[Ints]) -> int:
    """What no choice gains more than, since no pair but these is worth more than its prices: what first and further
    seats would pay, and what these pairs are worth beyond."""
    pair, *first = problem.gains()
    total = int(np.maximum(worth + pair - prices[0][a] - prices[1][b], 0).sum())
    for k in (0, 1):
        able, seats = problem.able(k), problem.seats(k)
        total += int(np.maximum(first[k] + prices[k], 0)[able].sum())
        total += int(((seats - 1) * np.maximum(prices[k], 0))[able].sum())
    return total
