"""A round is opened on a frozen input, solved once, and published once everything has a verdict."""

from __future__ import annotations

from typing import Any

from chassis.testing.spec import given
from contracts.enrollment import Objective
from contracts.matching import RoundAbandoned, RoundKind, RoundOpened, RoundPublished, RoundSolved, SolutionOrdered
from services.matching.round import ROUND, AbandonRound, OpenRound, OrderSolution, PublishRound, RecordSolution
from tests.spec.matching import people
from tests.spec.matching.people import NOW

IDS: dict[str, Any] = {"program": people.PROGRAM, "round": people.ROUND}
INPUT: dict[str, Any] = {
    "kind": RoundKind.cohort,
    "rules_version": 1,
    "objective": Objective.most_people,
    "mentors": 5,
    "executives": 2,
    "input": "a" * 64,
}
FOUND: dict[str, Any] = {
    "proposed": 2,
    "unplaced_mentors": 3,
    "unplaced_executives": 0,
    "total": 15_000,
    "optimal": True,
    "certificate": "b" * 64,
    "millis": 12,
}
opened = RoundOpened(**IDS, **INPUT, solver=[1, 0, 0])
solved = RoundSolved(**IDS, **FOUND)
published = RoundPublished(**IDS, approved=1, rejected=1)
ordered = SolutionOrdered(**IDS)
abandoned = RoundAbandoned(**IDS)


def test_a_round_opens_once_and_only_with_somebody_on_both_sides() -> None:
    command = OpenRound(**IDS, **INPUT, solver=(1, 0, 0))
    given(ROUND).when(command, NOW).then(opened)
    given(ROUND, opened).when(command, NOW).then()
    for nobody in ("mentors", "executives"):
        given(ROUND).when(command.model_copy(update={nobody: 0}), NOW).refused("nobody-to-place")


def test_a_solution_is_recorded_and_another_in_its_place() -> None:
    given(ROUND).when(RecordSolution(**FOUND), NOW).refused("no-such-round")
    given(ROUND, opened).when(RecordSolution(**FOUND), NOW).then(solved)
    again = {**FOUND, "proposed": 1}
    given(ROUND, opened, solved).when(RecordSolution(**again), NOW).then(RoundSolved(**IDS, **again))
    for over in (published, abandoned):
        given(ROUND, opened, solved, over).when(RecordSolution(**again), NOW).then()


def test_a_solution_is_ordered_once_and_only_under_review() -> None:
    given(ROUND, opened).when(OrderSolution(), NOW).then()
    given(ROUND, opened, solved).when(OrderSolution(), NOW).then(ordered)
    given(ROUND, opened, solved, ordered).when(OrderSolution(), NOW).then()
    given(ROUND, opened, solved, ordered, solved).when(OrderSolution(), NOW).then(ordered)
    for over in (published, abandoned):
        given(ROUND, opened, solved, over).when(OrderSolution(), NOW).refused("not-under-review")


def test_a_round_is_abandoned_at_any_time_before_it_is_published() -> None:
    for before in ([opened], [opened, solved], [opened, solved, ordered]):
        given(ROUND, *before).when(AbandonRound(), NOW).then(abandoned)
        given(ROUND, *before, abandoned).when(AbandonRound(), NOW).then()
    given(ROUND, opened, solved, published).when(AbandonRound(), NOW).refused("not-under-review")
    publish = PublishRound(approved=1, rejected=1, undecided=0)
    given(ROUND, opened, solved, abandoned).when(publish, NOW).refused("not-under-review")


def test_a_round_is_published_once_everything_has_a_verdict() -> None:
    publish = PublishRound(approved=1, rejected=1, undecided=0)
    given(ROUND, opened).when(publish, NOW).refused("not-solved")
    given(ROUND, opened, solved).when(publish.model_copy(update={"undecided": 1}), NOW).refused("undecided")
    given(ROUND, opened, solved).when(publish, NOW).then(published)
    given(ROUND, opened, solved, published).when(publish.model_copy(update={"undecided": 1}), NOW).then()


def test_a_round_is_published_in_parts_until_nothing_is_left_under_review() -> None:
    some = PublishRound(approved=2, rejected=1, undecided=3, rest="keep")
    first = RoundPublished(**IDS, approved=2, rejected=1, kept=3)
    given(ROUND, opened, solved).when(some.model_copy(update={"approved": 0}), NOW).refused("nothing-approved")
    given(ROUND, opened, solved).when(some, NOW).then(first)
    rest = given(ROUND, opened, solved, first)
    rest.when(PublishRound(approved=0, rejected=1, undecided=3), NOW).refused("undecided")
    rest.when(PublishRound(approved=3, rejected=1, undecided=0), NOW).then(
        RoundPublished(**IDS, approved=5, rejected=1)
    )
    last = RoundPublished(**IDS, approved=2, rejected=1)
    rest.when(PublishRound(approved=0, rejected=1, undecided=3, rest="drop"), NOW).then(last)
    given(ROUND, opened, solved, first, last).when(some, NOW).then()


def test_a_round_that_is_solved_again_remembers_its_first_total() -> None:
    again = solved.model_copy(update={"total": 14_000})
    assert ROUND.fold([opened, solved, again]).optimum == 15_000
