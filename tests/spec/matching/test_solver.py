"""The solver against every possible choice, against other solvers, and against itself in another order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import example, settings
from hypothesis import given as for_all
from hypothesis import strategies as st

from services.matching.solver import Certificate, Goal, Problem, Result, Rules, learning, pricing, solve, verify
from tests.spec.matching.instances import GOALS, best_of_all, by_assignment, by_flow, grid, problem, problems


@pytest.fixture(autouse=True, scope="module")
def small_is_large() -> Iterator[None]:
    """Classes of four columns, and pricing that leaves out whatever it may."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(learning, "CLASS", 4)
        patched.setattr(pricing, "MOST_AGAIN", 2.0)
        yield


def answer(posed: Problem, **how: Any) -> tuple[Result, Certificate]:
    """A verified answer, found with two edges known at first, so that pricing has work."""
    result, certificate = solve(posed, known=2, **{"fast": False, **how})
    assert verify(posed, result, certificate) == []
    return result, certificate


@pytest.mark.guarantee("running")
@settings(max_examples=250, deadline=None)
@for_all(problems())
def test_no_choice_is_better(posed: Problem) -> None:
    if grid(posed)[1].sum() <= 12:
        assert answer(posed)[1].value == best_of_all(posed)
    else:
        assert answer(posed)[1].value == by_flow(posed)


@pytest.mark.guarantee("running")
@settings(max_examples=40, deadline=None)
@for_all(st.integers(0, 2**32), st.integers(1, 40), st.integers(1, 40), st.sampled_from(GOALS), st.integers(1, 30))
def test_one_seat_each_is_what_an_assignment_gives(
    seed: int, mentors: int, executives: int, goal: Goal, kinds: int
) -> None:
    posed = problem(seed, mentors, executives, goal, seats=1, kinds=kinds)
    assert answer(posed)[1].value == by_assignment(posed)


@settings(max_examples=25, deadline=None)
@for_all(st.integers(0, 2**32), st.integers(1, 25), st.integers(1, 25), st.integers(1, 20))
def test_several_seats_are_what_a_linear_program_gives(seed: int, mentors: int, executives: int, kinds: int) -> None:
    posed = problem(seed, mentors, executives, "best_pairs", seats=3, kinds=kinds)
    assert answer(posed)[1].value == by_flow(posed)


def permuted(posed: Problem, seed: int) -> tuple[Problem, list[Any]]:
    """The same people and pairs in other rows, and which row each was."""
    rng = np.random.default_rng(seed)
    order = [rng.permutation(len(side)) for side in (posed.mentors, posed.executives)]
    where = [np.argsort(o) for o in order]

    def moved(pairs: Any) -> Any:
        return rng.permutation(np.stack([where[0][pairs[:, 0]], where[1][pairs[:, 1]]], axis=1), axis=0)

    sides = posed.mentors.some(order[0]), posed.executives.some(order[1])
    return Problem(*sides, posed.rules, posed.goal, moved(posed.apart), moved(posed.locked)), order


@pytest.mark.guarantee("running")
@settings(max_examples=60, deadline=None)
@for_all(problems(most=15), st.integers(0, 99))
def test_the_answer_is_the_same_in_any_order_of_rows(posed: Problem, seed: int) -> None:
    result, certificate = answer(posed)
    other, order = permuted(posed, seed)
    again, proof = answer(other)
    assert np.stack([order[0][again.pairs[:, 0]], order[1][again.pairs[:, 1]]], axis=1).tobytes() == (
        result.pairs.tobytes()
    )
    assert proof.mentor_prices.tobytes() == certificate.mentor_prices[order[0]].tobytes()
    assert proof.executive_prices.tobytes() == certificate.executive_prices[order[1]].tobytes()


def same(one: tuple[Result, Certificate], other: tuple[Result, Certificate]) -> bool:
    return all(
        np.asarray(a).tobytes() == np.asarray(b).tobytes()
        for x, y in zip(one, other, strict=True)
        for a, b in zip(vars(x).values(), vars(y).values(), strict=True)
    )


@pytest.mark.guarantee("running")
@settings(max_examples=60, deadline=None)
@for_all(problems(most=15), st.sampled_from([1, 4]))
@example(problem(3, 150, 60, "most_people"), 1)
@example(problem(4, 60, 150, "most_pairs", kinds=50), 4)
def test_compiled_and_interpreted_threaded_or_not_it_is_the_same(posed: Problem, threads: int) -> None:
    assert same(answer(posed, fast=True, threads=threads), answer(posed, fast=False, threads=2))


@settings(max_examples=100, deadline=None)
@for_all(problems(most=8))
def test_priorities_change_who_is_placed_but_never_how_many(posed: Problem) -> None:
    nobody = [replace(s, priority=np.zeros(len(s), dtype=np.int64)) for s in (posed.mentors, posed.executives)]
    calm = replace(posed, mentors=nobody[0], executives=nobody[1])
    with_it, without = answer(posed)[0].pairs, answer(calm)[0].pairs
    if posed.goal == "most_people":
        new = [np.flatnonzero(~side.paired) for side in (posed.mentors, posed.executives)]
        counts = [sum(len(np.intersect1d(p[:, k], new[k])) for k in (0, 1)) for p in (with_it, without)]
        assert counts[0] == counts[1]
    else:
        assert len(with_it) == len(without) or posed.goal == "best_pairs"


