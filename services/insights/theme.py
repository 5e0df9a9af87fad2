"""A theme: said aloud, once a period, when enough people raised it."""

from __future__ import annotations

from datetime import datetime
from functools import singledispatch

from chassis.deciding.decider import Aggregate, Command, State, Unhandled
from contracts.fact import Fact
from contracts.insights import THEME, Band, Period, ThemePublished
from contracts.types import ProgramId, Tag


class PublishTheme(Command):
    """Say that a theme was raised in a period, by how many as a band."""

    program: ProgramId
    theme: Tag
    period: Period
    band: Band


class Theme(State):
    """The periods a theme was published for."""

    periods: tuple[Period, ...] = ()


@singledispatch
def decide(command: Command, state: Theme, now: datetime) -> list[Fact]:
    """What a theme's stream answers to a command."""
    raise Unhandled(type(command).__name__)


@decide.register
def _publish(command: PublishTheme, state: Theme, now: datetime) -> list[Fact]:
    if command.period in state.periods:
        return []
    return [
        ThemePublished(program=command.program, theme=command.theme, period=command.period, band=command.band),
    ]


def evolve(state: Theme, fact: Fact) -> Theme:
    """The state after one more fact."""
    match fact:
        case ThemePublished():
            return Theme(periods=(*state.periods, fact.period))
    return state


SPOKEN = Aggregate(THEME, Theme(), decide, evolve)
