"""What a round is computed from, frozen: the same cohort gives the same pairs, in whatever order its people came."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from pydantic import BaseModel, ConfigDict

from contracts.enrollment import Rules
from contracts.profiles import Channel, WeeklyWindow
from contracts.types import Date, Tag
from services.matching.partners import anywhere


class Candidate(BaseModel):
    """One person on one side, as the round saw them."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    person: str
    level: int
    function: Tag | None
    site: Tag | None
    zone: str
    languages: list[str]
    offers: list[Tag]
    seeks: list[Tag]
    line: list[str]
    line_complete: bool
    channels: list[Channel]
    windows: list[WeeklyWindow]
    seats: int
    """Seats that are neither taken nor promised."""
    paired: bool
    """Whether the person has a pair already: placing somebody who has none comes first."""
    charter: bool
    """Whether they accepted the charter that the rules ask for."""
    priority: int = 0
    """How often a round had nobody for them, or a pair ended without their doing, since they last had one.
    Decides who is placed, never how many."""
    rev: int
    after: str
    """The participation fact, `<stream>@<version>`."""


class Cohort(BaseModel):
    """Everybody a round could place, and the rules it places them by. `barred` are pairs (mentor, executive) not to
    be proposed again."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    program: str
    rules: Rules
    rules_version: int
    opens: Date
    closes: Date
    mentors: list[Candidate]
    executives: list[Candidate]
    barred: list[tuple[str, str]]

    def in_order(self) -> Cohort:
        """The same cohort with everything in a defined order."""
        return self.model_copy(
            update={
                "mentors": sorted(self.mentors, key=lambda c: c.person),
                "executives": sorted(self.executives, key=lambda c: c.person),
                "barred": sorted(set(self.barred)),
            }
        )

    def digest(self) -> str:
        """SHA-256 over the cohort as canonical JSON; what nobody has, or is as it always was, is left out."""
        told = self.in_order().model_dump(mode="json")
        if anywhere(self.rules):
            del told["rules"]["earlier_partners"]
        for candidate in (*told["mentors"], *told["executives"]):
            if not candidate["priority"]:
                del candidate["priority"]
        return digest(told)


def digest(value: Any) -> str:
    """SHA-256 over a value as canonical JSON: keys sorted, no spaces."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
