"""A round is opened on a frozen input, solved once, and published once everything has a verdict."""

from __future__ import annotations

from typing import Any

from chassis.testing.spec import given
from contracts.enrollment import Objective
from contracts.matching import RoundKind, RoundOpened, RoundPublished, RoundSolved
from services.matching.round import ROUND, OpenRound, PublishRound, RecordSolution
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


def test_a_round_opens_once_and_only_with_somebody_on_both_sides() -> None:
    command = OpenRound(**IDS, **INPUT, solver=(1, 0, 0))
    given(ROUND).when(command, NOW).then(opened)
    given(ROUND, opened).when(command, NOW).then()
    for nobody in ("mentors", "executives"):
        given(ROUND).when(command.model_copy(update={nobody: 0}), NOW).refused("nobody-to-place")


def test_a_solution_is_recorded_once() -> None:
    given(ROUND).when(RecordSolution(**FOUND), NOW).refused("no-such-round")
    given(ROUND, opened).when(RecordSolution(**FOUND), NOW).then(solved)
    given(ROUND, opened, solved).when(RecordSolution(**FOUND), NOW).then()


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
