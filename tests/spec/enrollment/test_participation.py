"""Taking part: gates on the way in, none on the way out, and nothing said twice."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from hypothesis import given as for_all
from hypothesis import strategies as st

from chassis.deciding.decider import Command, Refused
from chassis.testing.spec import given
from contracts.enrollment import (
    AvailabilityDeclared,
    CapacityDeclared,
    CharterAccepted,
    ExecutiveEnrolled,
    MentorEnrolled,
    ParticipantWithdrawn,
    ParticipationPaused,
    ParticipationResumed,
    PauseArranged,
    PauseCalledOff,
    ProfileField,
    ProfileRevised,
)
from contracts.fact import Fact
from contracts.types import Side
from services.enrollment.participation import (
    PARTICIPATION,
    AcceptCharter,
    ArrangePause,
    CallOffPause,
    DeclareAvailability,
    DeclareCapacity,
    Enrol,
    KeepPause,
    ReviseProfile,
    Withdraw,
)

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


PAUSE = "pz_" + "a" * 26
TODAY, MAY, JUNE = date(2026, 9, 1), date(2027, 5, 1), date(2027, 6, 1)
arranged = PauseArranged(program=PR, person=ADA, pause=PAUSE, starts=MAY, until=JUNE)
paused = ParticipationPaused(program=PR, person=ADA, pause=PAUSE, until=JUNE)
resumed = ParticipationResumed(program=PR, person=ADA, pause=PAUSE, effective=JUNE)
called_off = PauseCalledOff(program=PR, person=ADA, pause=PAUSE)


def arrange(starts: date = MAY, until: date | None = JUNE) -> ArrangePause:
    return ArrangePause(pause=PAUSE, starts=starts, until=until, today=TODAY)


def keep(today: date) -> KeepPause:
    return KeepPause(pause=PAUSE, today=today)


def test_a_pause_is_arranged_once_and_begins_today_at_the_earliest() -> None:
    given(PARTICIPATION, mentor).when(arrange(), NOW).then(arranged)
    given(PARTICIPATION, mentor, arranged).when(arrange(), NOW).then()
    given(PARTICIPATION, mentor).when(arrange(TODAY - timedelta(days=1)), NOW).refused("in-the-past")
    given(PARTICIPATION, mentor).when(arrange(until=MAY), NOW).refused("no-time")
    given(PARTICIPATION).when(arrange(), NOW).refused("not-enrolled")
    at_once = arranged.model_copy(update={"starts": TODAY, "until": None})
    given(PARTICIPATION, mentor).when(arrange(TODAY, None), NOW).then(
        at_once, paused.model_copy(update={"until": None})
    )
    many = [arranged.model_copy(update={"pause": f"pz_{'a' * 25}{n}"}) for n in "bcdefghijk"]
    given(PARTICIPATION, mentor, *many).when(arrange(), NOW).refused("too-many")


def test_a_pause_begins_and_ends_on_its_days_and_is_said_once() -> None:
    given(PARTICIPATION, mentor, arranged).when(keep(MAY - timedelta(days=1)), NOW).then()
    given(PARTICIPATION, mentor, arranged).when(keep(MAY), NOW).then(paused)
    given(PARTICIPATION, mentor, arranged, paused).when(keep(MAY), NOW).then()
    given(PARTICIPATION, mentor, arranged, paused).when(keep(JUNE), NOW).then(resumed)
    given(PARTICIPATION, mentor, arranged).when(keep(JUNE), NOW).then(paused, resumed)
    given(PARTICIPATION, mentor, arranged, paused, resumed).when(keep(JUNE), NOW).then()
    given(PARTICIPATION, mentor, arranged, left).when(keep(MAY), NOW).then()


def test_a_pause_can_be_called_off_before_and_meanwhile() -> None:
    off = CallOffPause(pause=PAUSE, today=TODAY)
    given(PARTICIPATION, mentor, arranged).when(off, NOW).then(called_off)
    given(PARTICIPATION, mentor, arranged, called_off).when(off, NOW).then()
    given(PARTICIPATION, mentor, arranged, called_off).when(keep(MAY), NOW).then()
    back = resumed.model_copy(update={"effective": TODAY})
    given(PARTICIPATION, mentor, arranged, paused).when(off, NOW).then(called_off, back)
    given(PARTICIPATION, mentor, arranged, paused, called_off, back).when(off, NOW).then()


def test_capacity_is_declared_for_a_side_one_is_on_and_within_the_rules() -> None:
    two = DeclareCapacity(side=Side.mentor, capacity=2, most=2)
    said = CapacityDeclared(program=PR, person=ADA, side=Side.mentor, capacity=2)
    given(PARTICIPATION, mentor).when(two, NOW).then(said)
    given(PARTICIPATION, mentor, said).when(two, NOW).then()
    given(PARTICIPATION, mentor).when(two.model_copy(update={"capacity": 3}), NOW).refused("over-capacity")
    given(PARTICIPATION, executive).when(two, NOW).refused("not-on-this-side")
    given(PARTICIPATION, mentor, left).when(two, NOW).refused("not-enrolled")


def test_a_revision_is_said_of_who_takes_part_only() -> None:
    revise = ReviseProfile(profile_rev=4, changed=(ProfileField.level, ProfileField.line))
    said = ProfileRevised(program=PR, person=ADA, profile_rev=4, changed=[ProfileField.level, ProfileField.line])
    given(PARTICIPATION, mentor).when(revise, NOW).then(said)
    given(PARTICIPATION, mentor, left).when(revise, NOW).then()
