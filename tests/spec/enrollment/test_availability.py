"""Weekly windows: joined without losing or inventing a quarter hour, and measured across midnight."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from contracts.profiles import WeeklyWindow
from services.enrollment.availability import joined, longest_minutes, minutes_week


def window(weekday: int, first: int, last: int) -> WeeklyWindow:
    return WeeklyWindow(weekday=weekday, first=first, last=last)


def quarters(windows: list[WeeklyWindow]) -> set[tuple[int, int]]:
    return {(w.weekday, q) for w in windows for q in range(w.first, w.last)}


weeks = st.lists(
    st.tuples(st.integers(0, 6), st.integers(0, 95), st.integers(1, 96)).filter(lambda t: t[1] < t[2]), max_size=12
).map(lambda found: [window(*w) for w in found])


@given(weeks)
def test_joined_windows_are_the_same_time_in_fewer_windows(windows: list[WeeklyWindow]) -> None:
    whole = joined(windows)
    assert quarters(whole) == quarters(windows)
    assert joined(whole) == whole
    assert len(whole) <= len(windows)
    assert all(a.weekday < b.weekday or a.last < b.first for a, b in itertools.pairwise(whole))
    assert minutes_week(whole) == 15 * len(quarters(windows))


@given(weeks)
def test_the_longest_time_is_between_the_longest_window_and_all_there_is(windows: list[WeeklyWindow]) -> None:
    whole = joined(windows)
    longest = longest_minutes(whole)
    assert max((15 * (w.last - w.first) for w in whole), default=0) <= longest <= min(minutes_week(whole), 24 * 60)


def test_time_goes_on_across_midnight_and_from_sunday_to_monday() -> None:
    assert longest_minutes([window(2, 92, 96), window(3, 0, 2)]) == 90
    assert longest_minutes([window(0, 0, 2), window(6, 92, 96)]) == 90
    assert longest_minutes([window(0, 40, 44), window(0, 45, 47)]) == 60


def test_no_time_is_none_and_all_the_time_is_a_day() -> None:
    assert longest_minutes([]) == minutes_week([]) == 0
    assert longest_minutes([window(day, 0, 96) for day in range(7)]) == 24 * 60
