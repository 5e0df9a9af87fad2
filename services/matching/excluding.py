"""Exclusions: with whom somebody does not want to be paired, which nobody else may ever learn.

They live where seats do. Whatever forms a pair writes the seats of both, so none forms once an exclusion is accepted.
A proposal that is made in spite of one (the round had begun, somebody asked) is not shown to who excludes, and lapses:
to everybody else they have not answered.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from chassis.deciding.decider import Aggregate, On, S
from chassis.receiving.tasks import Work
from chassis.receiving.views import Views
from contracts.matching import DeclineCause
from contracts.streams import parts
from contracts.types import Side
from services.matching.proposal import PROPOSAL, CloseProposal
from services.matching.seat import SEAT, Exclude, LiftExclusion, Seats, seat_stream
from services.matching.views import PROPOSALS

SIDES = (Side.mentor, Side.executive)


class Reading(Protocol):
    """What a request and a task have in common: streams as they are, and views."""

    @property
    def views(self) -> Views: ...

    async def read(self, aggregate: Aggregate[S], stream: str) -> tuple[S, int]: ...


async def exclude(reading: Reading, program: str, person: str, other: str) -> tuple[On, ...]:
    """`person` is never paired with `other`, on either side; what they have been asked about each other ends as if one
    of the two had said no."""
    command = Exclude(program=program, person=person, other=other)
    asked = [s for s in await _between(reading, program, person, other) if await _asked(reading, s)]
    close = CloseProposal(cause=DeclineCause.declined)
    return (
        *(On(SEAT, seat_stream(program, person, side), command) for side in SIDES),
        *(On(PROPOSAL, stream, close) for stream in asked),
    )


def lift(program: str, person: str, other: str) -> tuple[On, ...]:
    """`person` may be paired with `other` again. What ended meanwhile stays so."""
    return tuple(On(SEAT, seat_stream(program, person, side), LiftExclusion(other=other)) for side in SIDES)


async def excluded_by(reading: Reading, program: str, person: str) -> tuple[str, ...]:
    """Whom somebody excludes; it is the same on both sides."""
    seats, _ = await reading.read(SEAT, seat_stream(program, person, Side.mentor))
    return seats.excluded


def kept_apart(seats: Iterable[tuple[str, Seats]]) -> set[tuple[str, str]]:
    """The pairs (mentor, executive) of whom one excludes the other, from the streams of seats."""
    found = set()
    for stream, of in seats:
        mentors = parts(stream)[2].endswith(f"_{Side.mentor.value}")
        found |= {(of.person, other) if mentors else (other, of.person) for other in of.excluded}
    return found


async def forget(work: Work, program: str, person: str) -> None:
    """Lift every exclusion by somebody or of them."""
    for stream, seats in await work.scan(SEAT, program):
        for other in seats.excluded:
            if person in (seats.person, other):
                await work.run(On(SEAT, stream, LiftExclusion(other=other)), step=f"{stream} {other}")


async def _between(reading: Reading, program: str, one: str, other: str) -> list[str]:
    """The streams of the proposals about two people."""
    pairs = ((one, other), (other, one))
    found = [
        await reading.views.find(PROPOSALS, program, {"mentor": mentor, "executive": executive})
        for mentor, executive in pairs
    ]
    return [f.stream for side in found for f in side]


async def _asked(reading: Reading, stream: str) -> bool:
    state, _ = await reading.read(PROPOSAL, stream)
    return state.state == "asked"
