"""Times that suit two people in two zones. All is counted in quarter hours of UTC, so no clock change can bite."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from zoneinfo import ZoneInfo

from contracts.profiles import WeeklyWindow
from contracts.scheduling import Fit, Window

NOTICE = timedelta(days=2)
"""Nothing is proposed sooner than this."""
EARLIER = timedelta(days=3)
"""How long before the wanted moment the search begins."""
SEARCHED = timedelta(weeks=4)
"""How far the search reaches before it takes what suits less well."""
MOST = 3
"""Times proposed at once."""
WORKDAY = tuple(WeeklyWindow(weekday=day, first=9 * 4, last=17 * 4) for day in range(5))
"""When somebody who has declared no time is asked, on their own clock."""

_QUARTER = 15 * 60
_MARGIN = 7 * 24 * 4
"""How far around the search a person's own time is looked at, to tell the nearest."""
_FIRST_CIVIL, _LAST_CIVIL = 7 * 4, 21 * 4
_UNCIVIL = 12 * 4
"""What a time in somebody's night costs, in quarter hours of distance from the time they have."""


@dataclass(frozen=True)
class Calendar:
    """One person's time: weekly windows on their own clock, and what is booked already (begin and end)."""

    zone: str
    windows: tuple[WeeklyWindow, ...]
    busy: tuple[tuple[datetime, datetime], ...] = ()


def propose(mentor: Calendar, executive: Calendar, minutes: int, around: datetime, now: datetime) -> list[Window]:
    """One to three times on different days of the mentor's, as near as can be to `around`, in order.

    They suit both; where no time does, they are the nearest ones that could do if need be. None overlaps what either
    has booked, and none is sooner than `NOTICE`.
    """
    earliest = int(-(-(now + NOTICE).timestamp() // _QUARTER))
    wanted = max(int(around.timestamp() // _QUARTER), earliest)
    first = max(wanted - EARLIER // timedelta(seconds=_QUARTER), earliest)
    reach = SEARCHED // timedelta(seconds=_QUARTER)
    length = -(-minutes * 60 // _QUARTER)
    busy = _taken((*mentor.busy, *executive.busy))
    for begin in count(first, reach):
        starts = [q for q in range(begin, begin + reach) if busy.isdisjoint(range(q, q + length))]
        if starts:
            quarters = range(begin - _MARGIN, begin + reach + _MARGIN)
            fit, best = _best(starts, wanted, _Person(mentor, quarters, length), _Person(executive, quarters, length))
            return [Window(start=_instant(q), minutes=minutes, fit=fit) for q in best]
    raise AssertionError("a diary is never full for ever")


def local_text(start: datetime, zone: str) -> str:
    """`start` on the clock of `zone`, with its offset: `2027-03-16T20:00+05:30`."""
    return start.astimezone(ZoneInfo(zone)).isoformat(timespec="minutes")


class _Person:
    """What of a range of quarter hours one person has."""

    def __init__(self, calendar: Calendar, quarters: range, length: int) -> None:
        self._zone = ZoneInfo(calendar.zone)
        self._length = length
        week = {(w.weekday, q) for w in calendar.windows or WORKDAY for q in range(w.first, w.last)}
        free = {q for q in quarters if self._clock(q) in week}
        self.starts = {q for q in free if free.issuperset(range(q, q + length))} if calendar.windows else set[int]()
        self._near = sorted(self.starts or free)

    def _clock(self, quarter: int) -> tuple[int, int] | None:
        """Weekday and quarter hour on the person's clock; None for an hour that the clock shows a second time."""
        local = _instant(quarter).astimezone(self._zone)
        return None if local.fold else (local.weekday(), local.hour * 4 + local.minute // 15)

    def day(self, quarter: int) -> int:
        """Which day it is where the person is."""
        return _instant(quarter).astimezone(self._zone).toordinal()

    def cost(self, quarter: int) -> int:
        """How little a start suits: 0 where it does, else the distance to the nearest that would, and more at night."""
        if quarter in self.starts:
            return 0
        at = bisect_left(self._near, quarter)
        far = min((abs(quarter - near) for near in self._near[max(0, at - 1) : at + 1]), default=0)
        clock = self._clock(quarter)
        civil = clock is not None and _FIRST_CIVIL <= clock[1] <= _LAST_CIVIL - self._length
        return far if civil else far + _UNCIVIL


def _best(starts: Sequence[int], wanted: int, mentor: _Person, executive: _Person) -> tuple[Fit, list[int]]:
    """The best start of each of the best days, in order, and whom they suit."""
    both = [q for q in starts if q in mentor.starts and q in executive.starts]
    best: dict[int, int] = {}
    for quarter in sorted(both or starts, key=lambda q: (mentor.cost(q) + executive.cost(q), abs(q - wanted))):
        best.setdefault(mentor.day(quarter), quarter)
        if len(best) == MOST:
            break
    return (Fit.both if both else Fit.if_need_be), sorted(best.values())


def _taken(spans: Iterable[tuple[datetime, datetime]]) -> set[int]:
    return {
        quarter
        for begin, end in spans
        for quarter in range(int(begin.timestamp() // _QUARTER), int(-(-end.timestamp() // _QUARTER)))
    }


def _instant(quarter: int) -> datetime:
    return datetime.fromtimestamp(quarter * _QUARTER, UTC)
