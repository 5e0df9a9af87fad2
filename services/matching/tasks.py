"""What matching does on a fact: opens and closes seats, solves rounds, asks for consent, ends pairs."""

from __future__ import annotations

import asyncio
import time
from datetime import datetime

from chassis.deciding.decider import On
from chassis.receiving.tasks import Task, Tasks, Work
from contracts.enrollment import ErasureRequested, ExecutiveEnrolled, MentorEnrolled, ParticipantWithdrawn
from contracts.matching import ConsentAsked, DeclineCause, ReleaseCause, RoundOpened, RoundPublished
from contracts.scheduling import JourneyCompleted
from contracts.types import Side
from services.matching.cohort import Cohort
from services.matching.erasure import RESULT, erase
from services.matching.forming import proposal_id, release
from services.matching.freezing import INPUT
from services.matching.pair import PAIR
from services.matching.placing import Placement, place
from services.matching.proposal import PROPOSAL, CloseProposal, LapseConsent, Propose
from services.matching.publishing import ask_consent
from services.matching.round import ROUND, RecordSolution
from services.matching.seat import SEAT, SetSeats, seat_stream
from services.matching.views import PARTICIPATIONS, PROPOSALS

CHUNK = 50
"""Proposals written in one transaction."""


class Result(Placement):
    """A placement, and how long it took to compute."""

    millis: int


async def open_mentor_seats(fact: MentorEnrolled, work: Work) -> None:
    await _set_seats(work, fact.person, Side.mentor)


async def open_executive_seats(fact: ExecutiveEnrolled, work: Work) -> None:
    await _set_seats(work, fact.person, Side.executive)


async def let_go(fact: ParticipantWithdrawn, work: Work) -> None:
    """First no seat is left, so that no pair can form any more; then the living pairs and the open proposals end."""
    for side in (Side.mentor, Side.executive):
        await _set_seats(work, fact.person, side)
        seats, _ = await work.read(SEAT, seat_stream(work.scope, fact.person, side))
        for pair in seats.taken:
            await _release(work, pair, ReleaseCause.ended, leaver=fact.person)
        for found in await work.views.find(PROPOSALS, work.scope, {side.value: fact.person}):
            await work.run(On(PROPOSAL, found.stream, CloseProposal(cause=DeclineCause.ineligible)), step=found.stream)


async def _set_seats(work: Work, person: str, side: Side) -> None:
    """Bring the seats in line with the participation as it is now, not as one fact of it said: several facts of one
    stream may be worked on at a time. Where the seats change meanwhile, the task is tried again."""
    stream = seat_stream(work.scope, person, side)
    seats, version = await work.read(SEAT, stream)
    row = await work.views.get(PARTICIPATIONS, PARTICIPATIONS.category.stream(work.scope, person))
    if row is not None and side in row.capacity and row.seats(side) != seats.capacity:
        command = SetSeats(program=work.scope, person=person, side=side, capacity=row.seats(side))
        await work.run(On(SEAT, stream, command, expect=version), step=stream)


async def solve(fact: RoundOpened, work: Work) -> None:
    """Solve once and keep the result, then write the proposals; a second try goes on where the first one stopped."""
    cohort = Cohort.model_validate(await work.documents.get(INPUT, work.scope, fact.round))
    kept = await work.documents.get(RESULT, work.scope, fact.round)
    if kept is not None:
        result = Result.model_validate(kept)
    else:
        began = time.perf_counter()
        placement = await asyncio.to_thread(place, cohort)
        result = Result(**dict(placement), millis=int((time.perf_counter() - began) * 1000))
        await work.documents.save(RESULT, work.scope, fact.round, result.model_dump(mode="json"))
    proposals = _proposals(fact.round, cohort, result)
    for start in range(0, len(proposals), CHUNK):
        await work.run(*proposals[start : start + CHUNK], step=f"propose {start}")
    solution = RecordSolution(
        proposed=len(result.placed),
        unplaced_mentors=sum(u.side is Side.mentor for u in result.unplaced),
        unplaced_executives=sum(u.side is Side.executive for u in result.unplaced),
        total=result.total,
        optimal=result.optimal,
        certificate=result.certificate,
        millis=result.millis,
    )
    await work.run(On(ROUND, ROUND.stream(work.scope, fact.round), solution), step="solved")


def _proposals(round: str, cohort: Cohort, result: Placement) -> list[On]:
    after = {c.person: c.after for c in (*cohort.mentors, *cohort.executives)}
    made = []
    for placed in result.placed:
        if placed.mentor not in after or placed.executive not in after:
            continue  # erased meanwhile
        proposal = proposal_id(round, placed.mentor, placed.executive)
        command = Propose(
            program=cohort.program,
            proposal=proposal,
            round=round,
            rules_version=cohort.rules_version,
            after=[after[placed.mentor], after[placed.executive]],
            **dict(placed),
        )
        made.append(On(PROPOSAL, PROPOSAL.stream(cohort.program, proposal), command))
    return made


async def let_lapse(fact: ConsentAsked, work: Work) -> None:
    await work.run(On(PROPOSAL, PROPOSAL.stream(work.scope, fact.proposal), LapseConsent(side=fact.side)))


async def complete(fact: JourneyCompleted, work: Work) -> None:
    await _release(work, fact.pair, ReleaseCause.completed)


async def _release(work: Work, pair: str, cause: ReleaseCause, leaver: str | None = None) -> None:
    state, _ = await work.read(PAIR, PAIR.stream(work.scope, pair))
    await work.run(*release(state, cause, leaver=leaver), step=pair)


def _lapses(fact: ConsentAsked, at: datetime) -> datetime:
    return fact.lapses


TASKS = Tasks(
    [
        Task("open mentor seats", MentorEnrolled, open_mentor_seats),
        Task("open executive seats", ExecutiveEnrolled, open_executive_seats),
        Task("let go", ParticipantWithdrawn, let_go),
        Task("solve", RoundOpened, solve),
        Task("ask consent", RoundPublished, ask_consent),
        Task("let lapse", ConsentAsked, let_lapse, due=_lapses, key=lambda fact: f"{fact.proposal}/{fact.side.value}"),
        Task("complete", JourneyCompleted, complete),
        Task("erase", ErasureRequested, erase),
    ]
)
