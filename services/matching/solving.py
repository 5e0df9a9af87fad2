"""Solving a round, for the first time and again: what is kept stays, the rest becomes the best there is, and proven.

Each try looks at how the round is now, so it does not matter which fact called for it, how many did, and where the try
before it died. It writes nothing that the claim of another could miss.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

from chassis.deciding.commands import Conflict, Stale
from chassis.deciding.decider import On
from chassis.receiving.tasks import NotYet, Work
from contracts.matching import DeclineCause, PairDeclined, PairProposed, Verdict
from contracts.types import Side
from services.matching.barring import Said, barred
from services.matching.claim import Claim, Lost
from services.matching.cohort import Cohort
from services.matching.erasure import RESULT
from services.matching.forming import proposal_id
from services.matching.freezing import INPUT
from services.matching.keeping import puts, whole
from services.matching.pair import PAIR
from services.matching.placing import Pair, Placement, Revision, Stopped, place
from services.matching.proposal import PROPOSAL, CloseProposal, Proposal, Propose
from services.matching.round import ROUND, RecordSolution, Round
from services.matching.seat import SEAT
from services.matching.views import PARTICIPATIONS

CHUNK = 250
"""Proposals written in one transaction."""
TELL_SECONDS = 0.25


class Result(Placement):
    """A placement, and how long it took to compute."""

    millis: int


class Found(NamedTuple):
    """A round's proposals: those that stand, by pair, and the pairs that were turned down; and those of no round or of
    others."""

    standing: dict[Pair, tuple[str, Proposal]]
    apart: set[Pair]
    others: list[Proposal]


async def solve(round: str, work: Work) -> None:
    """Bring a round up to date with what its coordinator wants. Nothing is said where it is."""
    claim = await Claim.take(work, round)
    state, version = await work.read(ROUND, ROUND.stream(work.scope, round))
    found = await _found(work, round)
    kept = await whole(work, RESULT, work.scope, round)
    if not _called_for(state, found, kept):
        await claim.give_back()
        return
    try:
        await _solve(claim, round, state, version, found, work)
    except (Lost, Stopped, Conflict, Stale):
        raise NotYet from None  # somebody else decided something meanwhile: look again


def _called_for(state: Round, found: Found, kept: dict[str, Any] | None) -> bool:
    if state.state != "solved" or kept is None:
        return state.state == "opened"
    result = Placement.model_validate(kept)
    known = {(p.mentor, p.executive) for p in result.placed}
    return state.ordered or not found.apart <= set(result.revision.apart) or not found.standing.keys() <= known


async def _found(work: Work, round: str) -> Found:
    found = Found({}, set(), [])
    for stream, proposal in await work.scan(PROPOSAL, work.scope):
        pair = proposal.mentor, proposal.executive
        if proposal.round != round:
            found.others.append(proposal)
        elif proposal.standing:
            found.standing[pair] = stream, proposal
        elif not proposal.fell_out:
            found.apart.add(pair)
    return found


async def _solve(claim: Claim, round: str, state: Round, version: int, found: Found, work: Work) -> None:
    cohort = Cohort.model_validate(await whole(work, INPUT, work.scope, round))
    revision = await _revision(cohort, state, found, work)
    began = time.perf_counter()
    placement = await _placed(claim, partial(place, cohort, revision), work)
    result = Result(**dict(placement), millis=int((time.perf_counter() - began) * 1000))
    await _write(claim, _changes(round, cohort, result, found), work)
    solution = RecordSolution(
        proposed=len(result.placed),
        unplaced_mentors=sum(u.side is Side.mentor for u in result.unplaced),
        unplaced_executives=sum(u.side is Side.executive for u in result.unplaced),
        total=result.total,
        optimal=result.optimal,
        certificate=result.certificate,
        millis=result.millis,
    )
    kept = await puts(work, RESULT, work.scope, round, result.model_dump(mode="json"))
    on = On(ROUND, ROUND.stream(work.scope, round), solution, expect=version)
    await work.run(on, step=claim.step("solved"), also=[*kept, claim.ends()])


async def _revision(cohort: Cohort, state: Round, found: Found, work: Work) -> Revision:
    """What the answer must contain, and what it must not: all that stands, or where the coordinator wants the round
    solved freely, what is locked or has been asked about. What stands does so whoever excludes whom meanwhile: that it
    fell out would tell it."""
    left = {f.row.person for f in await work.views.find(PARTICIPATIONS, work.scope, {"left": True})}
    free = state.state == "opened" or state.ordered
    keep = [
        proposal
        for _, proposal in found.standing.values()
        if not free or proposal.verdict is Verdict.locked or proposal.state != "proposed"
    ]
    seats = Counter({(Side.mentor, c.person): c.seats for c in cohort.mentors if c.person not in left})
    seats |= Counter({(Side.executive, c.person): c.seats for c in cohort.executives if c.person not in left})
    locked = []
    for proposal in sorted(keep, key=_weight):
        ends = [(side, proposal.person(side)) for side in (Side.mentor, Side.executive)]
        if all(seats[end] > 0 for end in ends):
            seats.subtract(ends)
            locked.append((proposal.mentor, proposal.executive))
    gone = left & {c.person for c in (*cohort.mentors, *cohort.executives)}
    since = await _barred(cohort, found, work) - {*cohort.barred, *found.apart, *locked}
    return Revision(locked=sorted(locked), apart=sorted(found.apart), gone=sorted(gone), barred=sorted(since))


async def _barred(cohort: Cohort, found: Found, work: Work) -> set[Pair]:
    """Who is kept apart by now, of the people of the round: as when it was opened, with what was said since."""
    pairs = [pair for _, pair in await work.scan(PAIR, work.scope)]
    said = Said(pairs, found.others, await work.scan(SEAT, work.scope))
    return set(await barred(work, cohort.rules, said, cohort.mentors, cohort.executives))


def _weight(proposal: Proposal) -> tuple[bool, bool, bool, int, str]:
    """Who has fewer seats than pairs keeps those who were asked, then the locked, the approved, the best."""
    asked, verdict = proposal.state != "proposed", proposal.verdict
    return not asked, verdict is not Verdict.locked, verdict is None, -proposal.score, proposal.proposal


async def _placed(claim: Claim, compute: Callable[..., Placement], work: Work) -> Placement:
    """Compute in a thread, tell how far it is, and stop soon where the claim is lost."""
    stop = threading.Event()

    def heard(phase: str, done: int) -> None:
        if stop.is_set():
            raise Stopped
        claim.phase, claim.done = phase, done

    claim.phase = "solving"
    computing = asyncio.create_task(asyncio.to_thread(compute, heard=heard))
    try:
        while not computing.done():
            await claim.tell()
            work.tell(claim.done)
            await asyncio.wait({computing}, timeout=TELL_SECONDS)
        return await computing
    finally:
        stop.set()


def _changes(round: str, cohort: Cohort, result: Placement, found: Found) -> list[On]:
    """What falls out is closed first, so that nobody ever has more proposals than seats."""
    placed = {(p.mentor, p.executive): p for p in result.placed}
    made = []
    for pair, (stream, old) in found.standing.items():
        if pair not in placed and old.state == "proposed":
            unless_locked = old.verdict is not Verdict.locked
            close = CloseProposal(cause=DeclineCause.superseded, unless_locked=unless_locked)
            made.append(On(PROPOSAL, stream, close))
    after = {c.person: c.after for c in (*cohort.mentors, *cohort.executives)}
    for pair, new in placed.items():
        if pair not in found.standing:
            proposal = proposal_id(round, *pair)
            command = Propose(
                program=cohort.program,
                proposal=proposal,
                round=round,
                rules_version=cohort.rules_version,
                after=[after[person] for person in pair],
                **dict(new),
            )
            made.append(On(PROPOSAL, PROPOSAL.stream(cohort.program, proposal), command))
    return made


async def _write(claim: Claim, changes: Sequence[On], work: Work) -> None:
    claim.phase, claim.done, claim.total = "writing", 0, len(changes)
    for start in range(0, len(changes), CHUNK):
        some = changes[start : start + CHUNK]
        outcome = await work.run(*some, step=claim.step(start), also=[claim.holds(start + len(some))])
        if sum(isinstance(f, PairDeclined | PairProposed) for f in outcome.facts) < len(some):
            raise Conflict("something was locked, or came back, meanwhile")
