"""Erasing a person from matching: their profiles, exclusions, and their rows in what rounds were computed from."""

from __future__ import annotations

from chassis.deciding.decider import On
from chassis.deciding.saying import Say, once
from chassis.receiving.tasks import Work
from contracts.enrollment import ErasureRequested
from contracts.matching import ERASURE, DeclineCause, ErasureConfirmedByMatching
from contracts.streams import ORG, parts
from services.matching.claim import take_from_all
from services.matching.cohort import Cohort
from services.matching.excluding import forget
from services.matching.freezing import INPUT
from services.matching.placing import Placement, Revision
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
    frozen = await work.documents.get(INPUT, program, round)
    changed = 0
    if frozen is not None and (cohort := _without(Cohort.model_validate(frozen), person)) is not None:
        lost = await work.documents.get(CUT, program, round) or {"people": 0}
        await work.documents.save(CUT, program, round, {"people": lost["people"] + 1})
        await work.documents.save(INPUT, program, round, cohort.model_dump(mode="json"))
        changed += 1
    await take_from_all(work.documents, program, round)
    result = await work.documents.get(RESULT, program, round)
    if result is not None and (cleared := _unplaced(result, person)) != result:
        await work.documents.save(RESULT, program, round, cleared)
        changed += 1
    return changed


def _without(cohort: Cohort, person: str) -> Cohort | None:
    """The cohort without a person; None where they were not in it."""
    fewer = cohort.model_copy(
        update={
            "mentors": [c for c in cohort.mentors if c.person != person],
            "executives": [c for c in cohort.executives if c.person != person],
            "barred": [pair for pair in cohort.barred if person not in pair],
        }
    )
    return None if fewer == cohort else fewer


def _unplaced(result: dict[str, object], person: str) -> dict[str, object]:
    """A stored result without what it says of a person."""
    fields = Placement.model_validate(result)
    placed = [p.model_dump(mode="json") for p in fields.placed if person not in (p.mentor, p.executive)]
    unplaced = [u.model_dump(mode="json") for u in fields.unplaced if u.person != person]
    old = fields.revision
    revision = Revision(
        locked=[pair for pair in old.locked if person not in pair],
        apart=[pair for pair in old.apart if person not in pair],
        gone=[gone for gone in old.gone if gone != person],
        barred=[pair for pair in old.barred if person not in pair],
    )
    return {**result, "placed": placed, "unplaced": unplaced, "revision": revision.model_dump(mode="json")}
