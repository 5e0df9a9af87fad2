"""Figures about people: how far they came, whom a round placed, and why some hesitate."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import date

from contracts.enrollment import Answer, Hesitation
from contracts.insights import Period
from contracts.types import Side
from services.insights.collected import Collected, by_the_end, of_pairs, of_people, within
from services.insights.tables import Cell, Table

SIDES = (Side.mentor, Side.executive)
Steps = dict[str, date]
"""The day on which each person first took a step."""

FUNNEL = {
    "invited": "Invited",
    "answered": "Answered",
    "enrolled": "Enrolled",
    "charter": "Accepted the charter",
    "paired": "In a pair",
    "first_session": "Held a first session",
    "first_change": "Saw a first change confirmed",
}


OF_PAIRS = ("paired", "first_session", "first_change")


def funnel(all: Collected, period: Period) -> Table:
    """From the invitation to a confirmed change: people who took each step for the first time, by side.

    There are no sums: a total over both sides would tell the smaller one. What two rows differ by is no figure, and is
    not hidden where it is small. Both sides take the steps of a pair at once, so either is hidden with the other.
    """
    cells: dict[tuple[str, str], Cell] = {}
    for side in SIDES:
        before: Steps | None = None
        for step, days in _steps(all, side):
            collected = before is None or by_the_end(before.values(), period)
            people = (p for p, day in days.items() if within(day, period))
            cells[step, side.value] = of_people(people, collected=collected)
            before = days
    for step in OF_PAIRS:
        fewer = min(cells[step, side.value].people for side in SIDES)
        for side in SIDES:
            cells[step, side.value] = replace(cells[step, side.value], people=fewer)
    return Table("funnel", "From the invitation to a confirmed change", FUNNEL, tuple(SIDES), cells)


def _steps(all: Collected, side: Side) -> Iterator[tuple[str, Steps]]:
    pairs = all.pair_of()
    invited = [i for i in all.invitations if i.side is side]
    enrolled = [(p, p.mentor if side is Side.mentor else p.executive) for p in all.participations]
    yield "invited", _first((i.person, i.invited) for i in invited)
    yield "answered", _first((i.person, a.on) for i in invited for a in i.answers)
    yield "enrolled", _first((p.person, day) for p, day in enrolled)
    yield "charter", _first((p.person, max(day, p.charter)) for p, day in enrolled if day and p.charter)

    def of(pair: str) -> str | None:
        found = pairs.get(pair)
        if found is None:
            return None
        return found.mentor if side is Side.mentor else found.executive

    yield "paired", _first((of(p.pair), p.formed) for p in all.pairs)
    yield "first_session", _first((of(s.pair), s.held) for s in all.sessions)
    yield "first_change", _first((of(a.pair), a.confirmed) for a in all.actions)


def _first(days: Iterator[tuple[str | None, date | None]]) -> Steps:
    first: Steps = {}
    for person, day in days:
        if person and day:
            first[person] = min(day, first.get(person, day))
    return first


COVERAGE = {"considered": "Considered", "placed": "Placed"}


def coverage(all: Collected, period: Period) -> Table:
    """Whom the rounds let out in the period could place, by side. Who was in two rounds counts twice, as one person.

    Those left over have no row: where they are few, the pairs and proposals of the other tables would tell how few.
    """
    rounds = [r for r in all.rounds if within(r.published, period)]
    numbers = {
        ("considered", Side.mentor): [r.mentors for r in rounds],
        ("considered", Side.executive): [r.executives for r in rounds],
        ("placed", Side.mentor): [r.mentors - r.unplaced_mentors for r in rounds],
        ("placed", Side.executive): [r.executives - r.unplaced_executives for r in rounds],
    }
    cells = {
        (row, side.value): Cell(sum(each), max(each, default=0), collected=bool(rounds))
        for (row, side), each in numbers.items()
    }
    return Table("coverage", "Whom the matching rounds placed", COVERAGE, tuple(SIDES), cells)


PROPOSALS = {"made": "Made", "approved": "Approved", "asked": "Put to the two", "agreed": "Agreed by both"}


def proposals(all: Collected, period: Period) -> Table:
    """How far proposals came. Never by side: it would tell who declines."""
    dated = {
        "made": [(p.made, p) for p in all.proposals],
        "approved": [(p.approved, p) for p in all.proposals],
        "asked": [(p.asked, p) for p in all.proposals],
        "agreed": [(p.agreed, p) for p in all.proposals if not by_the_end([p.closed], period)],
    }
    collected = by_the_end((p.made for p in all.proposals), period)
    cells = {
        (row, "all"): of_pairs([p for day, p in each if within(day, period)], collected=collected)
        for row, each in dated.items()
    }
    return Table("proposals", "Proposals of pairs", PROPOSALS, ("all",), cells)


HESITATIONS = {
    Hesitation.time.value: "Time",
    Hesitation.exposure.value: "Being exposed",
    Hesitation.relevance.value: "Relevance",
    Hesitation.judgement.value: "Being judged",
    Hesitation.past_experience.value: "Past experience",
    Hesitation.other.value: "Something else",
    "none": "No reason given",
}


def hesitations(all: Collected, period: Period) -> Table:
    """Why invited people hesitated or declined, by the last they said within the period.

    How many they are in all follows from the funnel. So there are no sums, no cell tells that it is 0, and where all
    gave one reason nobody is told: it would be everybody's.
    """
    reasons: Counter[tuple[str, str]] = Counter()
    for invitation in all.invitations:
        said = [a for a in invitation.answers if within(a.on, period)]
        if said and said[-1].answer in (Answer.hesitant, Answer.declined):
            reason = said[-1].hesitation.value if said[-1].hesitation else "none"
            reasons[reason if reason in HESITATIONS else "other", invitation.side.value] += 1
    cells: dict[tuple[str, str], Cell] = {}
    for side in SIDES:
        collected = by_the_end((a.on for i in all.invitations if i.side is side for a in i.answers), period)
        unanimous = sum(side.value == of for _, of in reasons) == 1
        for row in HESITATIONS:
            n = reasons[row, side.value]
            cells[row, side.value] = Cell(n, 0 if unanimous else n, collected, discreet=True)
    return Table("hesitations", "Why people hesitate", HESITATIONS, tuple(SIDES), cells)
