"""Erasing a person from scheduling: name, address and profiles, and every word on the boards of their pairs."""

from __future__ import annotations

from chassis.deciding.decider import On
from chassis.deciding.saying import Say, once
from chassis.receiving.tasks import Work
from contracts.enrollment import ErasureRequested
from contracts.scheduling import ERASURE, ErasureConfirmedByScheduling
from contracts.streams import ORG

CONFIRMED = once(ERASURE)


async def erase(fact: ErasureRequested, work: Work) -> None:
    """Delete everything, then say so.

    What the two of a pair wrote was written about each other, so the other one's words go too.
    """
    items = await work.erasing.cut(fact.person, fact.programs, work.now())
    items += await work.contents.erase(fact.person)
    said = ErasureConfirmedByScheduling(person=fact.person, items=items)
    await work.run(On(CONFIRMED, CONFIRMED.stream(ORG, fact.person), Say(fact=said)))
