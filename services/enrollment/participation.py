"""One person's part in a program: enrolled, ready, left. Facts in, facts out; no database, no clock, no broker."""

from __future__ import annotations

from datetime import datetime
from functools import singledispatch
from typing import Any, Literal

from pydantic import Field

from chassis.deciding.decider import Aggregate, Command, Refused, State, Unhandled
from contracts import enrollment
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
from contracts.types import Date, PauseId, PersonId, ProgramId, Side

MOST_PAUSES = 10
"""Pauses of one person that are not over, at a time."""


class Enrol(Command):
    """Take part on one side. `most` is the largest capacity the program's rules allow on that side."""

    program: ProgramId
    person: PersonId
    side: Side
    invited: bool
    capacity: int
    most: int
    profile_rev: int


class AcceptCharter(Command):
    """Agree to the charter. `current` is the version the program's rules name."""

    charter_version: int
    current: int


class DeclareAvailability(Command):
    """Say how much time one has; the windows themselves are in the profile at `profile_rev`."""

    profile_rev: int
    minutes_week: int
    longest_minutes: int


class DeclareCapacity(Command):
    """Say in how many pairs one wants to be on a side. `most` is what the program's rules allow there."""

    side: Side
    capacity: int
    most: int


class ReviseProfile(Command):
    """Something else holds of the person; it is in the profile at `profile_rev`."""

    profile_rev: int
    changed: tuple[ProfileField, ...]


class ArrangePause(Command):
    """Be away from `starts`, and back on `until` where that is known. `today` is where the person is."""

    pause: PauseId
    starts: Date
    until: Date | None
    today: Date


class CallOffPause(Command):
    """Not be away, or be back already."""

    pause: PauseId
    today: Date


class KeepPause(Command):
    """Say that a pause has begun, or is over, where its day has come."""

    pause: PauseId
    today: Date


class Pause(State):
    """One pause that is not over."""

    starts: Date
    until: Date | None
    begun: bool = False


class Withdraw(Command):
    """Leave. It needs nothing and no reason."""


class Participation(State):
    """How far one person has come, on which sides, with which capacity on each."""

    state: Literal["none", "enrolled", "left"] = "none"
    program: str = ""
    person: str = ""
    sides: dict[Side, int] = Field(default_factory=dict)
    charter_version: int = 0
    declared: bool = False
    pauses: dict[str, Pause] = Field(default_factory=dict)
    over: tuple[str, ...] = ()
    """The pauses that are over, or were called off."""


@singledispatch
def decide(command: Command, participation: Participation, now: datetime) -> list[Fact]:
    raise Unhandled(type(command).__name__)


@decide.register
def _(command: Enrol, participation: Participation, now: datetime) -> list[Fact]:
    if participation.state == "left":
        raise Refused("left", "you have left this program; a coordinator can invite you to the next one")
    if command.side in participation.sides:
        return []
    if not command.invited:
        raise Refused("not-invited", f"accept an invitation as {command.side} first", pointer="/side")
    if not 1 <= command.capacity <= command.most:
        raise Refused("over-capacity", f"this program allows at most {command.most} at a time", pointer="/capacity")
    enrolled = MentorEnrolled if command.side is Side.mentor else ExecutiveEnrolled
    return [enrolled(**command.model_dump(include={"program", "person", "profile_rev", "capacity"}))]


@decide.register
def _(command: AcceptCharter, participation: Participation, now: datetime) -> list[Fact]:
    _must_be_enrolled(participation)
    if command.charter_version != command.current:
        raise Refused(
            "other-charter",
            f"the charter in force is version {command.current}; read it and accept that one",
            pointer="/charter_version",
        )
    if participation.charter_version == command.charter_version:
        return []
    return [
        CharterAccepted(
            program=participation.program, person=participation.person, charter_version=command.charter_version
        )
    ]


@decide.register
def _(command: DeclareAvailability, participation: Participation, now: datetime) -> list[Fact]:
    _must_be_enrolled(participation)
    return [AvailabilityDeclared(program=participation.program, person=participation.person, **dict(command))]


@decide.register
def _(command: Withdraw, participation: Participation, now: datetime) -> list[Fact]:
    if participation.state != "enrolled":
        return []
    return [ParticipantWithdrawn(program=participation.program, person=participation.person, effective=now.date())]


