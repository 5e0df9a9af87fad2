"""Pauses begin and end on their days, at midnight where the person is: enrollment's clock says so."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from chassis.deciding.decider import On
from chassis.receiving.tasks import NotYet, Task, Work
from contracts.enrollment import PauseArranged
from contracts.profiles import PROFILES, profile_key
from services.enrollment.participation import PARTICIPATION, KeepPause

EARLIEST = timedelta(hours=14)
"""How long before UTC's midnight a day begins somewhere."""


def today_in(zone: str | None, now: datetime) -> date:
    """Which day it is on a person's clock; UTC's where theirs is not known."""
    return now.astimezone(ZoneInfo(zone or "UTC")).date()


async def begin(fact: PauseArranged, work: Work) -> None:
    """The first day has come."""
    await _keep(fact, work, fact.starts)


async def end(fact: PauseArranged, work: Work) -> None:
    """They are back; nothing where they have not said when."""
    if fact.until is not None:
        await _keep(fact, work, fact.until)


async def _keep(fact: PauseArranged, work: Work, day: date) -> None:
    profile = await work.latest.get(PROFILES, profile_key(work.scope, fact.person))
    zone = (profile or {}).get("zone")
    today = today_in(zone, work.now())
    if today < day:
        raise NotYet(datetime.combine(day, time(), ZoneInfo(zone or "UTC")).astimezone(UTC))
    stream = PARTICIPATION.stream(work.scope, fact.person)
    await work.run(On(PARTICIPATION, stream, KeepPause(pause=fact.pause, today=today)))


def _begins(fact: PauseArranged, at: datetime) -> datetime:
    return _midnight(fact.starts)


def _ends(fact: PauseArranged, at: datetime) -> datetime:
    return _midnight(fact.until) if fact.until else at


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC) - EARLIEST


TASKS: list[Task[Any]] = [
    Task("begin_pause", PauseArranged, begin, due=_begins, key=lambda fact: fact.pause),
    Task("end_pause", PauseArranged, end, due=_ends, key=lambda fact: fact.pause),
]
