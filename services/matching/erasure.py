"""Erasing a person from matching: their profiles, exclusions, and their rows in what rounds were computed from."""

from __future__ import annotations

from typing import Any

from chassis.deciding.decider import On
from chassis.deciding.saying import Say, once
from chassis.receiving.tasks import Work
from contracts.enrollment import ErasureRequested
from contracts.matching import ERASURE, DeclineCause, ErasureConfirmedByMatching
from contracts.streams import ORG, parts
from services.matching.claim import take_from_all
from services.matching.excluding import forget
from services.matching.freezing import INPUT
from services.matching.keeping import strike, whole
from services.matching.proposal import PROPOSAL, CloseProposal
from services.matching.round import ROUND

RESULT = "round-result"
"""The kind of document a round's result is kept as, by the round's id."""
CUT = "round-cut"
"""The kind of document that says of a round how many people its input has lost: it cannot be computed again."""
CONFIRMED = once(ERASURE)


async def erase(fact: ErasureRequested, work: Work) -> None:
    """Delete everything, then say so. A round that is being solved begins again, without them."""
    items = await work.erasing.cut(fact.person, fact.programs, work.now())
    for program in fact.programs:
        await forget(work, program, fact.person)
        for stream, _ in await work.scan(ROUND, program):
            items += await _clear(work, program, parts(stream)[2], fact.person)
        for stream, proposal in await work.scan(PROPOSAL, program):
            if fact.person in (proposal.mentor, proposal.executive):
                await work.run(On(PROPOSAL, stream, CloseProposal(cause=DeclineCause.ineligible)), step=stream)
    said = ErasureConfirmedByMatching(person=fact.person, items=items)
    await work.run(On(CONFIRMED, CONFIRMED.stream(ORG, fact.person), Say(fact=said)), step="confirm")


async def _clear(work: Work, program: str, round: str, person: str) -> int:
    """Take a person out of what a round was computed from, and out of its result; answers how many documents changed.

    First it is noted that the round has lost somebody: a try that breaks off must not leave it looking whole. Once the
    input is without them, whoever computes with what it was before has lost the claim, and can write nothing more.
    """

    def stays(row: Any) -> bool:
        return not _names(row, person)

    changed = 0
    frozen = await whole(work, INPUT, program, round) or {}
    if not all(stays(row) for field in ("mentors", "executives", "barred") for row in frozen.get(field, ())):
        lost = await work.documents.get(CUT, program, round) or {"people": 0}
        await work.documents.save(CUT, program, round, {"people": lost["people"] + 1})
        changed += await strike(work, INPUT, program, round, stays)
    await take_from_all(work.documents, program, round)
    return changed + await strike(work, RESULT, program, round, stays)


def _names(row: Any, person: str) -> bool:
    """Whether a row is of a person: a candidate, somebody unplaced, a pair, or their id."""
    if isinstance(row, dict):
        return person in (row.get("person"), row.get("mentor"), row.get("executive"))
    return person in row if isinstance(row, list) else bool(row == person)
