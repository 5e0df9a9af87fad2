"""Earlier partners: with whom somebody has been a pair, in any program, so that no other pairs the two again.

They are kept by person, in the scope of what spans programs. Whatever forms a pair writes those of both: where two
programs would form the same pair at the same moment, one does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from pydantic import Field

from chassis.deciding.decider import Aggregate, Command, On, Refused, S, State, Unhandled
from contracts.enrollment import EarlierPartners, Rules
from contracts.fact import Fact
from contracts.matching import PARTNERS as CATEGORY
from contracts.matching import PartnerMet
from contracts.streams import ORG


class Meet(Command):
    """Become a pair with `partner`; `again` also where the two were one in another program."""

    person: str
    partner: str
    pair: str
    again: bool = False


class Partners(State):
    """With whom a person was a pair, by the pair."""

    met: dict[str, str] = Field(default_factory=dict)


class Reading(Protocol):
    """What is read of many people."""

    async def read_each(self, aggregate: Aggregate[S], streams: Sequence[str]) -> Mapping[str, S]: ...


def decide(command: Command, partners: Partners, now: datetime) -> list[Fact]:
    """Once for each pair."""
    if not isinstance(command, Meet):
        raise Unhandled(type(command).__name__)
    if command.pair in partners.met:
        return []
    if command.partner in partners.met.values() and not command.again:
        raise Refused("ineligible", "these two have been a pair before")
    return [PartnerMet(person=command.person, partner=command.partner, pair=command.pair)]


def evolve(partners: Partners, fact: Fact) -> Partners:
    """The partners after one more fact."""
    return Partners(met=partners.met | {fact.pair: fact.partner}) if isinstance(fact, PartnerMet) else partners


PARTNERS = Aggregate(CATEGORY, Partners(), decide, evolve)


def partners_stream(person: str) -> str:
    """The stream of one person's partners."""
    return PARTNERS.stream(ORG, person)


def anywhere(rules: Rules) -> bool:
    """Whether a program keeps those apart who met in another; also by a rule that this release does not know."""
    return rules.earlier_partners is not EarlierPartners.program


def meet(pair: str, one: str, other: str, rules: Rules) -> tuple[On, ...]:
    """Two people become a pair. Refused as `ineligible` where they were one before and the rules mind."""
    both = ((one, other), (other, one))
    again = not anywhere(rules)
    return tuple(
        On(PARTNERS, partners_stream(who), Meet(person=who, partner=whom, pair=pair, again=again)) for who, whom in both
    )


async def partners_of(reading: Reading, people: Iterable[str], rules: Rules) -> set[tuple[str, str]]:
    """Each of these people with each earlier partner that the rules of their program mind besides its own."""
    if not anywhere(rules):
        return set()
    streams = {partners_stream(person): person for person in people}
    found = await reading.read_each(PARTNERS, list(streams))
    return {(streams[stream], partner) for stream, partners in found.items() for partner in partners.met.values()}
