"""What matching does when people come, change, are away or leave: their seats, their pairs, their proposals."""

from __future__ import annotations

from typing import Any

from chassis.deciding.decider import On
from chassis.receiving.tasks import Task, Work
from contracts.enrollment import (
    AvailabilityDeclared,
    CapacityDeclared,
    ExecutiveEnrolled,
    MentorEnrolled,
    ParticipantWithdrawn,
    ParticipationPaused,
    ParticipationResumed,
    ProfileRevised,
)
from contracts.matching import DeclineCause, PairFormed, ReleaseCause
from contracts.types import Side
from services.matching.away import Away, expected_back, going_on
from services.matching.checking import look_at
from services.matching.forming import release
from services.matching.pair import PAIR, PausePair, ResumePair
from services.matching.proposal import PROPOSAL, CloseProposal
from services.matching.seat import SEAT, SetSeats, seat_stream
from services.matching.views import PARTICIPATIONS, PROPOSALS, ParticipationRow

SIDES = (Side.mentor, Side.executive)


async def open_mentor_seats(fact: MentorEnrolled, work: Work) -> None:
    await _set_seats(work, fact.person, Side.mentor)


async def open_executive_seats(fact: ExecutiveEnrolled, work: Work) -> None:
    await _set_seats(work, fact.person, Side.executive)


async def change_seats(fact: CapacityDeclared, work: Work) -> None:
    """More or fewer seats; fewer than are taken end no pair."""
    await _set_seats(work, fact.person, fact.side)


async def let_go(fact: ParticipantWithdrawn, work: Work) -> None:
    """First no seat is left, so that no pair can form any more; then the living pairs and the open proposals end."""
    for side in SIDES:
        await _set_seats(work, fact.person, side)
        for pair in await _pairs(work, fact.person, side):
            state, _ = await work.read(PAIR, PAIR.stream(work.scope, pair))
            await work.run(*release(state, ReleaseCause.ended, leaver=fact.person), step=pair)
        for found in await work.views.find(PROPOSALS, work.scope, {side.value: fact.person}):
            await work.run(On(PROPOSAL, found.stream, CloseProposal(cause=DeclineCause.ineligible)), step=found.stream)


async def keep_pause(fact: ParticipationPaused | ParticipationResumed, work: Work) -> None:
    """First no seat can be taken, or can again; then the living pairs stand still, or go on."""
    for side in SIDES:
        await _set_seats(work, fact.person, side)
        for pair in await _pairs(work, fact.person, side):
            await _stand_still(work, pair)


async def check_pairs(fact: ProfileRevised | AvailabilityDeclared, work: Work) -> None:
    """Something holds of a person that did not when their pairs formed."""
    for side in SIDES:
        for pair in await _pairs(work, fact.person, side):
            await look_at(work, pair, {fact.person: fact.profile_rev})


async def check_new_pair(fact: PairFormed, work: Work) -> None:
    """Something may have changed since the round, or a coordinator may have wanted the two."""
    await look_at(work, fact.pair, {fact.mentor: fact.mentor_rev, fact.executive: fact.executive_rev})


async def _pairs(work: Work, person: str, side: Side) -> tuple[str, ...]:
    """The living pairs of somebody."""
    seats, _ = await work.read(SEAT, seat_stream(work.scope, person, side))
    return seats.taken


async def _stand_still(work: Work, pair: str) -> None:
    """Bring a pair in line with both of its people as they are now: whoever is back last lets it go on."""
    stream = PAIR.stream(work.scope, pair)
    state, version = await work.read(PAIR, stream)
    pauses: list[Away] = []
    for person in (state.mentor, state.executive):
        row = await _participation(work, person)
        pauses += row.pauses.values() if row else ()
    away = going_on(pauses)
    command = PausePair(until=expected_back(away)) if away else ResumePair()
    await work.run(On(PAIR, stream, command, expect=version), step=pair)


async def _set_seats(work: Work, person: str, side: Side) -> None:
    """Bring the seats in line with the participation as it is now, not as one fact of it said: several facts of one
    stream may be worked on at a time. Where the seats change meanwhile, the task is tried again."""
    stream = seat_stream(work.scope, person, side)
    seats, version = await work.read(SEAT, stream)
    row = await _participation(work, person)
    if row is None or side not in row.capacity:
        return
    capacity, paused = row.seats(side), row.away
    if (capacity, paused) != (seats.capacity, seats.paused):
        command = SetSeats(program=work.scope, person=person, side=side, capacity=capacity, paused=paused)
        await work.run(On(SEAT, stream, command, expect=version), step=stream)


async def _participation(work: Work, person: str) -> ParticipationRow | None:
    return await work.views.get(PARTICIPATIONS, PARTICIPATIONS.category.stream(work.scope, person))


TASKS: list[Task[Any]] = [
    Task("open mentor seats", MentorEnrolled, open_mentor_seats),
    Task("open executive seats", ExecutiveEnrolled, open_executive_seats),
    Task("change seats", CapacityDeclared, change_seats),
    Task("let go", ParticipantWithdrawn, let_go),
    Task("pause", ParticipationPaused, keep_pause),
    Task("resume", ParticipationResumed, keep_pause),
    Task("check profile", ProfileRevised, check_pairs),
    Task("check windows", AvailabilityDeclared, check_pairs),
    Task("check pair", PairFormed, check_new_pair),
]
