"""The health report: all fixed tables of a period computed together, and what they must not tell taken out."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

from contracts.insights import Band, Period
from services.insights.collected import Collected
from services.insights.figures.journeys import follow_through, journeys, learning, sessions
from services.insights.figures.people import coverage, funnel, hesitations, proposals
from services.insights.figures.voices import pulses, theme_bands, themes
from services.insights.suppression import publish
from services.insights.tables import ShownTable

TABLES = (funnel, hesitations, coverage, proposals, sessions, learning, follow_through, journeys, pulses)


@dataclass(frozen=True)
class Health:
    """What is published of a period. Nothing in it is hidden from anybody who may read reports."""

    period: Period
    tables: list[ShownTable]
    bands: dict[str, Band]

    @property
    def cells(self) -> int:
        """How many cells there are."""
        return sum(len(row.cells) for table in self.tables for row in table.rows)

    @property
    def hidden(self) -> int:
        """How many of them are hidden."""
        return sum(cell.state == "hidden" for table in self.tables for row in table.rows for cell in row.cells)

    def figures(self) -> dict[str, object]:
        """As it is stored and read: JSON values only."""
        tables = [table.model_dump(mode="json", exclude_none=True) for table in self.tables]
        return {"period": self.period.model_dump(mode="json"), "tables": tables}

    def digest(self) -> str:
        """SHA-256 (hex) of the figures as canonical JSON: sorted keys, no spaces, UTF-8."""
        text = json.dumps(self.figures(), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()


def health(
    all: Collected, period: Period, *, floor_numbers: int, floor_words: int, labels: Mapping[str, str]
) -> Health:
    """Compute a period's report. `labels`: what each tag of the program's taxonomy is called."""
    shown = publish([table(all, period) for table in TABLES], floor_numbers)
    said = themes(all, period, floor_words, labels)
    return Health(period, [*shown, said], theme_bands(all, period, floor_words))