def test_who_was_left_over_goes_first() -> None:
    """Two equal mentors for one seat: the one with the priority has it, whichever they are."""
    posed = problem(1, 2, 1, "most_people", seats=1, kinds=1)
    ours = replace(
        posed.mentors, seats=np.ones(2, np.int64), placeable=np.ones(2, np.bool_), paired=np.zeros(2, np.bool_)
    )
    theirs = replace(posed.executives, seats=np.ones(1, np.int64), placeable=np.ones(1, np.bool_), level=np.array([9]))
    theirs = replace(theirs, languages=np.full((1, 1), 7, np.uint64), free=np.full((2, 1, 11), 2**64 - 1, np.uint64))
    ours = replace(ours, languages=np.full((2, 1), 7, np.uint64), free=np.full((2, 2, 11), 2**64 - 1, np.uint64))
    for first in (0, 1):
        given = replace(ours, priority=np.array([first == 0, first == 1], dtype=np.int64))
        posed = Problem(given, theirs, Rules(posed.rules.weights, 2, 45, 60))
        assert answer(posed)[0].pairs.tolist() == [[first, 0]]


@pytest.mark.guarantee("running")
@settings(max_examples=60, deadline=None)
@for_all(st.integers(0, 2**32), st.integers(1, 9), st.integers(1, 9), st.sampled_from(GOALS), st.integers(1, 3))
def test_of_people_who_are_alike_everybody_is_kept_apart_from_whom_they_must(
    seed: int, mentors: int, executives: int, goal: Goal, kinds: int
) -> None:
    """Groups with seats, locks and exclusions that touch some of their people only."""
    posed = problem(seed, mentors, executives, goal, kinds=kinds)
    rng = np.random.default_rng(seed)
    apart = np.argwhere(rng.random((mentors, executives)) < rng.choice([0.0, 0.3, 0.7]))
    posed = replace(posed, apart=apart)
    assert answer(posed)[1].value == by_flow(posed)


@pytest.mark.guarantee("running")
def test_where_groups_cannot_be_served_everybody_is_looked_at() -> None:
    """Two alike on each side, and one of them must not meet either of the others."""
    posed = problem(1, 2, 2, "most_people", seats=1, kinds=1)
    words = {"languages": 7, "offers": 1, "seeks": 1}
    side = {name: np.full((2, 1), word, np.uint64) for name, word in words.items()}
    free = np.full((2, 2, 11), 2**64 - 1, np.uint64)
    alike: dict[str, Any] = side | {"free": free, "seats": np.ones(2, np.int64), "placeable": np.ones(2, np.bool_)}
    alike |= {"paired": np.zeros(2, np.bool_), "priority": np.zeros(2, np.int64)}
    ours = replace(posed.mentors, **alike, level=np.ones(2, np.int64))
    theirs = replace(posed.executives, **alike, level=np.full(2, 9))
    for apart, pairs in (([[0, 0], [0, 1]], 1), ([[0, 0], [1, 1]], 2), ([], 2)):
        rules = Rules(posed.rules.weights, 2, 45, 60)
        given = Problem(ours, theirs, rules, apart=np.array(apart, dtype=np.int64).reshape(-1, 2))
        assert len(answer(given)[0].pairs) == pairs
        assert answer(given)[1].value == by_flow(given)


def test_all_alike_and_one_seat_too_few() -> None:
    """Mass ties: every pair is worth the same."""
    posed = problem(5, 60, 40, "most_people", seats=1, kinds=1)
    assert answer(posed)[1].value == by_assignment(posed)


@pytest.mark.parametrize(("mentors", "executives"), [(0, 0), (0, 3), (3, 0)])
@pytest.mark.parametrize("fast", [True, False])
def test_an_empty_side_places_nobody(mentors: int, executives: int, fast: bool) -> None:
    result, certificate = answer(problem(1, mentors, executives, "most_people"), fast=fast)
    assert (result.pairs.shape, certificate.value, certificate.bound) == ((0, 2), 0, 0)


def test_numbers_that_could_leave_64_bits_are_refused() -> None:
    posed = problem(1, 20, 20, "most_people")
    with pytest.raises(OverflowError):
        replace(posed, mentors=replace(posed.mentors, priority=np.full(20, 2**56)))


def test_a_lock_that_no_seat_or_rule_allows_is_refused() -> None:
    posed = problem(1, 6, 6, "most_people")
    free = np.flatnonzero(~posed.mentors.placeable | (posed.mentors.seats == 0))
    with pytest.raises(ValueError, match="lock"):
        replace(posed, locked=np.array([[free[0], 0]]))
