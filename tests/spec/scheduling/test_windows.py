"""Proposed times suit both clocks in any zones, also in the weeks when only one of them has changed."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given as each
from hypothesis import settings
from hypothesis import strategies as st

from contracts.profiles import WeeklyWindow
from contracts.scheduling import Fit, Window
from services.scheduling.sessions.windows import MOST, NOTICE, SEARCHED, Calendar, local_text, propose

ZONES = [
    "America/New_York",
    "America/Phoenix",
    "America/Sao_Paulo",
    "Africa/Casablanca",
    "Asia/Kathmandu",
    "Asia/Kolkata",
    "Australia/Lord_Howe",
    "Europe/Berlin",
    "Pacific/Apia",
    "Pacific/Kiritimati",
    "UTC",
]
CHANGES = [
    datetime(2027, 3, 8, tzinfo=UTC),  # the US changes on 14 March, Europe on the 28th
    datetime(2027, 10, 25, tzinfo=UTC),  # Europe changes on 31 October, the US on 7 November
    datetime(2027, 4, 1, 3, 7, 11, tzinfo=UTC),  # Lord Howe goes back half an hour on 4 April
    datetime(2027, 9, 25, 22, tzinfo=UTC),  # and forward on 3 October
    datetime(2027, 2, 1, tzinfo=UTC),  # Casablanca changes around Ramadan
]
QUARTER = timedelta(minutes=15)


def weekly(weekday: int, first: str, last: str) -> WeeklyWindow:
    """A window from `first` to `last`, as `hh:mm`."""
    begin, end = (int(t[:2]) * 4 + int(t[3:]) // 15 for t in (first, last))
    return WeeklyWindow(weekday=weekday, first=begin, last=end)


def instants(calendar: Calendar, first: date, days: int) -> set[datetime]:
    """The oracle: every quarter hour that the person has, from the wall clock forwards.

    A quarter that the clock skips does not exist; of one that it shows twice the first counts.
    """
    zone, found = ZoneInfo(calendar.zone), set()
    for n in range(days):
        day = first + timedelta(days=n)
        for window in calendar.windows:
            for quarter in range(window.first, window.last):
                if window.weekday == day.weekday():
                    wall = datetime.combine(day, time(quarter // 4, quarter % 4 * 15), zone)
                    at = wall.astimezone(UTC)
                    if at.astimezone(zone).replace(tzinfo=None) == wall.replace(tzinfo=None):
                        found.add(at)
    return found


def quarters(start: datetime, minutes: int) -> set[datetime]:
    return {start + QUARTER * n for n in range(-(-minutes // 15))}


@st.composite
def calendars(draw: st.DrawFn, windows: int = 6, busy: int = 30) -> Calendar:
    spans = draw(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 92), st.integers(1, 24)), max_size=windows))
    taken = draw(st.lists(st.tuples(st.integers(0, 40 * 96), st.integers(1, 1500)), max_size=busy))
    at = draw(st.sampled_from(CHANGES))
    return Calendar(
        zone=draw(st.sampled_from(ZONES)),
        windows=tuple(WeeklyWindow(weekday=d, first=f, last=min(96, f + n)) for d, f, n in spans),
        busy=tuple((at + QUARTER * q, at + QUARTER * q + timedelta(minutes=m)) for q, m in taken),
    )


@settings(max_examples=150, deadline=None)
@each(calendars(), calendars(), st.sampled_from(CHANGES), st.integers(0, 60), st.integers(15, 90))
def test_it_proposes_what_suits_both_and_never_nothing(
    mentor: Calendar, executive: Calendar, now: datetime, ahead: int, minutes: int
) -> None:
    around = now + timedelta(days=ahead)
    windows = propose(mentor, executive, minutes, around, now)
    assert 1 <= len(windows) <= MOST
    starts = [w.start for w in windows]
    assert starts == sorted(starts)
    assert starts[0] >= now + NOTICE
    zone = ZoneInfo(mentor.zone)
    assert len({s.astimezone(zone).date() for s in starts}) == len(starts), "different days"
    for window in windows:
        end = window.start + timedelta(minutes=minutes)
        assert window.minutes == minutes
        assert all(end <= b or e <= window.start for b, e in (*mentor.busy, *executive.busy)), "not booked already"
    both = _suits_both(mentor, executive, minutes, starts[0].date() - timedelta(days=60), days=160)
    fits = {w.fit for w in windows}
    assert len(fits) == 1
    if fits == {Fit.both}:
        assert set(starts) <= both
    else:
        first = max(around - timedelta(days=3), now + NOTICE) + QUARTER
        free = {s for s in both if _is_free(s, minutes, mentor, executive)}
        assert not {s for s in free if first <= s < first + SEARCHED - timedelta(days=1)}, "a time suited both"


def _suits_both(mentor: Calendar, executive: Calendar, minutes: int, first: date, days: int) -> set[datetime]:
    common = instants(mentor, first, days) & instants(executive, first, days)
    return {start for start in common if quarters(start, minutes) <= common}


def _is_free(start: datetime, minutes: int, *people: Calendar) -> bool:
    end = start + QUARTER * -(-minutes // 15)
    return all(end <= b or e <= start for person in people for b, e in person.busy)


def test_the_two_clocks_meet_although_only_one_has_changed() -> None:
    """From 14 to 28 March New York is five hours behind Berlin, before and after it is six."""
    new_york = Calendar("America/New_York", (weekly(1, "09:00", "10:00"),))
    berlin = Calendar("Europe/Berlin", (weekly(1, "14:00", "15:00"),))
    now = datetime(2027, 3, 8, tzinfo=UTC)
    windows = propose(new_york, berlin, 45, now, now)
    assert [(w.start, w.fit) for w in windows] == [
        (datetime(2027, 3, 16, 13, tzinfo=UTC), Fit.both),
        (datetime(2027, 3, 23, 13, tzinfo=UTC), Fit.both),
    ], "the only two Tuesdays on which nine in New York is two in Berlin"


def test_it_stays_at_the_same_time_on_both_clocks_when_neither_changes() -> None:
    phoenix = Calendar("America/Phoenix", (weekly(2, "07:00", "08:00"),))
    kolkata = Calendar("Asia/Kolkata", (weekly(2, "19:00", "21:00"),))
    now = datetime(2027, 3, 8, tzinfo=UTC)
    windows = propose(phoenix, kolkata, 45, now, now)
    assert {w.fit for w in windows} == {Fit.both}
    assert {local_text(w.start, "America/Phoenix")[11:] for w in windows} == {"07:00-07:00"}
    assert {local_text(w.start, "Asia/Kolkata")[11:] for w in windows} == {"19:30+05:30"}


def test_a_quarter_hour_zone_is_no_obstacle() -> None:
    kathmandu = Calendar("Asia/Kathmandu", (weekly(0, "10:00", "10:30"),))
    kolkata = Calendar("Asia/Kolkata", (weekly(0, "09:45", "10:15"),))
    now = datetime(2027, 6, 1, tzinfo=UTC)
    windows = propose(kathmandu, kolkata, 30, now, now)
    assert windows[0] == Window(start=datetime(2027, 6, 7, 4, 15, tzinfo=UTC), minutes=30, fit=Fit.both)


def test_an_hour_that_the_clock_skips_is_not_proposed() -> None:
    """On 28 March 2027 Berlin has no time between two and three in the morning."""
    night = Calendar("Europe/Berlin", (weekly(6, "02:00", "03:00"),))
    now = datetime(2027, 3, 24, tzinfo=UTC)
    windows = propose(night, night, 45, now, now)
    assert windows[0].start == datetime(2027, 4, 4, tzinfo=UTC)
    assert windows[0].fit is Fit.both


def test_of_an_hour_that_the_clock_shows_twice_the_first_is_taken() -> None:
    """On 31 October 2027 Berlin has the time between two and three twice: first at midnight UTC, then at one."""
    night = Calendar("Europe/Berlin", (weekly(6, "02:00", "03:00"),))
    now = datetime(2027, 10, 27, tzinfo=UTC)
    first = datetime(2027, 10, 31, tzinfo=UTC)
    assert propose(night, night, 45, now, now)[0].start == first
    taken = Calendar("Europe/Berlin", night.windows, ((first, first + timedelta(hours=1)),))
    assert propose(taken, night, 45, now, now)[0].start == datetime(2027, 11, 7, 1, tzinfo=UTC), "never the second"


def test_what_either_has_booked_is_avoided() -> None:
    window = (weekly(1, "09:00", "10:00"),)
    now = datetime(2027, 6, 1, tzinfo=UTC)
    free = propose(Calendar("UTC", window), Calendar("UTC", window), 45, now, now)
    busy = tuple((w.start, w.start + timedelta(minutes=5)) for w in free[:2])
    again = propose(Calendar("UTC", window, busy[:1]), Calendar("UTC", window, busy[1:]), 45, now, now)
    assert [w.start.minute for w in again if w.start.date() == free[0].start.date()] == [15]
    assert {w.fit for w in again} == {Fit.both}


def test_what_is_booked_in_the_middle_of_a_session_is_avoided() -> None:
    window = (weekly(1, "09:00", "10:00"),)
    now = datetime(2027, 6, 1, tzinfo=UTC)
    middle = datetime(2027, 6, 8, 9, 30, tzinfo=UTC)
    busy = Calendar("UTC", window, ((middle, middle + timedelta(minutes=5)),))
    starts = [w.start for w in propose(Calendar("UTC", window), busy, 45, now, now)]
    assert starts[0] == datetime(2027, 6, 15, 9, tzinfo=UTC)


def test_nothing_is_proposed_sooner_than_in_two_days() -> None:
    always = Calendar("UTC", tuple(weekly(day, "00:00", "24:00") for day in range(7)))
    now = datetime(2027, 6, 1, 10, 1, tzinfo=UTC)
    starts = [w.start for w in propose(always, always, 45, now, now)]
    assert starts == [datetime(2027, 6, 3, 10, 15, tzinfo=UTC), *(datetime(2027, 6, d, tzinfo=UTC) for d in (4, 5))]


def test_it_looks_around_the_wanted_moment() -> None:
    window = (weekly(3, "09:00", "10:00"),)
    now = datetime(2027, 6, 1, tzinfo=UTC)
    around = datetime(2027, 7, 1, 9, tzinfo=UTC)
    starts = [w.start for w in propose(Calendar("UTC", window), Calendar("UTC", window), 45, around, now)]
    assert starts == [around + timedelta(weeks=n) for n in range(3)]


@pytest.mark.parametrize("declared", [(), (weekly(0, "08:00", "08:15"),)])
def test_who_has_no_window_long_enough_is_still_asked_at_a_decent_hour(declared: tuple[WeeklyWindow, ...]) -> None:
    now = datetime(2027, 6, 1, tzinfo=UTC)
    berlin = Calendar("Europe/Berlin", (weekly(0, "08:00", "09:00"), weekly(2, "08:00", "09:00")))
    windows = propose(Calendar("Europe/Lisbon", declared), berlin, 60, now, now)
    assert {w.fit for w in windows} == {Fit.if_need_be}
    for window in windows:
        for zone in ("Europe/Lisbon", "Europe/Berlin"):
            assert 7 <= window.start.astimezone(ZoneInfo(zone)).hour <= 20


def test_two_sides_of_the_world_are_asked_in_nobodys_night_where_that_is_possible() -> None:
    sydney = Calendar("Australia/Sydney", (weekly(1, "09:00", "10:00"),))
    lisbon = Calendar("Europe/Lisbon", (weekly(1, "09:00", "10:00"),))
    now = datetime(2027, 6, 1, tzinfo=UTC)
    for window in propose(sydney, lisbon, 45, now, now):
        assert window.fit is Fit.if_need_be
        for zone in ("Australia/Sydney", "Europe/Lisbon"):
            assert 7 <= window.start.astimezone(ZoneInfo(zone)).hour < 21


def test_a_full_diary_only_makes_it_later() -> None:
    now = datetime(2027, 6, 1, tzinfo=UTC)
    busy = ((now, now + timedelta(days=60)),)
    windows = propose(Calendar("UTC", (), busy), Calendar("UTC", ()), 45, now, now)
    assert windows[0].start >= busy[0][1]
