"""Ids, a cohort and facts that the tests of matching share."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from chassis.deciding.commands import derived_id
from contracts.enrollment import Rules
from contracts.fact import Fact
from contracts.matching import (
    ConsentAsked,
    ConsentGiven,
    Origin,
    PairFormed,
    PairProposed,
    ProposalReviewed,
    SeatsSet,
    SeatTaken,
    Verdict,
)
from contracts.profiles import Channel, WeeklyWindow
from contracts.types import Side
from services.matching.cohort import Candidate, Cohort
from services.matching.forming import proposal_id

NOW = datetime(2026, 9, 7, 9, 0, tzinfo=UTC)
LATER = datetime(2026, 9, 10, 9, 0, tzinfo=UTC)


def an_id(prefix: str, name: str) -> str:
    """The same id for the same name."""
    return derived_id(prefix, name)


PROGRAM = an_id("pr", "north")
ROUND = an_id("ro", "first")
PAIR = an_id("pa", "ada and omar")
ADA = an_id("pe", "ada")
OMAR = an_id("pe", "omar")
PROPOSAL = proposal_id(ROUND, ADA, OMAR)
AFTER = [f"{PROGRAM}/participation/{ADA}@2", f"{PROGRAM}/participation/{OMAR}@2"]

proposed = PairProposed(
    program=PROGRAM,
    proposal=PROPOSAL,
    mentor=ADA,
    executive=OMAR,
    round=ROUND,
    origin=Origin.round,
    rules_version=1,
    score=0,
    terms={},
    after=AFTER,
)
mentor_asked = ConsentAsked(program=PROGRAM, proposal=PROPOSAL, person=ADA, side=Side.mentor, lapses=LATER)
mentor_agreed = ConsentGiven(program=PROGRAM, proposal=PROPOSAL, person=ADA, side=Side.mentor)
executive_asked = ConsentAsked(program=PROGRAM, proposal=PROPOSAL, person=OMAR, side=Side.executive, lapses=LATER)
executive_agreed = ConsentGiven(program=PROGRAM, proposal=PROPOSAL, person=OMAR, side=Side.executive)
formed = PairFormed(
    program=PROGRAM,
    pair=PAIR,
    mentor=ADA,
    executive=OMAR,
    round=ROUND,
    rules_version=1,
    formed=NOW,
    after=AFTER,
    mentor_rev=1,
    executive_rev=1,
)


def reviewed(verdict: Verdict) -> Fact:
    """The coordinator's verdict on the proposal."""
    return ProposalReviewed(program=PROGRAM, proposal=PROPOSAL, verdict=verdict, round=ROUND)


def seats(capacity: int) -> Fact:
    """Omar's seats."""
    return SeatsSet(program=PROGRAM, person=OMAR, side=Side.executive, capacity=capacity)


def taken(pair: str) -> Fact:
    """One of Omar's seats is taken."""
    return SeatTaken(program=PROGRAM, person=OMAR, pair=pair)


def office_hours(first: int = 36, last: int = 68) -> list[WeeklyWindow]:
    """The same quarter hours from Monday to Friday; 9:00 to 17:00 unless said otherwise."""
    return [WeeklyWindow(weekday=day, first=first, last=last) for day in range(5)]


def candidate(name: str, level: int, **other: Any) -> Candidate:
    """Somebody whom nothing keeps from being placed, except what is said otherwise."""
    usual: dict[str, Any] = {
        "function": "ops",
        "site": "here",
        "zone": "Europe/Berlin",
        "languages": ["en"],
        "offers": ["data"],
        "seeks": ["data"],
        "line": [],
        "line_complete": True,
        "channels": [Channel.video],
        "windows": office_hours(),
        "seats": 1,
        "paired": False,
        "charter": True,
        "rev": 1,
    }
    person = an_id("pe", name)
    return Candidate(person=person, level=level, after=f"{PROGRAM}/participation/{person}@2", **{**usual, **other})


def cohort(
    mentors: list[Candidate], executives: list[Candidate], barred: list[tuple[str, str]] | None = None, **rules: Any
) -> Cohort:
    """These people in a program of half a year; the other rules are the usual ones."""
    return Cohort(
        program=PROGRAM,
        rules=Rules(**rules),
        rules_version=1,
        opens=date(2026, 9, 1),
        closes=date(2027, 2, 28),
        mentors=mentors,
        executives=executives,
        barred=barred or [],
    )
