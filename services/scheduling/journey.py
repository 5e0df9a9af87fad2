"""A journey: the series of sessions that a formed pair goes through."""

from __future__ import annotations

from datetime import datetime
from functools import singledispatch
from typing import Literal

from chassis.deciding.decider import Aggregate, Command, Refused, State, Unhandled
from contracts.fact import Fact
from contracts.scheduling import JOURNEY as CATEGORY
from contracts.scheduling import JourneyCompleted, JourneyOpened
from contracts.types import PairId, ProgramId, Side


class OpenJourney(Command):
    """Plan a pair's series of sessions."""

    program: ProgramId
    pair: PairId
    sessions: int
    cadence_weeks: int
    minutes: int
    driver: Side


class CompleteJourney(Command):
    """The last session was held; `held` in all."""

    held: int


class Journey(State):
    """What is planned. `minutes` is the length of a session."""

    state: Literal["none", "open", "completed"] = "none"
    program: str = ""
    pair: str = ""
    sessions: int = 0
    cadence_weeks: int = 1
    minutes: int = 0
    driver: Side = Side.mentor


@singledispatch
def decide(command: Command, journey: Journey, now: datetime) -> list[Fact]:
    """The facts that a command makes of a journey; raises `Refused` where a rule says no."""
    raise Unhandled(type(command).__name__)


@decide.register
def _(command: OpenJourney, journey: Journey, now: datetime) -> list[Fact]:
    return [] if journey.state != "none" else [JourneyOpened(**command.model_dump())]


@decide.register
def _(command: CompleteJourney, journey: Journey, now: datetime) -> list[Fact]:
    if journey.state == "none":
        raise Refused("no-such-journey", "This pair has no journey.")
    if journey.state == "completed":
        return []
    return [JourneyCompleted(program=journey.program, pair=journey.pair, held=command.held, exchanged=0)]


def evolve(journey: Journey, fact: Fact) -> Journey:
    """The journey after one more fact."""
    match fact:
        case JourneyOpened():
            return Journey(state="open", **fact.model_dump())
        case JourneyCompleted():
            return journey.model_copy(update={"state": "completed"})
    return journey


JOURNEY = Aggregate(CATEGORY, Journey(), decide, evolve)
