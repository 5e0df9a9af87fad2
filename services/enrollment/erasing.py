"""What enrollment does for an erasure: delete its own, wait for the others, look that nothing is left, and say so."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, time, timedelta
from typing import Any

from chassis.deciding.decider import On, Refused
from chassis.receiving.tasks import NotYet, Task, Work
from chassis.receiving.views import Views
from contracts.enrollment import ErasureRequested
from contracts.insights import ErasureConfirmedByInsights
from contracts.matching import ErasureConfirmedByMatching
from contracts.profiles import PEOPLE, PROFILES, person_key, profile_key
from contracts.scheduling import ErasureConfirmedByScheduling
from contracts.streams import ORG
from contracts.types import PersonId
from services.enrollment.erasure import ERASURE, CompleteErasure, Erasure
from services.enrollment.stores import MEMBER, WORDS
from services.enrollment.views import CONFIRMATIONS, Confirmed

PROOF = "erasure"
"""The documents that keep what was looked at before an erasure was declared over: one per person."""


async def erase(fact: ErasureRequested, work: Work) -> None:
    """Delete what the request itself could not: the views, and members that an import wrote at the same moment."""
    await work.erasing.cut(fact.person, fact.programs, work.now())
    for words in await work.documents.find(WORDS, ORG):
        await work.documents.bury(MEMBER, words["program"], fact.person)(None)
    await complete(work, fact.person)


async def note(fact: Confirmed, work: Work) -> None:
    """One more service has deleted."""
    await complete(work, fact.person)


async def complete(work: Work, person: PersonId) -> None:
    """Declare the erasure over, if everybody has confirmed and nothing is left; whoever comes last gets this far."""
    erasure, _ = await work.read(ERASURE, ERASURE.stream(ORG, person))
    items = await confirmed(work.views, person)
    if erasure.proof or not erasure.due or None in items.values():
        return
    found = await look(work, erasure)
    if any(found.values()):
        raise NotYet
    proof: dict[str, Any] = {"person": person, "programs": list(erasure.programs), "due": erasure.due.isoformat()}
    proof |= {"at": work.now().isoformat(), "confirmed": items, "left": found}
    kept = work.documents.put(PROOF, ORG, person, proof)
    await work.run(On(ERASURE, ERASURE.stream(ORG, person), CompleteErasure(proof=digest(proof))), also=[kept])


async def confirmed(views: Views, person: PersonId) -> dict[str, int | None]:
    """How many documents each of the other services has deleted; None for one that has not said so yet."""
    rows = {v.category.service: await views.get(v, v.category.stream(ORG, person)) for v in CONFIRMATIONS}
    return {service: row.items if row else None for service, row in rows.items()}


async def look(work: Work, erasure: Erasure) -> dict[str, int]:
    """What is still there that must not be, counted by where it is."""
    person, programs = erasure.person, erasure.programs
    keys = [(PEOPLE, person_key(person)), *((PROFILES, profile_key(program, person)) for program in programs)]
    members = [await work.documents.get(MEMBER, program, person) for program in programs]
    return {
        "views": await work.erasing.left(person, programs),
        "contents": await work.contents.about(person),
        "members": len([m for m in members if m is not None]),
        "tombstones not on the topic": len(await work.latest.unproven(keys)),
    }


def digest(proof: dict[str, Any]) -> str:
    """SHA-256 over a proof as canonical JSON: keys sorted, no spaces."""
    return hashlib.sha256(json.dumps(proof, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


async def watch(fact: ErasureRequested, work: Work) -> None:
    """On the day after it was due: where it is not over, somebody has to look. `Refused` parks the task."""
    erasure, _ = await work.read(ERASURE, ERASURE.stream(ORG, fact.person))
    if not erasure.proof:
        items = await confirmed(work.views, fact.person)
        missing = [service for service, n in items.items() if n is None] or ["enrollment"]
        raise Refused("overdue", f"the erasure is overdue: {', '.join(missing)} has not deleted everything yet")


def _overdue(fact: ErasureRequested, at: datetime) -> datetime:
    return datetime.combine(fact.due, time(), UTC) + timedelta(days=1)


TASKS: list[Task[Any]] = [
    Task("erase", ErasureRequested, erase),
    Task("note_matching", ErasureConfirmedByMatching, note),
    Task("note_scheduling", ErasureConfirmedByScheduling, note),
    Task("note_insights", ErasureConfirmedByInsights, note),
    Task("watch_erasure", ErasureRequested, watch, due=_overdue),
]
