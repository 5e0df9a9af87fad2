"""Warm starts: as good as cold ones whatever changed meanwhile, repeatable, near where they began, and less work."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given as for_all
from hypothesis import settings
from hypothesis import strategies as st

from services.matching.solver import People, Problem, Progress, Result, Warm, solve, verify
from services.matching.solver.asking import RULES, Outcome, Solved, outcome, relaxed
from services.matching.solver.scores import Scores
from tests.spec.matching.instances import GOALS, grid, problem, problems
from tests.spec.matching.test_solver import permuted, same


def changed(posed: Problem, result: Result, how: str) -> Problem | None:
    """A problem of the same people a little later; None where nothing can change that way."""
    pairs = result.pairs
    if how in GOALS:
        return replace(posed, goal=how)
    if how in RULES:
        return None if how != "language" and len(posed.locked) else relaxed(posed, how)
    if how == "unlocked":
        return replace(posed, locked=posed.locked[:0])
    if how == "locked":
        return replace(posed, locked=np.unique(np.concatenate([posed.locked, pairs[::2]]), axis=0))
    locked = set(map(tuple, posed.locked.tolist()))
    free = np.array([pair for pair in pairs.tolist() if tuple(pair) not in locked], dtype=np.int64).reshape(-1, 2)
    if how == "rejected":
        return replace(posed, apart=np.concatenate([posed.apart, free[::2]]))
    if how == "fewer seats":
        used = np.bincount(posed.locked[:, 0], minlength=len(posed.mentors))
        ours = replace(posed.mentors, seats=np.maximum(used, posed.mentors.seats - 1))
        return replace(posed, mentors=ours)
    gone = np.isin(np.arange(len(posed.executives)), posed.locked[:, 1])
    return replace(posed, executives=replace(posed.executives, placeable=posed.executives.placeable & gone))


WAYS = (*GOALS, *RULES, "unlocked", "locked", "rejected", "fewer seats", "all have left")


@settings(max_examples=150, deadline=None)
@for_all(problems(most=12), st.sampled_from(WAYS), st.sampled_from([1, 2, 20]))
def test_a_warm_answer_is_as_good_as_a_cold_one(posed: Problem, how: str, known: int) -> None:
    result, certificate = solve(posed, fast=False)
    other = changed(posed, result, how)
    if other is None:
        return
    cold = solve(other, fast=False)
    warm = solve(other, fast=False, warm=Warm.of(posed, result, certificate), known=known)
    assert verify(other, *warm) == []
    assert warm[1].value == cold[1].value


@settings(max_examples=60, deadline=None)
@for_all(problems(most=12), st.sampled_from(WAYS), st.integers(0, 99))
def test_from_the_same_start_it_is_the_same_answer(posed: Problem, how: str, seed: int) -> None:
    """Compiled or not, with any number of threads, in any order of rows."""
    answer = solve(posed, fast=False)
    other = changed(posed, answer[0], how)
    if other is None:
        return
    warm = Warm.of(posed, *answer)
    told = solve(other, fast=False, warm=warm, known=2)
    assert same(told, solve(other, fast=True, warm=warm, threads=3, known=2))
    moved, order = permuted(other, seed)
    again = solve(moved, fast=False, warm=_moved(warm, order), known=2)
    assert np.stack([order[k][again[0].pairs[:, k]] for k in (0, 1)], axis=1).tobytes() == told[0].pairs.tobytes()
    assert again[1].mentor_prices.tobytes() == told[1].mentor_prices[order[0]].tobytes()


def _moved(warm: Warm, order: list[Any]) -> Warm:
    where = [np.argsort(o) for o in order]
    pairs = np.stack([where[k][warm.pairs[:, k]] for k in (0, 1)], axis=1)[::-1]
    return replace(
        warm, pairs=pairs, mentor_prices=warm.mentor_prices[order[0]], executive_prices=warm.executive_prices[order[1]]
    )


@settings(max_examples=100, deadline=None)
@for_all(problems(most=10))
def test_from_an_answer_to_the_same_problem_nothing_moves(posed: Problem) -> None:
    answer = solve(posed, fast=False)
    told: list[Progress] = []
    assert same(solve(posed, fast=False, warm=Warm.of(posed, *answer), watch=told.append), answer)
    assert told == [Progress(1, 0, 0)]


@pytest.mark.parametrize("goal", GOALS)
def test_a_little_change_is_little_work_and_moves_few(goal: Any) -> None:
    posed = problem(7, 120, 100, goal, kinds=60)
    counted: list[Progress] = []
    answer = solve(posed, fast=False)
    pairs = set(map(tuple, answer[0].pairs.tolist()))
    assert len(pairs) > 40
    for how in ("rejected", "locked"):
        later = changed(posed, replace(answer[0], pairs=answer[0].pairs[3:4]), how)
        assert later is not None
        told, proof = solve(later, fast=False, warm=Warm.of(posed, *answer), watch=counted.append)
        assert verify(later, told, proof) == []
        assert counted[-1].searches * 5 < len(pairs)
        assert len(pairs - set(map(tuple, told.pairs.tolist()))) < 10


def test_a_start_is_for_the_same_people_and_a_watch_can_end_it() -> None:
    posed, other = problem(1, 6, 6, "most_people"), problem(1, 7, 6, "most_people")
    with pytest.raises(ValueError, match="same people"):
        solve(other, warm=Warm.of(posed, *solve(posed)))

    def stop(_: Progress) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        solve(posed, watch=stop)


@settings(max_examples=80, deadline=None)
@for_all(problems(most=6))
def test_what_a_pair_costs_is_what_the_best_answer_with_it_lacks(posed: Problem) -> None:
    posed = replace(posed, mentors=_new(posed.mentors), executives=_new(posed.executives))
    solved = Solved.of(posed)
    allowed = grid(posed)[1]
    i, j = (n.ravel() for n in np.indices(allowed.shape))
    least = solved.least(i, j)
    for k, cost in enumerate(solved.costs_of(zip(i.tolist(), j.tolist(), strict=True))):
        here = [int(i[k]), int(j[k])]
        if here in posed.locked.tolist():
            assert cost == Outcome(0, 0, 0)
            continue
        assert (cost is not None) == bool(allowed[i[k], j[k]])
        if cost is None:
            continue
        result, _ = solve(replace(posed, locked=np.append(posed.locked, [here], axis=0)), fast=False)
        assert _leading(cost, posed) == _leading(outcome(solved.result).less(outcome(result)), posed)
        assert _leading(cost, posed) >= (0, 0)
        assert solved.certificate.value - _value(posed, result) >= least[k]


def _new(side: People) -> People:
    """The same people, all new and nobody first."""
    return replace(side, paired=np.zeros(len(side), np.bool_), priority=np.zeros(len(side), np.int64))


def _leading(told: Outcome, posed: Problem) -> tuple[int, int]:
    """What the goal looks at, in its order."""
    first = {"most_people": told.people, "most_pairs": told.pairs, "best_pairs": 0}
    return first[posed.goal], told.points


def _value(posed: Problem, result: Result) -> int:
    """What a result gains by a problem's goal beside its locks."""
    pair, *first = posed.gains()
    locked = set(map(tuple, posed.locked.tolist()))
    free = np.array([p for p in result.pairs.tolist() if tuple(p) not in locked], dtype=np.int64).reshape(-1, 2)
    worth = int(Scores(posed).points(free[:, 0], free[:, 1]).sum()) + pair * len(free)
    return worth + sum(int(first[k][np.unique(free[:, k])].sum()) for k in (0, 1))


def test_a_rule_that_asks_for_nothing_cannot_be_weaker() -> None:
    posed = problem(2, 5, 5, "most_people")
    rules = replace(posed.rules, other_function=False, other_site=True, window_minutes=15, overlap_minutes=15)
    strict = replace(posed, rules=rules, locked=posed.locked[:0])
    assert [rule for rule in RULES if relaxed(strict, rule) is None] == ["function", "window", "overlap"]
    pairs = [outcome(Solved.of(strict).instead(r).result) for rule in RULES if (r := relaxed(strict, rule))]
    assert len(pairs) == 3
