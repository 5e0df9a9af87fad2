"""A session: offered, booked, moved, cancelled, held; and what a pair's end does to it."""

from datetime import timedelta
from typing import Any

import pytest

from chassis.testing.spec import given
from contracts.scheduling import CancelCause, Channel, SessionCancelled, SessionHeld, SessionMoved, SessionScheduled
from contracts.types import Actor, Side
from services.scheduling.sessions.session import SESSION as S
from services.scheduling.sessions.session import (
    BookSession,
    CancelSession,
    HoldSession,
    LapseSession,
    MoveSession,
    ProposeSession,
)
from tests.spec.scheduling.things import ABOUT, HELD, NOW, PAIR, PROGRAM, PROPOSED, SCHEDULED, SESSION, START, WINDOWS

LATER = START + timedelta(days=1)
MOVED = SessionMoved(
    **ABOUT, start=LATER, minutes=45, channel=Channel.video, sequence=1, by=Actor.mentor, notice_hours=365
)
CANCELLED = SessionCancelled(**ABOUT, by=Actor.executive, notice_hours=365, cause=CancelCause.person, sequence=1)
BOOK = BookSession(window=0, channel=Channel.video)
HOLD = HoldSession(minutes=50, channel=Channel.phone, by=Side.mentor)
LEFT = CancelSession(by=Actor.program, cause=CancelCause.released, released=NOW)


def cancel(by: Actor = Actor.executive) -> CancelSession:
    return CancelSession(by=by, cause=CancelCause.person)


def test_it_is_proposed_once() -> None:
    command = ProposeSession(
        program=PROGRAM, session=SESSION, pair=PAIR, number=1, windows=WINDOWS, answer_by=PROPOSED.answer_by
    )
    given(S).when(command, NOW).then(PROPOSED)
    given(S, PROPOSED).when(command, NOW).then()


def test_booking_takes_the_time_that_was_proposed() -> None:
    given(S, PROPOSED).when(BOOK, NOW).then(SCHEDULED)
    third = BookSession(window=2, channel=Channel.room)
    given(S, PROPOSED).when(third, NOW).then(
        SessionScheduled(**ABOUT, start=WINDOWS[2].start, minutes=45, channel=Channel.room, sequence=0)
    )


def test_booking_the_same_twice_changes_nothing_and_another_time_is_refused() -> None:
    given(S, PROPOSED, SCHEDULED).when(BOOK, NOW).then()
    given(S, PROPOSED, SCHEDULED).when(BookSession(window=1, channel=Channel.video), NOW).refused("already-booked")


def test_times_lapse_once_all_of_them_have_passed_and_none_was_taken() -> None:
    last = WINDOWS[-1].start
    lapsed = SessionCancelled(**ABOUT, by=Actor.program, cause=CancelCause.lapsed, sequence=0)
    given(S, PROPOSED).when(LapseSession(), last - timedelta(milliseconds=1)).then()
    given(S, PROPOSED).when(LapseSession(), last).then(lapsed)
    given(S, PROPOSED, lapsed).when(LapseSession(), last).then()
    given(S, PROPOSED, SCHEDULED).when(LapseSession(), last).then()
    given(S, PROPOSED, SCHEDULED, HELD).when(LapseSession(), last).then()
    given(S).when(LapseSession(), last).then()


def test_until_they_lapse_the_last_time_can_be_taken_and_then_none() -> None:
    last = WINDOWS[-1].start
    third = BookSession(window=2, channel=Channel.video)
    booked = SessionScheduled(**ABOUT, start=last, minutes=45, channel=Channel.video, sequence=0)
    given(S, PROPOSED).when(third, last - timedelta(milliseconds=1)).then(booked)
    given(S, PROPOSED).when(third, last).refused("time-past")


def test_booking_what_was_not_offered_or_is_past_is_refused() -> None:
    given(S, PROPOSED).when(BookSession(window=3, channel=Channel.video), NOW).refused("no-such-window")
    given(S, PROPOSED).when(BOOK, START).refused("time-past")
    given(S).when(BOOK, NOW).refused("no-such-session")


def test_nothing_is_booked_or_moved_once_the_pair_is_over() -> None:
    given(S, PROPOSED).when(BookSession(window=0, channel=Channel.video, released=NOW), NOW).refused("pair-over")
    move = MoveSession(start=LATER, by=Actor.mentor, released=NOW)
    given(S, PROPOSED, SCHEDULED).when(move, NOW).refused("pair-over")


def test_moving_says_who_and_how_long_before() -> None:
    given(S, PROPOSED, SCHEDULED).when(MoveSession(start=LATER, by=Actor.mentor), NOW).then(MOVED)


