"""What is decided on several streams at once: a pair forms, or ends, together with what is kept of the two."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Protocol

from chassis.deciding.commands import derived_id
from chassis.deciding.decider import Aggregate, On, S
from contracts.enrollment import Rules
from contracts.matching import ReleaseCause
from contracts.types import Side
from services.matching.pair import PAIR, FormPair, Pair, ReleasePair
from services.matching.partners import meet
from services.matching.proposal import PROPOSAL, AnswerConsent, Proposal
from services.matching.seat import SEAT, FreeSeat, TakeSeat, seat_stream

ALIKE = len("pp_") + 8
"""Characters with which the ids of one round's proposals begin alike, so that they are read without all others."""


def proposal_id(round: str, mentor: str, executive: str) -> str:
    """A round that is solved again writes the same proposals."""
    return derived_id("pp", round)[:ALIKE] + derived_id("pp", round, mentor, executive)[ALIKE:]


class Scanning(Protocol):
    """Who reads many streams."""

    async def scan(self, aggregate: Aggregate[S], scope: str, beginning: str = "") -> list[tuple[str, S]]: ...


async def proposals_of(reading: Scanning, program: str, round: str) -> list[tuple[str, Proposal]]:
    """The proposals of a round as they are, by stream."""
    found = await reading.scan(PROPOSAL, program, derived_id("pp", round)[:ALIKE])
    return [(stream, proposal) for stream, proposal in found if proposal.round == round]


def pair_id(program: str, mentor: str, executive: str) -> str:
    """Two people can be a pair once in a program: a second time they would meet the stream of the first."""
    return derived_id("pa", program, mentor, executive)


def form(
    proposal: Proposal,
    mentor_rev: int,
    executive_rev: int,
    now: datetime,
    rules: Rules,
    stood_still: timedelta = timedelta(),
) -> tuple[On, ...]:
    """The side that is asked last says yes, and the pair forms. Refused as `seat-taken`, `ineligible`, `paused` or
    `declined` (one of the two does not want the other), or all of it happens."""
    p = proposal
    pair = pair_id(p.program, p.mentor, p.executive)
    command = FormPair(
        program=p.program,
        pair=pair,
        mentor=p.mentor,
        executive=p.executive,
        round=p.round or None,
        rules_version=p.rules_version,
        after=list(p.after),
        mentor_rev=mentor_rev,
        executive_rev=executive_rev,
    )
    answer = AnswerConsent(side=p.last, yes=True, lapses=now, stood_still=stood_still)
    return (
        On(PROPOSAL, PROPOSAL.stream(p.program, p.proposal), answer),
        On(PAIR, PAIR.stream(p.program, pair), command),
        *meet(pair, p.mentor, p.executive, rules),
        On(SEAT, seat_stream(p.program, p.mentor, Side.mentor), TakeSeat(pair=pair, partner=p.executive)),
        On(SEAT, seat_stream(p.program, p.executive, Side.executive), TakeSeat(pair=pair, partner=p.mentor)),
    )


def release(pair: Pair, cause: ReleaseCause, expect: int | None = None, *, leaver: str | None = None) -> tuple[On, ...]:
    """The pair ends and both seats are free. `expect` is the version of the pair that the caller saw.

    Whoever did not bring it about (`leaver` did) is first in the queue, unless the two had completed their journey.
    """

    def free(side: Side, person: str) -> On:
        first = cause is not ReleaseCause.completed and person != leaver
        return On(SEAT, seat_stream(pair.program, person, side), FreeSeat(pair=pair.pair, first=first))

    return (
        On(PAIR, PAIR.stream(pair.program, pair.pair), ReleasePair(cause=cause), expect),
        free(Side.mentor, pair.mentor),
        free(Side.executive, pair.executive),
    )
