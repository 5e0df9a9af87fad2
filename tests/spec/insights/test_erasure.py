"""Insights deletes the words of one person, says so, and does not say how many they were."""

from __future__ import annotations

from chassis.deciding.commands import derived_id
from contracts.insights import ErasureConfirmedByInsights
from services.insights.erasure import erase, voice
from services.insights.insight import VOICE, Insight
from tests.spec.erasing import ASKED, PERSON, PROGRAM, Work


def content(name: str) -> str:
    return derived_id("co", name)


def spoken(person: str, theme: str, *contents: str) -> tuple[str, Insight]:
    insight = voice(Work().keyed_hash, PROGRAM, person, theme)
    return VOICE.stream(PROGRAM, insight), Insight(theme=theme, contents=tuple(content(c) for c in contents))


async def test_only_the_words_of_that_person_go() -> None:
    work = Work(views=1, **{content(c): 1 for c in ("1", "2", "other")})
    work.streams = [spoken(PERSON, "tools", "1", "2"), spoken("pe_" + "z" * 26, "tools", "other")]
    await erase(ASKED, work)  # type: ignore[arg-type]
    assert work.said == [(ErasureConfirmedByInsights(person=PERSON, items=1), {content("other"): 1})]
