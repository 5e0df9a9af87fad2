"""The seats of one person on one side: every pair that forms or ends writes here, so no race can overrun them.

Whom the person does not want to meet is here too: a pair that forms meets it, however late it was said.
"""

from __future__ import annotations

from datetime import datetime
from functools import singledispatch
from typing import Any

from chassis.deciding.decider import Aggregate, Command, Refused, State
from contracts.fact import Fact
from contracts.matching import SEAT as CATEGORY
from contracts.matching import ExclusionLifted, LeftOver, PersonExcluded, PriorityGiven, SeatFreed, SeatsSet, SeatTaken
from contracts.types import Side


class SetSeats(Command):
    """Say how many living pairs a person may be in; 0 lets no new pair form, and ends none. Nor does one form while
    they are away (`paused`)."""

    program: str
    person: str
    side: Side
    capacity: int
    paused: bool = False


MOST_EXCLUDED = 200
"""People one person may exclude: more than anybody knows well enough."""


class TakeSeat(Command):
    """Take a seat for a pair that forms with `partner`."""

    pair: str
    partner: str


class FreeSeat(Command):
    """Free the seat of a pair that ends; `first` in the queue for another is who did not want that themselves."""

    pair: str
    first: bool = False


class LeaveOver(Command):
    """A round was published that had no partner for this person."""

    round: str


class Exclude(Command):
    """Never be paired with `other`."""

    program: str
    person: str
    other: str


class LiftExclusion(Command):
    """Take an exclusion back."""

    other: str


class Seats(State):
    """How many seats a person has, and the living pairs that have taken one. No capacity: never said.

    `excluded` are the people this one does not want to meet: for themselves and for the rules, and for nobody's eyes.
    `priority` says that they come first among equals when a round places them.
    """

    program: str = ""
    person: str = ""
    side: Side | None = None
    capacity: int | None = None
    paused: bool = False
    taken: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    priority: int = 0
    left_over: str = ""
    """The last round that had no partner for them."""

    @property
    def left(self) -> int:
        """Seats a new pair could take."""
        return max(0, (self.capacity or 0) - len(self.taken))


@singledispatch
def decide(command: Any, seats: Seats, now: datetime) -> list[Fact]:
    """Facts that follow from a command, or `Refused`."""
    raise TypeError(f"seats know no {type(command).__name__}")


@decide.register
def _(command: SetSeats, seats: Seats, now: datetime) -> list[Fact]:
    if (seats.capacity, seats.paused) == (command.capacity, command.paused):
        return []
    return [SeatsSet(**command.model_dump(exclude={"paused"}), paused=command.paused or None)]


@decide.register
def _(command: TakeSeat, seats: Seats, now: datetime) -> list[Fact]:
    if command.pair in seats.taken:
        return []
    if command.partner in seats.excluded:
        raise Refused("declined", "the proposal has come to nothing")  # as if one of the two had said no
    if not seats.capacity:
        raise Refused("ineligible", "one of the two does not take part any more")
    if seats.paused:
        raise Refused("paused", "one of the two is away; answer once they are back, the time to answer stands still")
    if not seats.left:
        raise Refused("seat-taken", "one of the two has no seat left")
    return [SeatTaken(program=seats.program, person=seats.person, pair=command.pair)]


@decide.register
def _(command: FreeSeat, seats: Seats, now: datetime) -> list[Fact]:
    if command.pair not in seats.taken:
        return []
    who = {"program": seats.program, "person": seats.person, "pair": command.pair}
    first = command.first and bool(seats.capacity)  # who has left waits for nobody
    return [SeatFreed(**who), PriorityGiven(**who)] if first else [SeatFreed(**who)]


@decide.register
def _(command: LeaveOver, seats: Seats, now: datetime) -> list[Fact]:
    if command.round == seats.left_over or not seats.left:
        return []
    return [LeftOver(program=seats.program, person=seats.person, round=command.round)]


@decide.register
def _(command: Exclude, seats: Seats, now: datetime) -> list[Fact]:
    if command.other == command.person:
        raise Refused("oneself", "you are never paired with yourself; name somebody else")
    if command.other in seats.excluded:
        return []
    if len(seats.excluded) >= MOST_EXCLUDED:
        raise Refused("too-many", f"you exclude {MOST_EXCLUDED} people already; lift one of these first")
    return [PersonExcluded(**command.model_dump())]


@decide.register
def _(command: LiftExclusion, seats: Seats, now: datetime) -> list[Fact]:
    if command.other not in seats.excluded:
        return []
    return [ExclusionLifted(program=seats.program, person=seats.person, other=command.other)]


def evolve(seats: Seats, fact: Fact) -> Seats:
    """The seats after one more fact."""
    match fact:
        case SeatsSet():
            said = {k: getattr(fact, k) for k in ("program", "person", "side", "capacity")}
            return seats.model_copy(update=said | {"paused": bool(fact.paused)})
        case SeatTaken():
            return seats.model_copy(update={"taken": (*seats.taken, fact.pair), "priority": 0})
        case SeatFreed():
            return seats.model_copy(update={"taken": tuple(p for p in seats.taken if p != fact.pair)})
        case PersonExcluded():
            who = {"program": fact.program, "person": fact.person}
            return seats.model_copy(update={"excluded": (*seats.excluded, fact.other)} | who)
        case ExclusionLifted():
            return seats.model_copy(update={"excluded": tuple(p for p in seats.excluded if p != fact.other)})
        case LeftOver():
            return seats.model_copy(update={"priority": seats.priority + 1, "left_over": fact.round})
        case PriorityGiven():
            return seats.model_copy(update={"priority": seats.priority + 1})
    return seats


SEAT = Aggregate(CATEGORY, Seats(), decide, evolve)


def seat_stream(program: str, person: str, side: Side) -> str:
    """The stream of one person's seats on one side; who takes part on both sides has seats on each."""
    return SEAT.stream(program, f"{person}_{side.value}")
