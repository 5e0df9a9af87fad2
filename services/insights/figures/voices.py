"""Figures about what people said in confidence: pulses as numbers, themes as bands."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from contracts.insights import Band, Period, PulseGiven, PulseKind
from contracts.types import Side
from services.insights.collected import Collected, within
from services.insights.pulse import month_of
from services.insights.tables import Cell, ShownCell, ShownRow, ShownTable, Table, hidden_cell, no_data_cell

PULSES = {
    PulseKind.optimistic.value: "Optimistic about the organisation",
    PulseKind.in_tune.value: "In tune with their people",
    PulseKind.respect.value: "Treated with respect",
    PulseKind.before.value: "Before the journey",
    PulseKind.after.value: "After the journey",
}


def pulses(all: Collected, period: Period) -> Table:
    """How many answered each question on each side, and their mean on the scale from 1 to 5.

    Where all gave the same answer, everybody's answer would be known; so both cells count as if nobody stood behind
    them. There are no sums over sides.
    """
    cells: dict[tuple[str, str], Cell] = {}
    columns: list[str] = []
    for side in (Side.mentor, Side.executive):
        number, mean = f"{side.value}_answers", f"{side.value}_mean"
        columns += [number, mean]
        for kind in PULSES:
            given = [p for p in all.pulses if p.kind == kind and p.side is side and within(p.week, period)]
            people = 0 if len({p.value for p in given}) == 1 else _people(given)
            cells[kind, number] = Cell(len(given), people, collected=bool(given))
            cells[kind, mean] = Cell(_mean_tenths(given), people, collected=bool(given), tenths=True)
    return Table("pulses", "Pulses", PULSES, tuple(columns), cells)


def _people(given: list[PulseGiven]) -> int:
    """How many people gave these answers, at least: a person answers a question once a month."""
    return max(Counter(month_of(p.week) for p in given).values(), default=0)


def _mean_tenths(given: list[PulseGiven]) -> int:
    n = len(given)
    return (20 * sum(p.value for p in given) + n) // (2 * n) if n else 0


def theme_bands(all: Collected, period: Period, floor: int) -> dict[str, Band]:
    """The themes that at least `floor` people raised in the period, and by how many, coarsely."""
    raised = Counter(v.theme for v in all.voices if v.theme and any(within(week, period) for week in v.weeks))
    return {theme: _band(n) for theme, n in sorted(raised.items()) if n >= floor}


def _band(people: int) -> Band:
    if people >= 20:
        return Band.from_20
    return Band.from_10 if people >= 10 else Band.from_5


def themes(all: Collected, period: Period, floor: int, labels: Mapping[str, str]) -> ShownTable:
    """The band of each theme of the program's taxonomy. Below the floor nothing is said, not even that it is 0.

    `labels`: what each tag of the taxonomy is called. A tag outside it has a row only once it reached the floor.
    """
    bands = theme_bands(all, period, floor)
    silence = not any(within(week, period) for voice in all.voices for week in voice.weeks)
    rows = []
    for tag in sorted(labels.keys() | bands.keys()):
        if band := bands.get(tag):
            cell = ShownCell(column="people", state="figure", shown=band.value)
        else:
            cell = no_data_cell("people") if silence else hidden_cell("people", floor)
        rows.append(ShownRow(key=tag, label=labels.get(tag, tag), cells=[cell]))
    return ShownTable(table="themes", title="Themes handed to the organisation", rows=rows)
