"""An idea: a card on the pair's own board."""

from __future__ import annotations

from datetime import datetime
from functools import singledispatch

from chassis.deciding.decider import Aggregate, Command, Refused, State, Unhandled
from contracts.fact import Fact
from contracts.scheduling import IDEA as CATEGORY
from contracts.scheduling import IdeaRaised
from contracts.types import ContentId, IdeaId, Instant, PairId, ProgramId, Side, Tag


class RaiseIdea(Command):
    """Put a card on the board. `released` is when the pair's end was heard of, where it is over."""

    program: ProgramId
    idea: IdeaId
    pair: PairId
    by: Side
    theme: Tag
    content: ContentId
    released: Instant | None = None


class Idea(State):
    """Whose card it is; no pair before it was raised."""

    pair: str = ""


@singledispatch
def decide(command: Command, idea: Idea, now: datetime) -> list[Fact]:
    """The facts that a command makes; raises `Refused` where a rule says no."""
    raise Unhandled(type(command).__name__)


@decide.register
def _(command: RaiseIdea, idea: Idea, now: datetime) -> list[Fact]:
    if idea.pair:
        return []
    if command.released is not None:
        raise Refused("pair-over", "The pair is over; its board is closed.")
    return [IdeaRaised(**command.model_dump(exclude={"released"}))]


def evolve(idea: Idea, fact: Fact) -> Idea:
    """The idea after one more fact."""
    return Idea(pair=fact.pair) if isinstance(fact, IdeaRaised) else idea


IDEA = Aggregate(CATEGORY, Idea(), decide, evolve)
