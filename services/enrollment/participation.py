"""One person's part in a program: enrolled, ready, left. Facts in, facts out; no database, no clock, no broker."""

from __future__ import annotations

from datetime import datetime
from functools import singledispatch
from typing import Literal

from pydantic import Field

from chassis.deciding.decider import Aggregate, Command, Refused, State, Unhandled
from contracts import enrollment
from contracts.enrollment import (
    AvailabilityDeclared,
    CharterAccepted,
    ExecutiveEnrolled,
    MentorEnrolled,
    ParticipantWithdrawn,
)
from contracts.fact import Fact
from contracts.types import PersonId, ProgramId, Side


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
        case ParticipantWithdrawn():
            return participation.model_copy(update={"state": "left"})
    return participation


PARTICIPATION = Aggregate(enrollment.PARTICIPATION, Participation(), decide, evolve)
