"""A pair: one mentor and one executive. It forms once, and it ends without saying who wanted that."""

from __future__ import annotations

from datetime import date, datetime
from functools import singledispatch
from typing import Any, Literal, TypeVar

from chassis.deciding.decider import Aggregate, Command, Refused, State
from contracts.fact import Fact
from contracts.matching import PAIR as CATEGORY
from contracts.matching import PairFormed, PairPaused, PairReleased, PairResumed, ReleaseCause
from contracts.types import Instant


class FormPair(Command):
    """Make two people a pair, once both have said yes. `after` are the facts about them that matching had seen."""

    program: str
    pair: str
    mentor: str
    executive: str
    round: str | None
    rules_version: int
    after: list[str]
    mentor_rev: int
    executive_rev: int


class ReleasePair(Command):
    """End a pair."""

    cause: ReleaseCause


class PausePair(Command):
    """One of the two is away, as far as is known `until` a day."""

    until: date | None


class ResumePair(Command):
    """Neither of the two is away."""


class Pair(State):
    """Who they are and whether they still are a pair."""

    state: Literal["none", "formed", "released"] = "none"
    program: str = ""
    pair: str = ""
    mentor: str = ""
    executive: str = ""
    round: str = ""
    rules_version: int = 0
    formed: Instant | None = None
    paused: bool = False
    until: date | None = None
    cause: ReleaseCause | None = None


P = TypeVar("P", bound=Pair)


@singledispatch
def decide(command: Any, pair: Pair, now: datetime) -> list[Fact]:
    """Facts that follow from a command, or `Refused`."""
    raise TypeError(f"a pair knows no {type(command).__name__}")


@decide.register
def _(command: FormPair, pair: Pair, now: datetime) -> list[Fact]:
    if pair.state == "formed":
        return []
    if pair.state == "released":
        raise Refused("ineligible", "these two have been a pair before")
    return [PairFormed(**command.model_dump(), formed=now)]


@decide.register
def _(command: ReleasePair, pair: Pair, now: datetime) -> list[Fact]:
    if pair.state == "none":
        raise Refused("no-such-pair", "there is no such pair")
    if pair.state == "released":
        return []
    return [PairReleased(program=pair.program, pair=pair.pair, cause=command.cause)]


@decide.register
def _(command: PausePair, pair: Pair, now: datetime) -> list[Fact]:
    if pair.state != "formed" or pair.paused:
        return []
    return [PairPaused(program=pair.program, pair=pair.pair, until=command.until)]


@decide.register
def _(command: ResumePair, pair: Pair, now: datetime) -> list[Fact]:
    if pair.state != "formed" or not pair.paused:
        return []
    return [PairResumed(program=pair.program, pair=pair.pair)]


def evolve(pair: P, fact: Fact) -> P:
    """The pair after one more fact."""
    match fact:
        case PairFormed():
            kept = ("program", "pair", "mentor", "executive", "rules_version", "formed")
            who = {k: getattr(fact, k) for k in kept}
            return pair.model_copy(update={"state": "formed", "round": fact.round or ""} | who)
        case PairPaused():
            return pair.model_copy(update={"paused": True, "until": fact.until})
        case PairResumed():
            return pair.model_copy(update={"paused": False, "until": None})
        case PairReleased():
            return pair.model_copy(update={"state": "released", "cause": fact.cause, "paused": False, "until": None})
    return pair


PAIR = Aggregate(CATEGORY, Pair(), decide, evolve)
