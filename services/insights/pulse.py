"""A pulse: one answer on a scale of five, once per person, question and month. Sealed, and it names nobody."""

from __future__ import annotations

from datetime import datetime
from functools import singledispatch
from typing import Annotated

from pydantic import Field

from chassis.deciding.decider import Aggregate, Command, Refused, State, Unhandled
from contracts.fact import Fact
from contracts.insights import PULSE, PulseGiven, PulseKind
from contracts.types import Date, ProgramId, PulseId, Side

Value = Annotated[int, Field(strict=True, ge=1, le=5)]


class GivePulse(Command):
    """Answer one question. `week` is the Monday of the week."""

    program: ProgramId
    pulse: PulseId
    kind: PulseKind
    side: Side
    value: Value
    week: Date


class Pulse(State):
    """The answer, once it was given."""

    given: PulseGiven | None = None


@singledispatch
def decide(command: Command, state: Pulse, now: datetime) -> list[Fact]:
    """What a pulse's stream answers to a command."""
    raise Unhandled(type(command).__name__)


@decide.register
def _give(command: GivePulse, state: Pulse, now: datetime) -> list[Fact]:
    if state.given is None:
        return [
            PulseGiven(
                program=command.program,
                pulse=command.pulse,
                kind=command.kind,
                side=command.side,
                value=command.value,
                week=command.week,
            )
        ]
    if (state.given.value, state.given.side) == (command.value, command.side):
        return []
    raise Refused("already-answered", "you have answered this question this month; it is asked again next month")


def evolve(state: Pulse, fact: Fact) -> Pulse:
    """The state after one more fact."""
    match fact:
        case PulseGiven():
            return Pulse(given=fact)
    return state


ANSWER = Aggregate(PULSE, Pulse(), decide, evolve)


def month_of(week: Date) -> str:
    """The month an answer counts for: that of its week's Monday, which is all that is kept of the time."""
    return f"{week:%Y-%m}"
