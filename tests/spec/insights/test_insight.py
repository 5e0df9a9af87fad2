"""An insight's stream is one person's voice on one theme: it may say more, and counts once."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from chassis.testing.spec import given
from contracts.insights import InsightRaised
from services.insights.insight import VOICE, RaiseInsight

NOW = datetime(2027, 3, 17, 9, tzinfo=UTC)
MONDAY = date(2027, 3, 15)
PROGRAM, INSIGHT = "pr_" + "a" * 26, "in_" + "b" * 26
TEXT, MORE = "co_" + "c" * 26, "co_" + "d" * 26


def saying(content: str | None, week: date = MONDAY) -> RaiseInsight:
    return RaiseInsight(program=PROGRAM, insight=INSIGHT, theme="tools", content=content, week=week)


def raised(content: str | None, week: date = MONDAY) -> InsightRaised:
    return InsightRaised(program=PROGRAM, insight=INSIGHT, theme="tools", content=content, week=week)


def test_a_theme_is_handed_over_with_or_without_words() -> None:
    given(VOICE).when(saying(TEXT), NOW).then(raised(TEXT))
    given(VOICE).when(saying(None), NOW).then(raised(None))


def test_more_words_are_another_fact_of_the_same_voice() -> None:
    given(VOICE, raised(TEXT)).when(saying(MORE), NOW).then(raised(MORE))


def test_the_bare_theme_again_in_the_same_week_changes_nothing() -> None:
    given(VOICE, raised(TEXT)).when(saying(None), NOW).then()


def test_the_bare_theme_again_in_another_week_is_said() -> None:
    later = MONDAY + timedelta(days=7)
    given(VOICE, raised(None)).when(saying(None, later), NOW).then(raised(None, later))


def test_an_insight_holds_neither_person_nor_pair_nor_side() -> None:
    assert set(InsightRaised.model_fields) == {"program", "insight", "theme", "content", "week"}
