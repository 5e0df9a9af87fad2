"""What matching does on a fact: opens and closes seats, solves rounds, asks for consent, ends pairs."""

from __future__ import annotations

from datetime import datetime

from chassis.deciding.decider import On
from chassis.receiving.tasks import Task, Tasks, Work
from chassis.running.settings import Role
from contracts.enrollment import ErasureRequested, ExecutiveEnrolled, MentorEnrolled, ParticipantWithdrawn
from contracts.matching import (
    ConsentAsked,
    DeclineCause,
    ProposalReviewed,
    ReleaseCause,
    RoundAbandoned,
    RoundOpened,
    RoundPublished,
    SolutionOrdered,
    Verdict,
)
from contracts.scheduling import JourneyCompleted
from contracts.types import Side
from services.matching.erasure import erase
from services.matching.forming import release
from services.matching.pair import PAIR
from services.matching.proposal import PROPOSAL, REPLACED, CloseProposal, LapseConsent
from services.matching.publishing import ask_consent
from services.matching.queueing import leave_over
from services.matching.seat import SEAT, SetSeats, seat_stream
from services.matching.solving import CHUNK, solve
from services.matching.views import PARTICIPATIONS, PROPOSALS


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


async def solve_opened(fact: RoundOpened, work: Work) -> None:
    await solve(fact.round, work)


async def solve_ordered(fact: SolutionOrdered, work: Work) -> None:
    await solve(fact.round, work)


async def solve_reviewed(fact: ProposalReviewed, work: Work) -> None:
    """The round goes on without what was turned down, and around what was locked."""
    await solve(_round(fact), work)


def _round(fact: RoundOpened | SolutionOrdered | ProposalReviewed) -> str:
    return fact.round or ""


def _changes_result(fact: ProposalReviewed) -> bool:
    return fact.round is not None and fact.verdict in (*REPLACED, Verdict.locked)


async def close_abandoned(fact: RoundAbandoned, work: Work) -> None:
    """What nobody was asked about comes to nothing. Nobody solves the round any more: nothing is added meanwhile."""
    close = CloseProposal(cause=DeclineCause.superseded)
    streams = [s for s, p in await work.scan(PROPOSAL, work.scope) if p.round == fact.round and p.state == "proposed"]
    for start in range(0, len(streams), CHUNK):
        some = [On(PROPOSAL, stream, close) for stream in streams[start : start + CHUNK]]
        await work.run(*some, step=f"{some[0].stream} {len(some)}")


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
        Task("solve", RoundOpened, solve_opened, key=_round, queue="solve", role=Role.solver),
        Task("solve freely", SolutionOrdered, solve_ordered, key=_round, queue="solve", role=Role.solver),
        Task(
            "solve again",
            ProposalReviewed,
            solve_reviewed,
            when=_changes_result,
            key=_round,
            queue="solve",
            role=Role.solver,
        ),
        Task("leave over", RoundPublished, leave_over),
        Task("close abandoned", RoundAbandoned, close_abandoned),
        Task("ask consent", RoundPublished, ask_consent),
        Task("let lapse", ConsentAsked, let_lapse, due=_lapses, key=lambda fact: f"{fact.proposal}/{fact.side.value}"),
        Task("complete", JourneyCompleted, complete),
        Task("erase", ErasureRequested, erase),
    ]
)
