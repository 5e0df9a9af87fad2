"""Common time holds in every week of the program, whatever the clocks of the two do."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given as for_all
from hypothesis import settings
from hypothesis import strategies as st

from contracts.profiles import WeeklyWindow
from services.matching.overlap import WEEK, calendars, in_utc, seasons, week
from services.matching.solver.scores import common, starts
from tests.spec.matching.people import office_hours

AUTUMN = date(2026, 9, 1), date(2026, 11, 30)


def of(ours: list[WeeklyWindow], here: str, theirs: list[WeeklyWindow], there: str, minutes: int) -> tuple[int, bool]:
    over = seasons({here, there}, *AUTUMN)
    one, other = calendars([(week(ours), here)], over), calendars([(week(theirs), there)], over)
    room = starts(one, -(-minutes // 15)) & starts(other, -(-minutes // 15))
    return int(common(one, other).min()) * 15, bool(room.any(axis=2).all())


def test_the_seasons_are_the_combinations_of_offsets_that_occur() -> None:
    """Berlin goes to winter time a week before New York; Kolkata never does."""
    found = seasons(["Europe/Berlin", "America/New_York", "Asia/Kolkata"], *AUTUMN)
    assert [(s["Europe/Berlin"], s["America/New_York"], s["Asia/Kolkata"]) for s in found] == [
        (8, -16, 22),
        (4, -16, 22),
        (4, -20, 22),
    ]


def test_the_least_of_all_seasons_counts() -> None:
    """Nine to five in both cities: two hours in common, three in the week between the two changes of the clocks."""
    assert of(office_hours(), "Europe/Berlin", office_hours(), "America/New_York", 120) == (5 * 120, True)
    assert of(office_hours(), "Europe/Berlin", office_hours(), "America/New_York", 135) == (5 * 120, False)


def test_an_hour_lost_for_one_week_is_no_common_hour() -> None:
    """18:00 in Berlin is noon in New York, but 13:00 in the week between."""
    evening, noon = office_hours(72, 76), office_hours(48, 52)
    assert of(evening, "Europe/Berlin", noon, "America/New_York", 15) == (0, False)
    assert of(evening, "Europe/Berlin", office_hours(48, 56), "America/New_York", 60) == (5 * 60, True)


def test_the_week_is_a_ring_and_midnight_no_border() -> None:
    sunday_night = [WeeklyWindow(weekday=6, first=92, last=96), WeeklyWindow(weekday=0, first=0, last=4)]
    assert of(sunday_night, "UTC", sunday_night, "UTC", 120) == (120, True)
    assert of(sunday_night, "UTC", sunday_night, "UTC", 135) == (120, False)


def test_split_time_is_no_window() -> None:
    morning = [WeeklyWindow(weekday=0, first=36, last=38), WeeklyWindow(weekday=0, first=40, last=42)]
    assert of(morning, "UTC", morning, "UTC", 30) == (60, True)
    assert of(morning, "UTC", morning, "UTC", 45) == (60, False)


WINDOW = st.builds(
    lambda day, first, length: WeeklyWindow(weekday=day, first=first, last=min(96, first + length)),
    st.integers(0, 6),
    st.integers(0, 95),
    st.integers(1, 20),
)
ZONE = st.sampled_from(["Europe/Berlin", "America/New_York", "Asia/Kolkata", "Asia/Kathmandu", "Pacific/Kiritimati"])


def free_at(windows: list[WeeklyWindow], zone: ZoneInfo, at: datetime) -> bool:
    here = at.astimezone(zone)
    quarter = here.hour * 4 + here.minute // 15
    return any(w.weekday == here.weekday() and w.first <= quarter < w.last for w in windows)


@settings(max_examples=25, deadline=None)
@for_all(st.lists(WINDOW, max_size=6), ZONE, st.lists(WINDOW, max_size=6), ZONE, st.sampled_from([15, 45, 50]))
def test_it_agrees_with_walking_through_the_weeks(
    ours: list[WeeklyWindow], here: str, theirs: list[WeeklyWindow], there: str, minutes: int
) -> None:
    """Quarter hour by quarter hour, over a week of each season, none of which holds a change of the clocks.

    Berlin changes on 25 October at 1:00 UTC, New York on 1 November at 6:00 UTC: the week between begins on a Sunday.
    """
    clocks = ZoneInfo(here), ZoneInfo(there)
    least, fits = WEEK * 15, True
    weeks = [datetime(2026, 9, 7, tzinfo=UTC), datetime(2026, 10, 25, 2, tzinfo=UTC), datetime(2026, 11, 9, tzinfo=UTC)]
    for start in weeks:
        times = [start + timedelta(minutes=15 * q) for q in range(WEEK)]
        both = [free_at(ours, clocks[0], t) and free_at(theirs, clocks[1], t) for t in times]
        least = min(least, 15 * sum(both))
        needed = -(-minutes // 15)
        fits = fits and any(all(both[(q + k) % WEEK] for k in range(needed)) for q in range(WEEK))
    assert of(ours, here, theirs, there, minutes) == (least, fits)


@pytest.mark.parametrize("ahead", [-40, -1, 0, 22, 56])
def test_a_clock_ahead_reaches_its_hours_earlier_in_utc(ahead: int) -> None:
    monday_noon = week([WeeklyWindow(weekday=0, first=48, last=49)])
    assert in_utc(monday_noon, ahead)[(48 - ahead) % WEEK]
    bits = calendars([(monday_noon, "UTC")], [{"UTC": 0}])
    assert np.bitwise_count(starts(bits, 1)).sum() == 1
    assert np.bitwise_count(starts(bits, 2)).sum() == 0
