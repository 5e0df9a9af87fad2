"""The seats of one person on one side: every pair that forms or ends writes here, so no race can overrun them."""

from __future__ import annotations

from datetime import datetime
from functools import singledispatch
from typing import Any

from chassis.deciding.decider import Aggregate, Command, Refused, State
from contracts.fact import Fact
from contracts.matching import SEAT as CATEGORY
from contracts.matching import SeatFreed, SeatsSet, SeatTaken
from contracts.types import Side


class SetSeats(Command):
    """Say how many living pairs a person may be in; 0 lets no new pair form, and ends none."""

    program: str
    person: str
    side: Side
    capacity: int


class TakeSeat(Command):
    """Take a seat for a pair that forms."""

    pair: str


class FreeSeat(Command):
    """Free the seat of a pair that ends."""

    pair: str


class Seats(State):
    """How many seats a person has, and the living pairs that have taken one. No capacity: never said."""

    program: str = ""
    person: str = ""
    side: Side | None = None
    capacity: int | None = None
    taken: tuple[str, ...] = ()

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
    return [] if seats.capacity == command.capacity else [SeatsSet(**command.model_dump())]


@decide.register
def _(command: TakeSeat, seats: Seats, now: datetime) -> list[Fact]:
    if command.pair in seats.taken:
        return []
    if not seats.capacity:
        raise Refused("ineligible", "one of the two does not take part any more")
    if not seats.left:
        raise Refused("seat-taken", "one of the two has no seat left")
    return [SeatTaken(program=seats.program, person=seats.person, pair=command.pair)]


@decide.register
def _(command: FreeSeat, seats: Seats, now: datetime) -> list[Fact]:
    if command.pair not in seats.taken:
        return []
    return [SeatFreed(program=seats.program, person=seats.person, pair=command.pair)]


def evolve(seats: Seats, fact: Fact) -> Seats:
    """The seats after one more fact."""
    match fact:
        case SeatsSet():
            return seats.model_copy(update={k: getattr(fact, k) for k in ("program", "person", "side", "capacity")})
        case SeatTaken():
            return seats.model_copy(update={"taken": (*seats.taken, fact.pair)})
        case SeatFreed():
            return seats.model_copy(update={"taken": tuple(p for p in seats.taken if p != fact.pair)})
    return seats


SEAT = Aggregate(CATEGORY, Seats(), decide, evolve)


def seat_stream(program: str, person: str, side: Side) -> str:
    """The stream of one person's seats on one side; who takes part on both sides has seats on each."""
    return SEAT.stream(program, f"{person}_{side.value}")
