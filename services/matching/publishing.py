"""Publishing a round, whole or in parts: whose consent is asked for, and what becomes of the rest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from chassis.deciding.decider import On
from chassis.deciding.documents import Documents
from chassis.receiving.tasks import NotYet, Work
from contracts.enrollment import Consent, Rules
from contracts.matching import RoundPublished
from contracts.types import Side
from services.matching.asking import lapse, rules_of
from services.matching.forming import proposals_of
from services.matching.proposal import PROPOSAL, REPLACED, AskConsent, Proposal

PUBLISHED = "round-published"
"""The kind of document that lists the proposals of a round that were published, by the round's id."""


class _Keeps(Protocol):
    @property
    def documents(self) -> Documents: ...


async def asked_of(keeps: _Keeps, program: str, round: str) -> list[str]:
    """The proposals of a round that were published so far."""
    kept = await keeps.documents.get(PUBLISHED, program, round)
    return list(kept["asked"]) if kept else []


def unsettled(proposals: Iterable[Proposal], result: Mapping[str, Any]) -> bool:
    """Whether a pair was turned down that the kept result does not know of: the round is about to be solved again."""
    known = {(mentor, executive) for mentor, executive in result.get("revision", {}).get("apart", ())}
    return any(p.verdict in REPLACED and (p.mentor, p.executive) not in known for p in proposals)


def first_side(rules: Rules) -> Side:
    """Who is asked first, of what the program itself proposes."""
    return Side.executive if rules.consent is Consent.executive else Side.mentor


async def ask_consent(fact: RoundPublished, work: Work) -> None:
    """Ask the first side of every proposal that was published. The others stay as they are where the fact says that the
    review goes on, and come to nothing where it is over."""
    rules = await rules_of(work.views, work.scope)
    if rules is None:
        raise NotYet
    published = set(await asked_of(work, work.scope, fact.round))
    side = first_side(rules)
    for stream, proposal in await proposals_of(work, work.scope, fact.round):
        if proposal.state != "proposed":
            continue
        if fact.kept and proposal.proposal not in published:
            continue
        lapses = await lapse(work.views, work.scope, proposal.person(side), rules, work.now())
        await work.run(On(PROPOSAL, stream, AskConsent(side=side, lapses=lapses)), step=stream)
