"""Proposed times that nobody answers are given up once the last has passed, and others are offered, a few times."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import pytest

from local.story.state import Pair
from local.story.web import Json, Web
from services.scheduling.tasks import MOST_LAPSES
from tests.programs.conftest import Lives
from tests.programs.house import House
from tests.programs.season import Season

pytestmark = [pytest.mark.integration, pytest.mark.guarantee("running")]


def test_times_that_pass_unanswered_are_offered_anew_until_it_is_clear_that_nobody_answers(
    services: House, lives: Lives
) -> None:
    asyncio.run(_unanswered(services, lives.second))


async def _unanswered(services: House, season: Season) -> None:
    async with Web(services.installation, patience=60) as web:
        season.story.web = web
        pair = season.story.pairs[0]
        offered = [await _open(season, pair)]
        for lapse in range(1, MOST_LAPSES + 1):
            season.story.travel_to(_last(offered[-1]))
            offered.append(await _another(season, pair, offered[-1]))
            gone = [s for s in await _sessions(season, pair) if s["state"] == "cancelled" and s["number"] == 2]
            assert {s["session"] for s in gone} == {s["session"] for s in offered[:lapse]}
            assert {s["by"] for s in gone} == {"program"}
            assert _first(offered[-1]) > season.story.now(), "times were offered that had passed"
        season.story.travel_to(_last(offered[-1]) + timedelta(days=3))
        await web.settled()
        assert (await _open(season, pair))["session"] == offered[-1]["session"], "who never answers is asked for ever"
        await _cancel(season, pair, offered[-1])
        await _another(season, pair, offered[-1])
        await web.settled()


async def _sessions(season: Season, pair: Pair) -> list[Json]:
    path = season.story.at(f"/pairs/{pair.id}/sessions")
    return await season.story.web.items(pair.mentor.login, "scheduling", path)


async def _open(season: Season, pair: Pair) -> Json:
    """The one session that waits for an answer."""
    [found] = [s for s in await _sessions(season, pair) if s["state"] == "proposed"]
    return found


async def _another(season: Season, pair: Pair, before: Json) -> Json:
    """The session that is offered in the place of one before."""

    async def other() -> Json | None:
        found = [s for s in await _sessions(season, pair) if s["state"] == "proposed"]
        return next((s for s in found if s["session"] != before["session"]), None)

    return await season.story.web.until(other, "other times are offered")


async def _cancel(season: Season, pair: Pair, session: Json) -> None:
    path = season.story.at(f"/sessions/{session['session']}")
    seen = await season.story.web.get(pair.mentor.login, "scheduling", path)
    await season.story.web.post(pair.mentor.login, "scheduling", f"{path}/cancel", {}, If_Match=seen.etag)


def _first(session: Json) -> datetime:
    return min(datetime.fromisoformat(window["start"]) for window in session["windows"])


def _last(session: Json) -> datetime:
    return max(datetime.fromisoformat(window["start"]) for window in session["windows"])
