"""A diary: the stretches of one person's time that sessions hold. Written with every booking, so none can overlap."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import singledispatch

from pydantic import Field

from chassis.deciding.decider import Aggregate, Command, Refused, State, Unhandled
from contracts.fact import Fact
from contracts.scheduling import DIARY as CATEGORY
from contracts.scheduling import SlotFreed, SlotHeld
from contracts.types import Instant, PersonId, ProgramId, SessionId


class HoldSlot(Command):
    """Hold a stretch of time for a session; what the session held before is freed."""

    program: ProgramId
    person: PersonId
    session: SessionId
    start: Instant
    minutes: int


class FreeSlot(Command):
    """Free what a session holds, if it holds anything. The end of a pair (`released`) leaves what had begun by then."""

    session: SessionId
    released: Instant | None = None


class Diary(State):
    """What is held, by session."""

    slots: dict[str, SlotHeld] = Field(default_factory=dict)

    def spans(self) -> list[tuple[datetime, datetime]]:
        """Begin and end of everything held."""
        return [_span(slot.start, slot.minutes) for slot in self.slots.values()]


@singledispatch
def decide(command: Command, diary: Diary, now: datetime) -> list[Fact]:
    """The facts that a command makes of a diary; raises `Refused` where the time is taken."""
    raise Unhandled(type(command).__name__)


@decide.register
def _(command: HoldSlot, diary: Diary, now: datetime) -> list[Fact]:
    wanted = SlotHeld(**command.model_dump())
    begin, end = _span(wanted.start, wanted.minutes)
    before = diary.slots.get(command.session)
    if before == wanted:
        return []
    for session, slot in diary.slots.items():
        first, last = _span(slot.start, slot.minutes)
        if session != command.session and first < end and begin < last:
            raise Refused("time-taken", "One of the two has another session at that time; choose another time.")
    return [_freed(before), wanted] if before else [wanted]


@decide.register
def _(command: FreeSlot, diary: Diary, now: datetime) -> list[Fact]:
    before = diary.slots.get(command.session)
    if before is None or (command.released is not None and before.start < command.released):
        return []
    return [_freed(before)]


def evolve(diary: Diary, fact: Fact) -> Diary:
    """The diary after one more fact."""
    match fact:
        case SlotHeld():
            return Diary(slots={**diary.slots, fact.session: fact})
        case SlotFreed():
            return Diary(slots={k: v for k, v in diary.slots.items() if k != fact.session})
    return diary


def _freed(slot: SlotHeld) -> SlotFreed:
    return SlotFreed(**slot.model_dump())


def _span(start: datetime, minutes: int) -> tuple[datetime, datetime]:
    return start, start + timedelta(minutes=minutes)


DIARY = Aggregate(CATEGORY, Diary(), decide, evolve)
