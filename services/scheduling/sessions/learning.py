"""What each side learned in a session: one note a side, written when they come to it."""

from __future__ import annotations

from datetime import datetime
from functools import singledispatch

from pydantic import Field

from chassis.deciding.decider import Aggregate, Command, Refused, State, Unhandled
from contracts.fact import Fact
from contracts.scheduling import LEARNING as CATEGORY
from contracts.scheduling import LearningNoted
from contracts.types import ContentId, PairId, ProgramId, SessionId, Side, Tag


class NoteLearning(Command):
    """One side notes one thing. `held`: whether the session took place."""

    program: ProgramId
    session: SessionId
    pair: PairId
    side: Side
    tag: Tag
    themes: list[Tag]
    content: ContentId | None
    held: bool


class Learning(State):
    """The note of each side."""

    notes: dict[Side, LearningNoted] = Field(default_factory=dict)


@singledispatch
def decide(command: Command, learning: Learning, now: datetime) -> list[Fact]:
    """The facts that a command makes; raises `Refused` where a rule says no."""
    raise Unhandled(type(command).__name__)


@decide.register
def _(command: NoteLearning, learning: Learning, now: datetime) -> list[Fact]:
    if not command.held:
        raise Refused("not-held", "Learning is noted after the session; record first that it took place.")
    noted = LearningNoted(**command.model_dump(exclude={"held"}))
    before = learning.notes.get(command.side)
    if before is None:
        return [noted]
    if before == noted:
        return []
    raise Refused("already-noted", "Your side has noted what it learned in this session.")


def evolve(learning: Learning, fact: Fact) -> Learning:
    """The notes after one more fact."""
    if isinstance(fact, LearningNoted):
        return Learning(notes={**learning.notes, fact.side: fact})
    return learning


LEARNING = Aggregate(CATEGORY, Learning(), decide, evolve)