@decide.register
def _(command: DeclareCapacity, participation: Participation, now: datetime) -> list[Fact]:
    _must_be_enrolled(participation)
    if command.side not in participation.sides:
        raise Refused("not-on-this-side", f"you do not take part as {command.side}; enrol first", pointer="/side")
    if not 1 <= command.capacity <= command.most:
        raise Refused("over-capacity", f"this program allows at most {command.most} at a time", pointer="/capacity")
    if participation.sides[command.side] == command.capacity:
        return []
    return [CapacityDeclared(**_who(participation), **command.model_dump(include={"side", "capacity"}))]


@decide.register
def _(command: ReviseProfile, participation: Participation, now: datetime) -> list[Fact]:
    if participation.state != "enrolled":
        return []
    return [ProfileRevised(**_who(participation), profile_rev=command.profile_rev, changed=list(command.changed))]


@decide.register
def _(command: ArrangePause, participation: Participation, now: datetime) -> list[Fact]:
    _must_be_enrolled(participation)
    if command.pause in participation.pauses:
        return []
    if command.starts < command.today:
        raise Refused("in-the-past", "a pause begins today at the earliest", pointer="/starts")
    if command.until is not None and command.until <= command.starts:
        raise Refused("no-time", "you are back on a day after the one it begins on", pointer="/until")
    if len(participation.pauses) >= MOST_PAUSES:
        raise Refused("too-many", f"{MOST_PAUSES} pauses are arranged already; call one of them off")
    whose = {**_who(participation), "pause": command.pause, "until": command.until}
    arranged = PauseArranged(starts=command.starts, **whose)
    return [arranged, ParticipationPaused(**whose)] if command.starts == command.today else [arranged]


@decide.register
def _(command: CallOffPause, participation: Participation, now: datetime) -> list[Fact]:
    pause = participation.pauses.get(command.pause)
    if pause is None:
        return []
    which = {**_who(participation), "pause": command.pause}
    over = ParticipationResumed(**which, effective=command.today)
    return [PauseCalledOff(**which), over] if pause.begun else [PauseCalledOff(**which)]


@decide.register
def _(command: KeepPause, participation: Participation, now: datetime) -> list[Fact]:
    pause = participation.pauses.get(command.pause)
    if pause is None or participation.state != "enrolled" or command.today < pause.starts:
        return []
    which = {**_who(participation), "pause": command.pause}
    said: list[Fact] = [] if pause.begun else [ParticipationPaused(**which, until=pause.until)]
    if pause.until is not None and command.today >= pause.until:
        said.append(ParticipationResumed(**which, effective=pause.until))
    return said


def _who(participation: Participation) -> dict[str, Any]:
    return {"program": participation.program, "person": participation.person}


def _must_be_enrolled(participation: Participation) -> None:
    if participation.state != "enrolled":
        raise Refused("not-enrolled", "you do not take part in this program; enrol first")


def evolve(participation: Participation, fact: Fact) -> Participation:
    match fact:
        case MentorEnrolled() | ExecutiveEnrolled():
            side = Side.mentor if isinstance(fact, MentorEnrolled) else Side.executive
            return participation.model_copy(
                update={
                    "state": "enrolled",
                    "program": fact.program,
                    "person": fact.person,
                    "sides": {**participation.sides, side: fact.capacity},
                }
            )
        case CharterAccepted():
            return participation.model_copy(update={"charter_version": fact.charter_version})
        case AvailabilityDeclared():
            return participation.model_copy(update={"declared": True})
        case CapacityDeclared():
            return participation.model_copy(update={"sides": {**participation.sides, fact.side: fact.capacity}})
        case PauseArranged():
            return _with_pause(participation, fact.pause, Pause(starts=fact.starts, until=fact.until))
        case ParticipationPaused():
            pause = participation.pauses[fact.pause]
            return _with_pause(participation, fact.pause, pause.model_copy(update={"begun": True}))
        case ParticipationResumed():
            return _with_pause(participation, fact.pause, None)
        case PauseCalledOff():
            pause = participation.pauses[fact.pause]
            return participation if pause.begun else _with_pause(participation, fact.pause, None)
        case ParticipantWithdrawn():
            return participation.model_copy(update={"state": "left"})
    return participation


def _with_pause(participation: Participation, id: str, pause: Pause | None) -> Participation:
    pauses = {k: v for k, v in participation.pauses.items() if k != id} | ({id: pause} if pause else {})
    over = participation.over if pause else (*participation.over, id)
    return participation.model_copy(update={"pauses": pauses, "over": over})


PARTICIPATION = Aggregate(enrollment.PARTICIPATION, Participation(), decide, evolve)
