"""Freezing a round's input: everybody who has a seat to fill, as this service knows them now."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from chassis.receiving.views import Found
from chassis.running.http import Ctx
from chassis.running.problems import later
from contracts.enrollment import Rules
from contracts.matching import RoundKind
from contracts.profiles import Profile
from contracts.types import Side
from services.matching.barring import Said, barred
from services.matching.cohort import Candidate, Cohort
from services.matching.pair import PAIR
from services.matching.proposal import PROPOSAL, Proposal
from services.matching.seat import SEAT, Seats, seat_stream
from services.matching.views import PARTICIPATIONS, PROFILES, PROGRAMS, ParticipationRow

INPUT = "round-input"
"""The kind of document a frozen cohort is kept as, by the round's id."""


EVERYBODY = 1_000_000
"""More people than any program has: a frozen input must not silently end somewhere."""


REPAIRED = 100
"""More than anybody waits in the queue for."""


class _Known(NamedTuple):
    """What one program's people are computed from."""

    rules: Rules
    profiles: dict[str, Profile]
    seats: dict[str, Seats]
    promised: Counter[tuple[str, Side]]


async def freeze(ctx: Ctx, program: str, kind: RoundKind = RoundKind.cohort) -> Cohort:
    """The cohort of a program: everybody with a seat left; as `newcomers` who never had a pair, for a `repair` who has
    none now. Raises 503 where somebody has enrolled of whom this service does not know enough yet."""
    row = await ctx.views.get(PROGRAMS, PROGRAMS.category.stream(program, program))
    if row is None:
        raise ctx.missing("program")
    proposals = [state for _, state in await ctx.scan(PROPOSAL, program)]
    known = _Known(
        rules=row.rules,
        profiles={p.person: p for p in await ctx.views.find_latest(PROFILES, program, limit=EVERYBODY)},
        seats=dict(await ctx.scan(SEAT, program)),
        promised=promised_seats(proposals),
    )
    pairs = [p for _, p in await ctx.scan(PAIR, program)]
    people = [
        p for p in await ctx.views.find(PARTICIPATIONS, program, limit=EVERYBODY) if not p.row.left and not p.row.away
    ]
    mentors, executives = (
        _of_kind(kind, _candidates(program, people, side, known), paired_once)
        for side, paired_once in (
            (Side.mentor, {p.mentor for p in pairs}),
            (Side.executive, {p.executive for p in pairs}),
        )
    )
    return Cohort(
        program=program,
        rules=row.rules,
        rules_version=row.rules_version,
        opens=row.opens,
        closes=row.closes,
        mentors=mentors,
        executives=executives,
        barred=await barred(ctx, row.rules, Said(pairs, proposals, list(known.seats.items())), mentors, executives),
    ).in_order()


def _of_kind(kind: RoundKind, candidates: list[Candidate], paired_once: set[str]) -> list[Candidate]:
    """Those whom a round of that kind places. A repair is for those whose pair ended: they come first."""
    match kind:
        case RoundKind.newcomers:
            return [c for c in candidates if c.person not in paired_once]
        case RoundKind.repair:
            return [
                c.model_copy(update={"priority": c.priority + (REPAIRED if c.person in paired_once else 0)})
                for c in candidates
                if not c.paired
            ]
    return candidates


def promised_seats(proposals: list[Proposal]) -> Counter[tuple[str, Side]]:
    """Seats that people have been asked about and that no other round may fill meanwhile."""
    asked = [p for p in proposals if p.state == "asked"]
    return Counter((p.person(side), side) for p in asked for side in (Side.mentor, Side.executive))


def _candidates(program: str, people: list[Found[ParticipationRow]], side: Side, known: _Known) -> list[Candidate]:
    """Those of one side with a seat left."""
    found = []
    for participant in people:
        row = participant.row
        if side not in row.capacity:
            continue
        seats = known.seats.get(seat_stream(program, row.person, side))
        profile = known.profiles.get(row.person)
        if seats is None or seats.capacity is None or profile is None or profile.rev < row.profile_rev:
            raise later("catching-up", "some who enrolled are not fully known here yet; try again in a moment")
        left = seats.left - known.promised[row.person, side]
        if left > 0:
            after = f"{participant.stream}@{participant.version}"
            charter = row.charter_version == known.rules.charter_version
            found.append(candidate(profile, left, bool(seats.taken), charter, after, seats.priority))
    return found


def candidate(profile: Profile, seats: int, paired: bool, charter: bool, after: str, priority: int = 0) -> Candidate:
    """Somebody as their profile tells them."""
    return Candidate(
        **profile.model_dump(include=Candidate.model_fields.keys() & Profile.model_fields.keys() - {"zone"}),
        zone=profile.zone or "UTC",
        seats=seats,
        paired=paired,
        charter=charter,
        priority=priority,
        after=after,
    )
