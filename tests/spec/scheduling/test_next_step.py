"""The next step of a pair, most pressing first; and a pair that is over looks the same whoever ended it."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from contracts.fact import Fact
from contracts.matching import PairFormed, PairReleased, ReleaseCause
from contracts.scheduling import CancelCause, SessionCancelled
from contracts.types import Actor, Side
from services.scheduling.next_step import Step, next_step
from services.scheduling.views import PAIRS, SESSIONS, Journey, Pair, Session
from tests.spec.scheduling.things import ABOUT, HELD, NOW, PAIR, PROGRAM, PROPOSED, SCHEDULED, SESSION, START

JOURNEY = Journey(pair=PAIR, sessions=6, driver=Side.executive)
BOTH = {SESSION: frozenset({"mentor", "executive"})}


def session(*facts: Fact) -> Session:
    row = Session()
    for fact in facts:
        row = SESSIONS.fold(row, fact, NOW)
    return Session.model_validate(row.model_dump(mode="json"))


def step(*sessions: Session, journey: Journey = JOURNEY, now: datetime = NOW, **known: Any) -> Step | None:
    asked: dict[str, Any] = {"noted": {}, "evidence": False, "over": False, **known}
    noted = asked.pop("noted")
    return next_step(journey, sessions, noted, now=now, **asked)


def test_proposed_times_wait_for_the_side_that_drives() -> None:
    assert step(session(PROPOSED)) == Step("answer_times", "executive", SESSION)
    mentor = JOURNEY.model_copy(update={"driver": Side.mentor})
    assert step(session(PROPOSED), journey=mentor) == Step("answer_times", "mentor", SESSION)


def test_a_booked_session_is_held_and_afterwards_recorded() -> None:
    assert step(session(PROPOSED, SCHEDULED)) == Step("hold_session", "both", SESSION, START)
    after = START + timedelta(hours=1)
    assert step(session(PROPOSED, SCHEDULED), now=after) == Step("record_session", "both", SESSION, START)


def test_after_a_session_each_side_notes_what_it_learned() -> None:
    held = session(PROPOSED, SCHEDULED, HELD)
    assert step(held) == Step("note_learning", "both", SESSION, START)
    assert step(held, noted={SESSION: frozenset({"mentor"})}) == Step("note_learning", "executive", SESSION, START)
    assert step(held, noted={SESSION: frozenset({"executive"})}) == Step("note_learning", "mentor", SESSION, START)
    assert step(held, noted=BOTH) == Step("propose_times", "program")


def test_evidence_comes_before_planning_but_after_recording() -> None:
    assert step(session(PROPOSED), evidence=True) == Step("confirm_evidence", "mentor")
    late = step(session(PROPOSED, SCHEDULED), evidence=True, now=START)
    assert late == Step("record_session", "both", SESSION, START)


def test_when_the_journey_is_complete_only_a_last_note_is_left() -> None:
    completed = JOURNEY.model_copy(update={"state": "completed"})
    held = session(PROPOSED, SCHEDULED, HELD)
    assert step(held, journey=completed, over=True) == Step("note_learning", "both", SESSION, START)
    assert step(held, journey=completed, over=True, noted=BOTH) is None


def test_a_pair_that_is_over_has_no_next_step() -> None:
    assert step(session(PROPOSED, SCHEDULED), over=True) is None


@pytest.mark.guarantee("people")
def test_how_a_pair_ended_cannot_be_told_from_what_is_kept_of_it() -> None:
    formed = PairFormed(
        program=PROGRAM,
        pair=PAIR,
        mentor="pe_" + "m" * 26,
        executive="pe_" + "e" * 26,
        rules_version=1,
        formed=NOW,
        after=[],
        mentor_rev=1,
        executive_rev=1,
    )
    causes = [cause for cause in ReleaseCause if cause is not ReleaseCause.unknown]
    ends = [PairReleased(program=PROGRAM, pair=PAIR, cause=cause) for cause in causes]
    rows = {PAIRS.fold(PAIRS.fold(Pair(), formed, NOW), end, NOW).model_dump_json() for end in ends}
    assert len(rows) == 1


def test_a_cancelled_session_says_who_cancelled_it() -> None:
    gone = SessionCancelled(**ABOUT, by=Actor.executive, notice_hours=3, cause=CancelCause.person, sequence=1)
    row = session(PROPOSED, SCHEDULED, gone)
    assert (row.state, row.by, row.sequence) == ("cancelled", "executive", 1)
