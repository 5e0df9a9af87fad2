"""Working days: until when somebody has time to answer."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from contracts.enrollment import WorkingWeek

_DAYS = {WorkingWeek.mon_fri: (0, 1, 2, 3, 4), WorkingWeek.sun_thu: (6, 0, 1, 2, 3)}


def after_working_days(at: datetime, days: int, week: WorkingWeek, zone: str) -> datetime:
    """The same time of day `days` working days later, on a clock in `zone`; days off do not count."""
    here = ZoneInfo(zone)
    local = at.astimezone(here)
    working = _DAYS.get(week, _DAYS[WorkingWeek.mon_fri])
    while days:
        local += timedelta(days=1)
        days -= local.weekday() in working
    return local.astimezone(at.tzinfo)
