"""A theme is published once a period."""

from __future__ import annotations

from datetime import UTC, date, datetime

from chassis.testing.spec import given
from contracts.insights import Band, Period, ThemePublished
from services.insights.theme import SPOKEN, PublishTheme

NOW = datetime(2027, 4, 5, 9, tzinfo=UTC)
PROGRAM = "pr_" + "a" * 26
MARCH = Period(first=date(2027, 3, 1), last=date(2027, 3, 31))
APRIL = Period(first=date(2027, 4, 1), last=date(2027, 4, 30))


def publish(period: Period) -> PublishTheme:
    return PublishTheme(program=PROGRAM, theme="tools", period=period, band=Band.from_10)


def published(period: Period) -> ThemePublished:
    return ThemePublished(program=PROGRAM, theme="tools", period=period, band=Band.from_10)


def test_a_theme_is_said_aloud_once_a_period() -> None:
    given(SPOKEN).when(publish(MARCH), NOW).then(published(MARCH))
    given(SPOKEN, published(MARCH)).when(publish(MARCH), NOW).then()
    given(SPOKEN, published(MARCH)).when(publish(APRIL), NOW).then(published(APRIL))
