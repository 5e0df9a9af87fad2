"""Erasing a person from insights: their profiles, and the words they handed to the organisation."""

from __future__ import annotations

from collections.abc import Callable

from chassis.deciding.commands import derived_id
from chassis.deciding.decider import On
from chassis.deciding.saying import Say, once
from chassis.receiving.tasks import Work
from contracts.enrollment import ErasureRequested
from contracts.insights import ERASURE, ErasureConfirmedByInsights
from contracts.streams import ORG, parts
from services.insights.insight import VOICE

CONFIRMED = once(ERASURE)
Hash = Callable[..., str]
"""A hash that only this service can compute."""


def voice(keyed_hash: Hash, program: str, person: str, theme: str) -> str:
    """The insight that is one person's voice on one theme: nobody without the key can tell whose it is."""
    return derived_id("in", keyed_hash(program, "insight", person, theme))


def speaker(keyed_hash: Hash, person: str) -> str:
    """Under which it is marked that a person's words may not be kept; no voice can be joined to it."""
    return derived_id("sp", keyed_hash("speaker", person))


async def erase(fact: ErasureRequested, work: Work) -> None:
    """Delete everything, then say so. How many words went is not told: it would say whether the person spoke."""
    cut = speaker(work.keyed_hash, fact.person)
    items = await work.erasing.cut(fact.person, fact.programs, work.now(), cut)
    for program in fact.programs:
        for stream, state in await work.scan(VOICE, program):
            mine = voice(work.keyed_hash, program, fact.person, str(state.theme))
            if parts(stream)[2] == mine:
                await work.contents.remove(program, state.contents)
    said = ErasureConfirmedByInsights(person=fact.person, items=items)
    await work.run(On(CONFIRMED, CONFIRMED.stream(ORG, fact.person), Say(fact=said)))
