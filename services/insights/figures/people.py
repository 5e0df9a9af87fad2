"""Figures about people: how far they came, whom a round placed, and why some hesitate."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from contracts.enrollment import Answer, Hesitation
from contracts.insights import Period
from contracts.types import Side
from services.insights.collected import Collected, by_the_end, of_pairs, of_people, within
from services.insights.tables import Cell, CellId, Sum, Table

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


def funnel(all: Collected, period: Period) -> Table:
    """From the invitation to a confirmed change: people who took each step for the first time, by side.

    There are no sums: a total over both sides would tell the smaller one. What two rows differ by is not a figure of
    its own, and is not hidden where it is small.
    """
    cells: dict[tuple[str, str], Cell] = {}
    for side in SIDES:
        before: Steps | None = None
        for step, days in _steps(all, side):
            collected = before is None or by_the_end(before.values(), period)
            people = (p for p, day in days.items() if within(day, period))
            cells[step, side.value] = of_people(people, collected=collected)
            before = days
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


COVERAGE = {"considered": "Considered", "placed": "Placed", "unplaced": "Left over"}


def coverage(all: Collected, period: Period) -> Table:
    """Whom the rounds let out in the period could place, by side. Who was in two rounds counts twice, as one person."""
    rounds = [r for r in all.rounds if within(r.published, period)]
    of_side = {
        Side.mentor: [(r.mentors, r.unplaced_mentors) for r in rounds],
        Side.executive: [(r.executives, r.unplaced_executives) for r in rounds],
    }
    cells: dict[tuple[str, str], Cell] = {}
    sums = []
    for side, counts in of_side.items():
        for row, numbers in {
            "considered": [n for n, _ in counts],
            "placed": [n - unplaced for n, unplaced in counts],
            "unplaced": [unplaced for _, unplaced in counts],
        }.items():
            cells[row, side.value] = Cell(sum(numbers), max(numbers, default=0), collected=bool(rounds))
        considered, *parts = (CellId("coverage", row, side.value) for row in COVERAGE)
        sums.append(Sum(considered, tuple(parts)))
    return Table("coverage", "Whom the matching rounds placed", COVERAGE, tuple(SIDES), cells, tuple(sums))


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
    "all": "All",
}


def hesitations(all: Collected, period: Period) -> Table:
    """Why invited people hesitated or declined, by the last they said within the period."""
    people: dict[tuple[str, str], set[tuple[str, Side]]] = {(r, c): set() for r in HESITATIONS for c in (*SIDES, "all")}
    for invitation in all.invitations:
        said = [a for a in invitation.answers if within(a.on, period)]
        if not said or said[-1].answer not in (Answer.hesitant, Answer.declined) or invitation.side not in SIDES:
            continue
        reason = said[-1].hesitation.value if said[-1].hesitation else "none"
        for row in (reason if reason in HESITATIONS else "other", "all"):
            for column in (invitation.side.value, "all"):
                people[row, column].add((invitation.person, invitation.side))
    collected = {c: _anybody_answered(all, period, c) for c in (*SIDES, "all")}
    cells = {
        (row, column): Cell(len(who), len({person for person, _ in who}), collected[column])
        for (row, column), who in people.items()
    }
    reasons = [row for row in HESITATIONS if row != "all"]
    by_side = [Sum(_hesitated(r, "all"), tuple(_hesitated(r, s.value) for s in SIDES)) for r in HESITATIONS]
    by_reason = [Sum(_hesitated("all", c), tuple(_hesitated(r, c) for r in reasons)) for c in (*SIDES, "all")]
    columns = (*SIDES, "all")
    return Table("hesitations", "Why people hesitate", HESITATIONS, columns, cells, (*by_side, *by_reason))


def _hesitated(row: str, column: str) -> CellId:
    return CellId("hesitations", row, column)


def _anybody_answered(all: Collected, period: Period, column: str) -> bool:
    heard = (i for i in all.invitations if column in (i.side.value, "all"))
    return by_the_end((a.on for i in heard for a in i.answers), period)
