"""A period is published once, when it is over, and shares no day with another."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given as forall
from hypothesis import strategies as st

from chassis.deciding.decider import Refused
from chassis.testing.spec import given
from contracts.insights import Period, ReportKind, ReportPublished
from services.insights.report import SERIES, PublishReport

PROGRAM = "pr_" + "a" * 26
NOW = datetime(2027, 4, 5, 9, tzinfo=UTC)
"""The Monday after the week in which March ends."""


def days(first: str, last: str) -> Period:
    return Period(first=date.fromisoformat(first), last=date.fromisoformat(last))


MARCH = days("2027-03-01", "2027-03-31")


def publish(period: Period, report: str = "re_" + "b" * 26) -> PublishReport:
    return PublishReport(
        program=PROGRAM,
        report=report,
        kind=ReportKind.health,
        period=period,
        cells=80,
        hidden=9,
        digest="c" * 64,
    )


def published(period: Period, as_of: date = NOW.date()) -> ReportPublished:
    return ReportPublished(
        program=PROGRAM,
        report="re_" + "b" * 26,
        kind=ReportKind.health,
        period=period,
        as_of=as_of,
        cells=80,
        hidden=9,
        digest="c" * 64,
    )


def test_a_period_that_is_over_is_published() -> None:
    given(SERIES).when(publish(MARCH), NOW).then(published(MARCH))


def test_the_week_of_the_last_day_must_be_over() -> None:
    given(SERIES).when(publish(MARCH), NOW - timedelta(days=1)).refused("period-not-over")
    given(SERIES).when(publish(days("2027-03-01", "2027-04-04")), NOW).then(published(days("2027-03-01", "2027-04-04")))


def test_a_period_ends_after_it_begins() -> None:
    given(SERIES).when(publish(days("2027-03-31", "2027-03-01")), NOW).refused("period-reversed")


def test_the_same_period_is_not_published_again() -> None:
    given(SERIES, published(MARCH)).when(publish(MARCH), NOW).refused("already-published")


@pytest.mark.parametrize(
    "other",
    [days("2027-02-01", "2027-03-01"), days("2027-03-31", "2027-03-31"), days("2027-01-01", "2027-04-04")],
)
def test_a_period_that_shares_a_day_is_refused(other: Period) -> None:
    given(SERIES, published(MARCH)).when(publish(other), NOW).refused("period-overlaps")


def test_the_next_period_is_published() -> None:
    april, may = days("2027-04-01", "2027-04-30"), datetime(2027, 5, 3, tzinfo=UTC)
    given(SERIES, published(MARCH)).when(publish(april), may).then(published(april, may.date()))


@pytest.mark.guarantee("people")
@forall(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 20)), max_size=12))
def test_no_day_is_ever_in_two_reports(wanted: list[tuple[int, int]]) -> None:
    state, start = SERIES.initial, date(2026, 1, 1)
    for first, length in wanted:
        period = Period(first=start + timedelta(days=first), last=start + timedelta(days=first + length))
        try:
            state = SERIES.fold(SERIES.decide(publish(period), state, NOW), state)
        except Refused:
            continue
    covered = [
        r.period.first + timedelta(days=n)
        for r in state.published
        for n in range((r.period.last - r.period.first).days + 1)
    ]
    assert len(covered) == len(set(covered))
    assert bool(state.published) == bool(wanted)
