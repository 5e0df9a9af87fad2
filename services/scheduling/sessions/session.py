"""A session: times are proposed, one is booked and perhaps moved; then it is held, or cancelled."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import singledispatch
from typing import Any, Literal

from chassis.deciding.decider import Aggregate, Command, Refused, State, Unhandled
from contracts.fact import Fact
from contracts.profiles import Channel
from contracts.scheduling import SESSION as CATEGORY
from contracts.scheduling import (
    CancelCause,
    SessionCancelled,
    SessionHeld,
    SessionMoved,
    SessionProposed,
    SessionScheduled,
    Window,
)
from contracts.types import Actor, Instant, PairId, ProgramId, SessionId, Side

FURTHEST = timedelta(days=366)
"""How far ahead a session may be moved."""


class ProposeSession(Command):
    """Offer up to three times for a session."""

    program: ProgramId
    session: SessionId
    pair: PairId
    number: int
    windows: list[Window]
    answer_by: Instant


class BookSession(Command):
    """Take one of the proposed times. `released` is when the pair's end was heard of, where it is over."""

    window: int
    channel: Channel
    released: Instant | None = None


class MoveSession(Command):
    """Give a booked session another time."""

    start: Instant
    by: Actor
    released: Instant | None = None


class CancelSession(Command):
    """Give a session up. A pair that ended cancels what had not begun by then (`released`)."""

    by: Actor
    cause: CancelCause
    released: Instant | None = None


class LapseSession(Command):
    """All the proposed times have passed, and none was taken."""


class HoldSession(Command):
    """Record that a session took place."""

    minutes: int
    channel: Channel
    by: Side
    released: Instant | None = None


class Session(State):
    """One session as far as it has come."""

    state: Literal["none", "proposed", "scheduled", "held", "cancelled"] = "none"
    program: str = ""
    session: str = ""
    pair: str = ""
    number: int = 0
    windows: tuple[Window, ...] = ()
    answer_by: datetime | None = None
    start: datetime | None = None
    minutes: int = 0
    channel: Channel | None = None
    sequence: int = 0
    by: str | None = None

    def window(self, index: int) -> Window:
        """One of the proposed times. Raises `Refused` where there is no such."""
        if not 0 <= index < len(self.windows):
            detail = f"There are {len(self.windows)} proposed times; the first is 0."
            raise Refused("no-such-window", detail, pointer="/window")
        return self.windows[index]


@singledispatch
def decide(command: Command, session: Session, now: datetime) -> list[Fact]:
    """The facts that a command makes of a session; raises `Refused` where a rule says no."""
    raise Unhandled(type(command).__name__)


@decide.register
def _(command: ProposeSession, session: Session, now: datetime) -> list[Fact]:
    return [] if session.state != "none" else [SessionProposed(**command.model_dump())]


@decide.register
def _(command: BookSession, session: Session, now: datetime) -> list[Fact]:
    _there(session)
    window = session.window(command.window)
    if session.state == "scheduled":
        if (session.start, session.channel) == (window.start, command.channel):
            return []
        raise Refused("already-booked", "The session has its time already; move it instead.")
    _living(session, command.released)
    if window.start <= now:
        raise Refused("time-past", "That time has passed; choose another, or cancel to be offered new ones.")
    return [
        SessionScheduled(
            **_ids(session), start=window.start, minutes=window.minutes, channel=command.channel, sequence=0
        )
    ]


@decide.register
def _(command: MoveSession, session: Session, now: datetime) -> list[Fact]:
    start, channel = _booked(session)
    _living(session, command.released)
    if command.start == start:
        return []
    if command.start <= now:
        raise Refused("time-past", "A session can only be moved to a time that is still to come.", pointer="/start")
    if command.start > now + FURTHEST:
        raise Refused("too-far", "A session can be moved a year ahead at most.", pointer="/start")
    return [
        SessionMoved(
            **_ids(session),
            start=command.start,
            minutes=session.minutes,
            channel=channel,
            sequence=session.sequence + 1,
            by=command.by,
            notice_hours=_hours(start - now),
        )
    ]


@decide.register
def _(command: CancelSession, session: Session, now: datetime) -> list[Fact]:
    _there(session)
    if session.state == "cancelled":
        return []
    if command.released is not None and (session.state == "held" or _begun(session, command.released)):
        return []  # it took place, or its time came before the end: it may still be recorded
    if session.state == "held":
        raise Refused("session-held", "The session took place; it can no longer be cancelled.")
    return [
        SessionCancelled(
            **_ids(session),
            by=command.by,
            notice_hours=None if session.start is None else _hours(session.start - now),
            cause=command.cause,
            sequence=session.sequence + (session.start is not None),
        )
    ]


@decide.register
def _(command: LapseSession, session: Session, now: datetime) -> list[Fact]:
    if session.state != "proposed" or now < last_start(session.windows):
        return []
    return [
        SessionCancelled(
            **_ids(session), by=Actor.program, notice_hours=None, cause=CancelCause.lapsed, sequence=session.sequence
        )
    ]


@decide.register
def _(command: HoldSession, session: Session, now: datetime) -> list[Fact]:
    if session.state == "held":
        return []  # both sides may say so
    start, _ = _booked(session)
    if command.released is not None and not _begun(session, command.released):
        raise Refused("pair-over", "The pair was over before this session began.")
    if now < start:
        raise Refused("not-begun", "A session can be recorded once its time has come; move it if you met earlier.")
    return [
        SessionHeld(
            **_ids(session), start=start, minutes=command.minutes, channel=command.channel, recorded_by=command.by
        )
    ]


def evolve(session: Session, fact: Fact) -> Session:
    """The session after one more fact."""
    match fact:
        case SessionProposed():
            return Session(state="proposed", **{**fact.model_dump(), "windows": tuple(fact.windows)})
        case SessionScheduled() | SessionMoved():
            known = fact.model_dump(include={"start", "minutes", "channel", "sequence"})
            return session.model_copy(update={"state": "scheduled", **known})
        case SessionCancelled():
            return session.model_copy(update={"state": "cancelled", "sequence": fact.sequence, "by": fact.by.value})
        case SessionHeld():
            return session.model_copy(update={"state": "held", "minutes": fact.minutes, "channel": fact.channel})
    return session


def last_start(windows: Iterable[Window]) -> datetime:
    """From when on none of the proposed times can be taken any more."""
    return max(window.start for window in windows)


def _ids(session: Session) -> dict[str, Any]:
    return session.model_dump(include={"program", "session", "pair", "number"})


def _hours(ahead: timedelta) -> int:
    return max(0, ahead // timedelta(hours=1))


def _begun(session: Session, at: datetime) -> bool:
    return session.start is not None and session.start < at


def _there(session: Session) -> None:
    if session.state == "none":
        raise Refused("no-such-session", "There is no such session.")


def _living(session: Session, released: datetime | None) -> None:
    if session.state in ("held", "cancelled"):
        raise Refused(f"session-{session.state}", f"The session is {session.state} already.")
    if released is not None:
        raise Refused("pair-over", "The pair is over; nothing more can be planned.")


def _booked(session: Session) -> tuple[datetime, Channel]:
    """When and how a booked session takes place. Raises `Refused` where it is not booked."""
    _there(session)
    if session.state == "cancelled":
        raise Refused("session-cancelled", "The session was cancelled.")
    if session.state == "held":
        raise Refused("session-held", "The session took place already.")
    if session.start is None or session.channel is None:
        raise Refused("not-booked", "The session has no time yet; book one of the proposed times first.")
    return session.start, session.channel


SESSION = Aggregate(CATEGORY, Session(), decide, evolve)
