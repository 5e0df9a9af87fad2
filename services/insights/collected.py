"""Everything a report is computed from, as one value: the rows of all views and the sealed answers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date

from contracts.insights import Period, PulseGiven
from services.insights import rows
from services.insights.insight import Insight
from services.insights.tables import Cell


@dataclass(frozen=True)
class Collected:
    """What insights knows of one program."""

    invitations: list[rows.Invitation] = field(default_factory=list)
    participations: list[rows.Participation] = field(default_factory=list)
    rounds: list[rows.Round] = field(default_factory=list)
    proposals: list[rows.Proposal] = field(default_factory=list)
    pairs: list[rows.Pair] = field(default_factory=list)
    journeys: list[rows.Journey] = field(default_factory=list)
    sessions: list[rows.Session] = field(default_factory=list)
    learnings: list[rows.Learning] = field(default_factory=list)
    ideas: list[rows.Idea] = field(default_factory=list)
    actions: list[rows.Action] = field(default_factory=list)
    pulses: list[PulseGiven] = field(default_factory=list)
    voices: list[Insight] = field(default_factory=list)

    def pair_of(self) -> dict[str, rows.Pair]:
        """The pairs by id."""
        return {p.pair: p for p in self.pairs}


def within(day: date | None, period: Period) -> bool:
    """Whether a day is in the period."""
    return day is not None and period.first <= day <= period.last


def by_the_end(days: Iterable[date | None], period: Period) -> bool:
    """Whether any of the days has come by the end of the period."""
    return any(day is not None and day <= period.last for day in days)


def of_people(people: Iterable[str], *, collected: bool = True) -> Cell:
    """A cell that counts people."""
    n = len(set(people))
    return Cell(n, n, collected)


def of_pairs(pairs: Sequence[rows.Pair | rows.Proposal], *, value: int | None = None, collected: bool = True) -> Cell:
    """A cell that counts things, given the pair of each. Its people are counted on the side that has fewer."""
    people = min(len({p.mentor for p in pairs}), len({p.executive for p in pairs}))
    return Cell(len(pairs) if value is None else value, people, collected)
