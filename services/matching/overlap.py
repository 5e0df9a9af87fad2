"""Common time: weekly windows on two clocks, laid over the real weeks of a program, in UTC quarter hours."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from contracts.profiles import WeeklyWindow

QUARTER = 15
"""Minutes."""
DAY = 96
WEEK = 7 * DAY

Week = NDArray[np.bool_]
"""672 quarter hours from Monday midnight; the week is a ring."""
Season = dict[str, int]
"""How many quarter hours each zone is ahead of UTC, at the same time."""


def week(windows: Iterable[WeeklyWindow]) -> Week:
    """The quarter hours of the windows, on the clock they are written for."""
    free = np.zeros(WEEK, dtype=np.bool_)
    for w in windows:
        free[w.weekday * DAY + w.first : w.weekday * DAY + w.last] = True
    return free


def seasons(zones: Iterable[str], opens: date, closes: date) -> list[Season]:
    """Every combination of offsets that the zones have on some day from `opens` to `closes`.

    Zones change between summer and winter time on different days: what two people have in common is then another
    stretch of time for a few weeks, and those weeks count.
    """
    clocks = [(name, ZoneInfo(name)) for name in sorted(set(zones))]
    found: dict[tuple[int, ...], None] = {}
    for day in range(max(0, (closes - opens).days) + 1):
        noon = datetime.combine(opens + timedelta(days=day), time(12), UTC)
        found[tuple(_offset(noon.astimezone(zone)) for _, zone in clocks)] = None
    return [dict(zip((name for name, _ in clocks), offsets, strict=True)) for offsets in found]


def _offset(local: datetime) -> int:
    ahead = local.utcoffset() or timedelta(0)
    return ahead // timedelta(minutes=QUARTER)


def in_utc(free: Week, ahead: int) -> Week:
    """A week on a clock `ahead` quarter hours of UTC, as UTC."""
    return np.roll(free, -ahead)


def calendars(people: Sequence[tuple[Week, str]], over: Sequence[Season]) -> NDArray[np.uint64]:
    """[season, person, word]: the quarter hours in UTC that each person, a week on the clock of a zone, has in each
    season, as bits; the first is the lowest bit of the first word."""
    padded = np.zeros((len(over), len(people), -(-WEEK // 64) * 64), dtype=np.bool_)
    for k, season in enumerate(over):
        for row, (free, zone) in enumerate(people):
            padded[k, row, :WEEK] = in_utc(free, season[zone])
    return np.packbits(padded, axis=2, bitorder="little").view(np.uint64)
