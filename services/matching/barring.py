"""Whom a round keeps apart because of who the two are, beside their lines: partners, who said no, and exclusions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from contracts.enrollment import Rules
from contracts.matching import DeclineCause
from services.matching.cohort import Candidate
from services.matching.excluding import kept_apart
from services.matching.pair import Pair
from services.matching.partners import Reading, partners_of
from services.matching.proposal import Proposal
from services.matching.seat import Seats


class Said(NamedTuple):
    """What a program has said of its people: its pairs, also those that are over, proposals, and seats by stream."""

    pairs: Sequence[Pair]
    proposals: Sequence[Proposal]
    seats: Sequence[tuple[str, Seats]]


async def barred(
    reading: Reading, rules: Rules, said: Said, mentors: Sequence[Candidate], executives: Sequence[Candidate]
) -> list[tuple[str, str]]:
    """The pairs (mentor, executive) of these people that are not to be proposed.

    No more is kept than a round needs: only of people who are there, and whom no line keeps apart anyhow. So where it
    changes nothing, the digest of the input does not tell of it either.
    """
    lines = [{c.person: c.line for c in side} for side in (mentors, executives)]
    found = {(p.mentor, p.executive) for p in said.pairs} | kept_apart(said.seats)
    found |= {(p.mentor, p.executive) for p in said.proposals if p.state == "asked" or p.cause is DeclineCause.declined}
    found |= await partners_of(reading, lines[0], rules)
    return sorted(
        (mentor, executive)
        for mentor, executive in found
        if mentor in lines[0] and executive in lines[1]
        if executive not in lines[0][mentor] and mentor not in lines[1][executive]
    )