def test_each_move_raises_the_sequence() -> None:
    back = MoveSession(start=START, by=Actor.executive)
    given(S, PROPOSED, SCHEDULED, MOVED).when(back, LATER).refused("time-past")
    expected = SessionMoved(
        **ABOUT, start=START, minutes=45, channel=Channel.video, sequence=2, by=Actor.executive, notice_hours=389
    )
    given(S, PROPOSED, SCHEDULED, MOVED).when(back, NOW).then(expected)


def test_a_missed_session_can_still_be_moved() -> None:
    late = START + timedelta(hours=3)
    expected = MOVED.model_copy(update={"notice_hours": 0})
    given(S, PROPOSED, SCHEDULED).when(MoveSession(start=LATER, by=Actor.mentor), late).then(expected)


def test_moving_to_the_same_time_changes_nothing_and_beyond_a_year_is_refused() -> None:
    given(S, PROPOSED, SCHEDULED).when(MoveSession(start=START, by=Actor.mentor), NOW).then()
    far = MoveSession(start=NOW + timedelta(days=400), by=Actor.mentor)
    given(S, PROPOSED, SCHEDULED).when(far, NOW).refused("too-far")
    given(S, PROPOSED).when(MoveSession(start=LATER, by=Actor.mentor), NOW).refused("not-booked")


def test_cancelling_says_by_whom_and_how_long_before() -> None:
    given(S, PROPOSED, SCHEDULED).when(cancel(), NOW).then(CANCELLED)
    without_a_time = CANCELLED.model_copy(update={"notice_hours": None, "sequence": 0})
    given(S, PROPOSED).when(cancel(), NOW).then(without_a_time)


def test_cancelling_twice_changes_nothing() -> None:
    given(S, PROPOSED, SCHEDULED, CANCELLED).when(cancel(Actor.mentor), NOW).then()


@pytest.mark.parametrize("command", [BOOK, MoveSession(start=LATER, by=Actor.mentor), HOLD])
def test_a_cancelled_session_is_over(command: Any) -> None:
    given(S, PROPOSED, SCHEDULED, CANCELLED).when(command, NOW).refused("session-cancelled")


def test_it_is_held_once_its_time_has_come() -> None:
    given(S, PROPOSED, SCHEDULED).when(HOLD, START - timedelta(minutes=1)).refused("not-begun")
    given(S, PROPOSED, SCHEDULED).when(HOLD, START).then(HELD)
    given(S, PROPOSED, SCHEDULED, HELD).when(HOLD.model_copy(update={"by": Side.executive}), LATER).then()
    given(S, PROPOSED).when(HOLD, LATER).refused("not-booked")


def test_what_was_moved_is_held_at_its_new_time() -> None:
    given(S, PROPOSED, SCHEDULED, MOVED).when(HOLD, START).refused("not-begun")
    expected = SessionHeld(**{**HELD.model_dump(), "start": LATER})
    given(S, PROPOSED, SCHEDULED, MOVED).when(HOLD, LATER).then(expected)


def test_what_was_held_cannot_be_cancelled_booked_or_moved() -> None:
    past = (PROPOSED, SCHEDULED, HELD)
    given(S, *past).when(cancel(), LATER).refused("session-held")
    given(S, *past).when(BOOK, NOW).refused("session-held")
    given(S, *past).when(MoveSession(start=LATER, by=Actor.mentor), NOW).refused("session-held")


def test_the_end_of_a_pair_cancels_what_had_not_begun() -> None:
    expected = SessionCancelled(**ABOUT, by=Actor.program, notice_hours=365, cause=CancelCause.released, sequence=1)
    given(S, PROPOSED, SCHEDULED).when(LEFT, NOW).then(expected)
    given(S, PROPOSED).when(LEFT, NOW).then(expected.model_copy(update={"notice_hours": None, "sequence": 0}))


def test_the_end_of_a_pair_leaves_what_had_begun_and_it_may_still_be_recorded() -> None:
    end = START + timedelta(minutes=10)
    left = LEFT.model_copy(update={"released": end})
    given(S, PROPOSED, SCHEDULED).when(left, end).then()
    given(S, PROPOSED, SCHEDULED, HELD).when(left, end).then()
    given(S, PROPOSED, SCHEDULED).when(HOLD.model_copy(update={"released": end}), LATER).then(HELD)
    before = HOLD.model_copy(update={"released": START - timedelta(days=1)})
    given(S, PROPOSED, SCHEDULED).when(before, LATER).refused("pair-over")
