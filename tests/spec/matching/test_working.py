"""Days to answer are working days, and end at the same time on the person's own clock."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from contracts.enrollment import WorkingWeek
from services.matching.working import after_working_days


def at(day: int, hour: int, month: int = 10) -> datetime:
    return datetime(2026, month, day, hour, tzinfo=UTC)


@pytest.mark.parametrize(
    ("asked", "week", "expected"),
    [
        (at(5, 9), WorkingWeek.mon_fri, at(8, 9)),  # Monday to Thursday
        (at(8, 9), WorkingWeek.mon_fri, at(13, 9)),  # Thursday, over the weekend, to Tuesday
        (at(10, 9), WorkingWeek.mon_fri, at(14, 9)),  # on a Saturday: counts from Monday
        (at(8, 9), WorkingWeek.sun_thu, at(13, 9)),  # Friday and Saturday are off
        (at(9, 9), WorkingWeek.sun_thu, at(13, 9)),
    ],
)
def test_days_off_do_not_count(asked: datetime, week: WorkingWeek, expected: datetime) -> None:
    assert after_working_days(asked, 3, week, "UTC") == expected


def test_the_day_is_the_one_on_the_persons_clock() -> None:
    """Sunday evening in UTC is Monday morning in Auckland: Tuesday is the first working day after it."""
    assert after_working_days(at(4, 20), 1, WorkingWeek.mon_fri, "Pacific/Auckland") == at(5, 20)
    assert after_working_days(at(4, 20), 1, WorkingWeek.mon_fri, "UTC") == at(5, 20)
    assert after_working_days(at(1, 20), 1, WorkingWeek.mon_fri, "Pacific/Auckland") == at(4, 20)


def test_a_change_of_the_clocks_does_not_move_the_hour_of_day() -> None:
    """Berlin goes back to winter time on the 25th: nine o'clock is an hour later in UTC."""
    assert after_working_days(at(23, 7), 1, WorkingWeek.mon_fri, "Europe/Berlin") == at(26, 8)
