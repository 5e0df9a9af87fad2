"""Taking part: gates on the way in, none on the way out, and nothing said twice."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from hypothesis import given as for_all
from hypothesis import strategies as st

from chassis.deciding.decider import Command, Refused
from chassis.testing.spec import given
from contracts.enrollment import (
    AvailabilityDeclared,
    CharterAccepted,
    ExecutiveEnrolled,
    MentorEnrolled,
    ParticipantWithdrawn,
)
from contracts.fact import Fact
from contracts.types import Side
from services.enrollment.participation import PARTICIPATION, AcceptCharter, DeclareAvailability, Enrol, Withdraw

NOW = datetime(2026, 9, 1, 9, tzinfo=UTC)
PR, ADA = "pr_" + "a" * 26, "pe_" + "a" * 26


def enrol(side: Side = Side.mentor, *, invited: bool = True, capacity: int = 1, most: int = 1) -> Enrol:
    return Enrol(program=PR, person=ADA, side=side, invited=invited, capacity=capacity, most=most, profile_rev=2)


mentor = MentorEnrolled(program=PR, person=ADA, profile_rev=2, capacity=1)
executive = ExecutiveEnrolled(program=PR, person=ADA, profile_rev=2, capacity=1)
charter = CharterAccepted(program=PR, person=ADA, charter_version=1)
left = ParticipantWithdrawn(program=PR, person=ADA, effective=date(2026, 9, 1))


def test_who_accepted_enrols_once_on_each_side() -> None:
    given(PARTICIPATION).when(enrol(), NOW).then(mentor)
    given(PARTICIPATION, mentor).when(enrol(), NOW).then()
    given(PARTICIPATION, mentor).when(enrol(Side.executive), NOW).then(executive)


def test_nobody_enrols_without_an_accepted_invitation_or_over_capacity() -> None:
    given(PARTICIPATION).when(enrol(invited=False), NOW).refused("not-invited")
    given(PARTICIPATION).when(enrol(capacity=2), NOW).refused("over-capacity")
    given(PARTICIPATION).when(enrol(capacity=0), NOW).refused("over-capacity")


def test_only_the_charter_in_force_is_accepted_and_only_once() -> None:
    given(PARTICIPATION, mentor).when(AcceptCharter(charter_version=1, current=1), NOW).then(charter)
    given(PARTICIPATION, mentor, charter).when(AcceptCharter(charter_version=1, current=1), NOW).then()
    given(PARTICIPATION, mentor).when(AcceptCharter(charter_version=1, current=2), NOW).refused("other-charter")
    newer = charter.model_copy(update={"charter_version": 2})
    given(PARTICIPATION, mentor, charter).when(AcceptCharter(charter_version=2, current=2), NOW).then(newer)


def test_availability_is_said_with_the_revision_that_has_the_windows() -> None:
    command = DeclareAvailability(profile_rev=3, minutes_week=180, longest_minutes=90)
    said = AvailabilityDeclared(program=PR, person=ADA, profile_rev=3, minutes_week=180, longest_minutes=90)
    given(PARTICIPATION, mentor).when(command, NOW).then(said)
    given(PARTICIPATION).when(command, NOW).refused("not-enrolled")


def test_leaving_needs_nothing_and_twice_is_no_error() -> None:
    given(PARTICIPATION, mentor).when(Withdraw(), NOW).then(left)
    given(PARTICIPATION, mentor, executive, charter).when(Withdraw(), NOW).then(left)
    given(PARTICIPATION, mentor, left).when(Withdraw(), NOW + timedelta(days=1)).then()
    given(PARTICIPATION).when(Withdraw(), NOW).then()


def test_who_left_stays_out() -> None:
    given(PARTICIPATION, mentor, left).when(enrol(), NOW).refused("left")
    given(PARTICIPATION, mentor, left).when(AcceptCharter(charter_version=1, current=1), NOW).refused("not-enrolled")


commands = st.one_of(
    st.builds(enrol, st.sampled_from([Side.mentor, Side.executive]), invited=st.booleans(), capacity=st.integers(0, 3)),
    st.builds(AcceptCharter, charter_version=st.integers(1, 2), current=st.integers(1, 2)),
    st.builds(
        DeclareAvailability,
        profile_rev=st.integers(1, 9),
        minutes_week=st.integers(0, 900),
        longest_minutes=st.integers(0, 90),
    ),
    st.just(Withdraw()),
)


@for_all(st.lists(commands, max_size=12))
def test_whatever_is_asked_in_whatever_order(asked: list[Command]) -> None:
    """Everything but availability is said once; nothing follows leaving; leaving is never refused."""
    said: list[Fact] = []
    for command in asked:
        state = PARTICIPATION.fold(said)
        try:
            new = PARTICIPATION.decide(command, state, NOW)
        except Refused:
            assert not isinstance(command, Withdraw)
            continue
        after = PARTICIPATION.fold([*said, *new])
        if not isinstance(command, DeclareAvailability):
            assert PARTICIPATION.decide(command, after, NOW) == []
        assert not (new and state.state == "left")
        said += new
    enrolled = [fact for fact in said if isinstance(fact, MentorEnrolled | ExecutiveEnrolled)]
    assert len(enrolled) == len({type(fact) for fact in enrolled})
    assert all(fact.encode() for fact in said)
