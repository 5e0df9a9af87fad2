"""What matching does on a fact: solves rounds, asks for consent, ends pairs, and what people call for."""

from __future__ import annotations

from datetime import datetime, timedelta

from chassis.deciding.decider import On
from chassis.receiving.tasks import NotYet, Task, Tasks, Work
from chassis.running.settings import Role
from contracts.enrollment import ErasureRequested
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
from services.matching import people
from services.matching.asking import stood_still_of
from services.matching.erasure import erase
from services.matching.forming import proposals_of, release
from services.matching.pair import PAIR
from services.matching.proposal import PROPOSAL, REPLACED, CloseProposal, LapseConsent
from services.matching.publishing import ask_consent
from services.matching.queueing import leave_over
from services.matching.solving import CHUNK, solve
from services.matching.views import PROPOSALS


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
    streams = [s for s, p in await proposals_of(work, work.scope, fact.round) if p.state == "proposed"]
    for start in range(0, len(streams), CHUNK):
        some = [On(PROPOSAL, stream, close) for stream in streams[start : start + CHUNK]]
        await work.run(*some, step=f"{some[0].stream} {len(some)}")


async def let_lapse(fact: ConsentAsked, work: Work) -> None:
    """Once the time is over, of which none passes while one of the two is away."""
    row = await work.views.get(PROPOSALS, PROPOSAL.stream(work.scope, fact.proposal))
    lapses = fact.lapses + (await stood_still_of(work.views, row, work.now()) if row else timedelta())
    if work.now() < lapses:
        raise NotYet(lapses)
    await work.run(On(PROPOSAL, PROPOSAL.stream(work.scope, fact.proposal), LapseConsent(side=fact.side)))


async def complete(fact: JourneyCompleted, work: Work) -> None:
    state, _ = await work.read(PAIR, PAIR.stream(work.scope, fact.pair))
    await work.run(*release(state, ReleaseCause.completed), step=fact.pair)


def _lapses(fact: ConsentAsked, at: datetime) -> datetime:
    return fact.lapses


TASKS = Tasks(
    [
        *people.TASKS,
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
