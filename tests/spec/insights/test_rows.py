"""Rows are folds of one stream: they keep the first day of each step, and the same facts give the same row."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from chassis.receiving.views import View
from contracts import enrollment, matching, scheduling
from contracts.all import CATALOG
from contracts.fact import Fact
from contracts.types import Actor, Side
from services.insights.views import (
    ACTIONS,
    INVITATIONS,
    PAIRS,
    PARTICIPATIONS,
    PROGRAMS,
    PROPOSALS,
    ROLES,
    ROUNDS,
    SESSIONS,
    VIEWS,
)

SAMPLES = Path(__file__).parents[3] / "contracts" / "samples"
DAYS = [datetime(2027, 3, n, 23, 30, tzinfo=UTC) for n in range(1, 9)]
FIRST = date(2027, 3, 1)


def sample(fact: type[Fact], **changed: Any) -> Fact:
    data = json.loads((SAMPLES / f"{fact.__name__}.v{fact.v}.json").read_text())["data"]
    return CATALOG.read(fact.__name__, fact.v, json.dumps(data | changed))


def fold(view: View[Any], *facts: Fact) -> Any:
    """The row after facts of successive days; each stored and read again on the way, as the inbox does."""
    row = view.row()
    for fact, at in zip(facts, DAYS, strict=False):
        assert type(fact) in view.hears
        row = view.row.model_validate(view.fold(row, fact, at).model_dump(mode="json"))
    return row


@pytest.mark.parametrize(("view", "fact"), [(v, f) for v in VIEWS for f in sorted(v.hears, key=lambda f: f.__name__)])
def test_a_view_does_something_with_every_fact_it_hears(view: View[Any], fact: type[Fact]) -> None:
    opening = {"proposal": {"side": "executive"}, "learning": {"side": "mentor"}}.get(view.category.name, {})
    assert fold(view, sample(fact, **opening)) != view.row()


def test_the_floors_are_kept() -> None:
    row = fold(PROGRAMS, sample(enrollment.ProgramOpened, floor_numbers=7, floor_words=12))
    assert (row.floor_numbers, row.floor_words) == (7, 12)


def test_roles_add_up_and_an_unknown_one_grants_nothing() -> None:
    granted = [sample(enrollment.RoleGranted, role=r) for r in ("coordinator", "archbishop", "sponsor")]
    assert fold(ROLES, *granted).roles == (enrollment.Role.coordinator, enrollment.Role.sponsor)


def test_every_answer_to_an_invitation_is_kept() -> None:
    said = sample(enrollment.InvitationAnswered, answer="accepted", hesitation=None)
    row = fold(INVITATIONS, sample(enrollment.ParticipantInvited), sample(enrollment.InvitationAnswered), said)
    assert row.invited == FIRST
    assert [(a.on.day, a.answer.value) for a in row.answers] == [(2, "hesitant"), (3, "accepted")]


def test_the_first_charter_counts() -> None:
    row = fold(
        PARTICIPATIONS,
        sample(enrollment.MentorEnrolled),
        sample(enrollment.CharterAccepted),
        sample(enrollment.CharterAccepted),
    )
    assert (row.mentor, row.charter, row.executive) == (FIRST, date(2027, 3, 2), None)


def test_a_round_counts_once_it_is_let_out() -> None:
    solved = fold(ROUNDS, sample(matching.RoundOpened), sample(matching.RoundSolved))
    assert solved.published is None
    assert solved.mentors >= solved.unplaced_mentors


def test_a_rejected_proposal_is_not_approved() -> None:
    reviews = [sample(matching.ProposalReviewed, verdict=v) for v in ("approved", "rejected")]
    assert fold(PROPOSALS, *reviews[:1]).approved == FIRST
    assert fold(PROPOSALS, *reviews).approved is None


def test_a_mentors_yes_is_not_yet_both_sides_yes() -> None:
    yes = [sample(matching.ConsentGiven, side=side) for side in ("mentor", "executive")]
    assert fold(PROPOSALS, *yes[:1]).agreed is None
    assert fold(PROPOSALS, *yes).agreed == date(2027, 3, 2)


def test_a_released_pair_keeps_its_people() -> None:
    formed = sample(matching.PairFormed)
    row = fold(PAIRS, formed, sample(matching.PairReleased, cause="ended"))
    assert (row.formed, row.released, row.completed) == (FIRST, date(2027, 3, 2), False)
    assert row.mentor
    assert fold(PAIRS, formed, sample(matching.PairReleased, cause="completed")).completed


def test_a_session_keeps_every_move_and_who_cancelled() -> None:
    row = fold(
        SESSIONS,
        sample(scheduling.SessionProposed),
        sample(scheduling.SessionScheduled),
        sample(scheduling.SessionMoved, by="mentor"),
        sample(scheduling.SessionMoved, by="executive"),
        sample(scheduling.SessionCancelled, by="program"),
    )
    assert [(m.on.day, m.by) for m in row.moved] == [(3, Actor.mentor), (4, Actor.executive)]
    assert row.cancelled and row.cancelled.by is Actor.program
    assert row.held is None


@pytest.mark.parametrize("cause", ["lapsed", "pause"])
def test_a_session_that_nobody_answered_or_during_a_pause_was_cancelled_by_nobody(cause: str) -> None:
    cancelled = sample(scheduling.SessionCancelled, by="program", cause=cause)
    assert fold(SESSIONS, sample(scheduling.SessionProposed), cancelled).cancelled is None


def test_an_action_keeps_its_steps() -> None:
    steps = (scheduling.ActionCommitted, scheduling.ActionStarted, scheduling.ActionEvidenced)
    row = fold(ACTIONS, *(sample(f) for f in (*steps, scheduling.ActionConfirmed)))
    assert [d and d.day for d in (row.committed, row.started, row.evidenced, row.confirmed)] == [1, 2, 3, 4]
    assert row.owner in (Side.mentor, Side.executive)
