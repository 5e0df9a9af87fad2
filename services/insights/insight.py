"""An insight: a theme that somebody handed to the organisation. Sealed: no fact of it leaves this service."""

from __future__ import annotations

from datetime import datetime
from functools import singledispatch

from chassis.deciding.decider import Aggregate, Command, State, Unhandled
from contracts.fact import Fact
from contracts.insights import INSIGHT, InsightRaised
from contracts.types import ContentId, Date, InsightId, ProgramId, Tag


class RaiseInsight(Command):
    """Hand a theme to the organisation; again, where there is more to say. `week` is the Monday of the week."""

    program: ProgramId
    insight: InsightId
    theme: Tag
    content: ContentId | None
    week: Date


class Insight(State):
    """One person's voice on one theme: its stream's id is a keyed hash of both, so counting streams counts people."""

    theme: Tag | None = None
    weeks: tuple[Date, ...] = ()
    """The Mondays of the weeks in which it was raised; a week may be there more than once."""
    contents: tuple[ContentId, ...] = ()


@singledispatch
def decide(command: Command, state: Insight, now: datetime) -> list[Fact]:
    """What an insight's stream answers to a command."""
    raise Unhandled(type(command).__name__)


@decide.register
def _raise(command: RaiseInsight, state: Insight, now: datetime) -> list[Fact]:
    if command.content is None and command.week in state.weeks:
        return []
    return [
        InsightRaised(
            program=command.program,
            insight=command.insight,
            theme=command.theme,
            content=command.content,
            week=command.week,
        )
    ]


def evolve(state: Insight, fact: Fact) -> Insight:
    """The state after one more fact."""
    match fact:
        case InsightRaised():
            contents = (*state.contents, fact.content) if fact.content else state.contents
            return state.model_copy(
                update={"theme": fact.theme, "weeks": (*state.weeks, fact.week), "contents": contents}
            )
    return state


VOICE = Aggregate(INSIGHT, Insight(), decide, evolve)
