"""Who is away, and for how long clocks have stood still because of it. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta

from chassis.receiving.views import Row


class Away(Row):
    """One pause of a person as it was said: since when, until which day they mean to be away, and when it was over."""

    since: datetime
    until: date | None = None
    back: datetime | None = None


def stood_still(pauses: Iterable[Away], since: datetime, now: datetime) -> timedelta:
    """How much of the time from `since` to `now` lies in any of the pauses; where several overlap it counts once."""
    total, reached = timedelta(), since
    for begin, end in sorted((pause.since, pause.back or now) for pause in pauses):
        begin, end = max(begin, reached), min(end, now)
        if end > begin:
            total += end - begin
            reached = end
    return total


def going_on(pauses: Iterable[Away]) -> list[Away]:
    """Those of the pauses that are not over."""
    return [pause for pause in pauses if pause.back is None]


def expected_back(pauses: Iterable[Away]) -> date | None:
    """The first day on which nobody means to be away any more; None where somebody does not know."""
    days = [pause.until for pause in going_on(pauses)]
    return None if None in days else max((day for day in days if day), default=None)
