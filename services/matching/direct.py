"""Asking for a pair directly: whom the rules allow, and what whoever asked is shown of it.

Who asks for themselves sees the same whether the other said no, did not answer, or was never shown the question: they
wait until the time to answer is over, and then it is over. For as long the seat they asked with is promised.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, NamedTuple, Protocol

from chassis.deciding.decider import Aggregate, Refused, S
from chassis.receiving.views import Views
from chassis.running.problems import later
from contracts.enrollment import Rules
from contracts.matching import DeclineCause, Origin
from contracts.profiles import profile_key
from contracts.types import Side
from services.matching.arrays import obstacle
from services.matching.cohort import Candidate, Cohort
from services.matching.forming import pair_id
from services.matching.freezing import candidate
from services.matching.judging import WHY, Judged, judge
from services.matching.pair import PAIR
from services.matching.partners import PARTNERS, anywhere, partners_stream
from services.matching.proposal import ASKERS, Proposal
from services.matching.publishing import first_side
from services.matching.remaining import APART
from services.matching.seat import SEAT, seat_stream
from services.matching.views import PARTICIPATIONS, PROFILES, PROPOSALS, ProgramRow

SIDES = (Side.mentor, Side.executive)
_OWN = {
    "absent": "you do not take part on this side; enrol first",
    "seat": "each of your seats is taken, or you are waiting for an answer with it; ask again when one is free",
    "charter": "you have not accepted the charter; accept it first",
    "line_incomplete": "somebody is missing in your reporting line; the coordinator can complete it",
}
_THEIRS = WHY | {
    "absent": "one of the two does not take part on this side",
    "seat": "one of the two has no seat that is neither taken nor promised",
}
_UNTOLD = "the rules of the program do not allow this pair"
"""One answer for everything about the other one alone, and for lines and earlier pairs."""


class Reading(Protocol):
    """What is read of the two."""

    @property
    def views(self) -> Views: ...

    async def read(self, aggregate: Aggregate[S], stream: str) -> tuple[S, int]: ...


class Ask(NamedTuple):
    """Who asks whom: one of the two for themselves, or a coordinator for both."""

    program: str
    origin: Origin
    mentor: str
    executive: str

    @property
    def side(self) -> Side | None:
        """The side of who asks; None where it is a coordinator."""
        return ASKERS.get(self.origin)

    def person(self, side: Side) -> str:
        """Who is on that side."""
        return self.mentor if side is Side.mentor else self.executive

    def first(self, rules: Rules) -> Side:
        """Who is asked first. No rule of consent lets an executive's wish form a pair without the mentor."""
        if self.side is None:
            return first_side(rules)
        return Side.executive if self.side is Side.mentor else Side.mentor


def shown(proposal: Proposal, now: datetime) -> Literal["waiting", "formed", "over"]:
    """What becomes of an ask, as whoever asked may know it: a coordinator at once, one of the two in time."""
    if proposal.state == "agreed":
        return "formed"
    if proposal.asker is None:
        return "waiting" if proposal.state == "asked" else "over"
    return "waiting" if proposal.answer_by and now < proposal.answer_by else "over"


async def weigh(reading: Reading, row: ProgramRow, ask: Ask, now: datetime) -> Judged:
    """The two with the points they would have. Raises Refused where a rule is against it."""
    between = await _proposals(reading, ask.program, mentor=ask.mentor, executive=ask.executive)
    if ask.side and any(p.origin is ask.origin for p in between):
        raise Refused("asked-before", "you have asked for this pair; what comes of it is up to the other one")
    order = SIDES if ask.side is not Side.executive else SIDES[::-1]  # first whatever is one's own to mend
    two = {side: await _ready(reading, row, ask, side, now) for side in order}
    apart = await _apart(reading, ask, between, row.rules)
    cohort = Cohort(
        program=ask.program,
        rules=row.rules,
        rules_version=row.rules_version,
        opens=row.opens,
        closes=row.closes,
        mentors=[two[Side.mentor]],
        executives=[two[Side.executive]],
        barred=[(ask.mentor, ask.executive)] if apart else [],
    )
    found = judge(cohort, ask.mentor, ask.executive)
    assert found is not None
    if found.rule:
        raise _refused(ask, found.rule)
    return found


async def _ready(reading: Reading, row: ProgramRow, ask: Ask, side: Side, now: datetime) -> Candidate:
    """One of the two, whom nothing keeps from a pair as far as only they are concerned."""
    person, own = ask.person(side), side is ask.side
    stream = PARTICIPATIONS.category.stream(ask.program, person)
    takes_part = await reading.views.get(PARTICIPATIONS, stream)
    if takes_part is None or not takes_part.seats(side):
        raise _refused(ask, "absent", own)
    profile = await reading.views.latest(PROFILES, profile_key(ask.program, person))
    seats, _ = await reading.read(SEAT, seat_stream(ask.program, person, side))
    if profile is None or profile.rev < takes_part.profile_rev or seats.capacity is None:
        raise later("catching-up", "one of the two is not fully known here yet; try again in a moment")
    promised = await _proposals(reading, ask.program, **{side.value: person})
    if own:  # what others ask them meanwhile, they need not know of
        promised = [p for p in promised if p.asker is side and shown(p, now) == "waiting"]
    left = seats.left - sum(p.state == "asked" or own for p in promised)
    if left <= 0:
        raise _refused(ask, "seat", own)
    charter = takes_part.charter_version == row.rules.charter_version
    version = await reading.views.version(stream)
    found = candidate(profile, left, bool(seats.taken), charter, f"{stream}@{version}")
    if problem := obstacle(found):
        raise _refused(ask, problem, own)
    return found


async def _apart(reading: Reading, ask: Ask, between: Sequence[Proposal], rules: Rules) -> bool:
    """Whether they were a pair, here or elsewhere. A no counts where a coordinator asks, who sees it; one of the two
    would learn of it."""
    pair, _ = await reading.read(PAIR, PAIR.stream(ask.program, pair_id(ask.program, ask.mentor, ask.executive)))
    declined = ask.side is None and any(p.cause is DeclineCause.declined for p in between)
    partners, _ = await reading.read(PARTNERS, partners_stream(ask.mentor))
    elsewhere = anywhere(rules) and ask.executive in partners.met.values()
    return pair.state != "none" or elsewhere or declined


async def _proposals(reading: Reading, program: str, **who: str) -> list[Proposal]:
    return [found.row for found in await reading.views.find(PROPOSALS, program, who)]


def _refused(ask: Ask, rule: str, own: bool = False) -> Refused:
    if own:
        return Refused("not-ready", _OWN[rule])
    alone = rule in _OWN or rule == APART
    return Refused("not-possible", f"{_UNTOLD if ask.side and alone else _THEIRS[rule]}; ask for somebody else")
