"""What is being retired, a route or a fact, says so wherever one looks: headers, OpenAPI, AsyncAPI, catalogue."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from email.utils import parsedate_to_datetime
from typing import Any, ClassVar

import pytest
import yaml
from fastapi import APIRouter, FastAPI
from httpx import ASGITransport, AsyncClient, Response

from chassis.running.problems import Problem
from chassis.running.program import announce, application
from cli import asyncapi, catalog, catalog_html
from cli.entries import Entry, entries
from contracts import published
from contracts.all import CATALOG
from contracts.retiring import Retiring

AT = "/cats/v1/openapi.json"
ROW = Retiring(date(2027, 1, 1), date(2027, 8, 1), "Ask GET /cats/v1/cats instead.")


class Nothing:
    """What a process of no parts is made of."""

    def start(self) -> None: ...
    def begin_to_stop(self) -> None: ...
    async def stop(self) -> None: ...


@pytest.fixture
def app() -> FastAPI:
    router = APIRouter(prefix="/cats/v1")

    @router.get("/tame")
    async def tame_cats(name: str = "") -> dict[str, str]:
        """Every tame cat."""
        if name:
            raise Problem(404, "not-found", "there is no such cat")
        return {}

    @router.get("/cats")
    async def cats() -> dict[str, str]:
        return {}

    made = application("cats", Nothing, router, described_at=AT)
    announce(made, {"tame_cats": ROW}, AT)
    return made


async def get(app: FastAPI, path: str) -> Response:
    async with AsyncClient(transport=ASGITransport(app), base_url="http://cats") as client:
        return await client.get(path)


@pytest.mark.guarantee("running")
@pytest.mark.parametrize(("query", "status"), [("", 200), ("?name=felix", 404)])
async def test_every_answer_of_a_route_that_is_being_retired_says_so(app: FastAPI, query: str, status: int) -> None:
    answer = await get(app, f"/cats/v1/tame{query}")
    assert answer.status_code == status
    since = re.fullmatch(r"@(\d+)", answer.headers["Deprecation"])
    assert since and datetime.fromtimestamp(int(since[1]), UTC) == datetime(2027, 1, 1, tzinfo=UTC)
    assert answer.headers["Sunset"] == "Sun, 01 Aug 2027 00:00:00 GMT"
    assert parsedate_to_datetime(answer.headers["Sunset"]) == datetime(2027, 8, 1, tzinfo=UTC)
    assert answer.headers["Link"] == f'<{AT}>; rel="deprecation"; type="application/json"'


@pytest.mark.parametrize("path", ["/cats/v1/cats", "/cats/v1/none", AT, "/livez"])
async def test_no_other_answer_says_so(app: FastAPI, path: str) -> None:
    assert not {"Deprecation", "Sunset", "Link"} & set((await get(app, path)).headers)


async def test_openapi_says_so_of_the_operation_and_of_its_answers(app: FastAPI) -> None:
    for _ in range(2):
        whole = (await get(app, AT)).json()
        tame, other = (whole["paths"][f"/cats/v1/{name}"]["get"] for name in ("tame", "cats"))
        assert tame["deprecated"] is True and tame["x-sunset"] == "2027-08-01"
        assert tame["description"] == (
            "Every tame cat.\n\nDeprecated since 2027-01-01, and gone from 2027-08-01. Ask GET /cats/v1/cats instead."
        )
        for answer in tame["responses"].values():
            assert {"Deprecation", "Sunset", "Link"} <= answer["headers"].keys()
        assert "deprecated" not in other and not any("headers" in answer for answer in other["responses"].values())


def test_nothing_is_retired_from_one_day_to_the_next() -> None:
    with pytest.raises(ValueError, match="180 days"):
        Retiring(date(2027, 1, 1), date(2027, 6, 1), "Take another.")


def test_what_is_published_has_a_word_on_what_it_is_not_and_only_what_is_said_is_retired() -> None:
    told = entries(catalog.hearers())
    assert {e.name for e in told if e.topic} == published.NOT.keys()
    assert all(text.startswith("Not ") and text.endswith(".") for text in published.NOT.values())
    assert all(CATALOG.facts[name].v == v for name, v in published.RETIRING)


class TestAFact:
    """A fact that is being retired, as it is told."""

    told: ClassVar[list[Entry]]

    @pytest.fixture(autouse=True)
    def retired(self, monkeypatch: pytest.MonkeyPatch) -> None:
        row = Retiring(date(2027, 1, 1), date(2027, 8, 1), "Hear PairReleased instead.")
        monkeypatch.setitem(published.RETIRING, ("JourneyCompleted", 1), row)
        type(self).told = entries(catalog.hearers())

    def test_asyncapi_says_so(self) -> None:
        whole = yaml.safe_load(asyncapi.document(e for e in self.told if e.name == "JourneyCompleted"))
        message: dict[str, Any] = whole["components"]["messages"]["JourneyCompleted"]
        assert message["x-status"] == "deprecated" and message["x-sunset"] == "2027-08-01"
        assert {"name": "deprecated"} in message["tags"] and "Hear PairReleased instead." in message["description"]

    def test_the_catalogue_says_so(self) -> None:
        said = "Deprecated since 2027-01-01, and gone from 2027-08-01. Hear PairReleased instead."
        assert f"**{said}**" in catalog.page(self.told)
        html = catalog_html.page(self.told)
        assert said in html and '<span class="badge deprecated">' in html


def test_a_version_that_another_has_replaced_says_by_which_and_why() -> None:
    told = {e.stem: e for e in entries(catalog.hearers())}
    assert told["SessionHeld.v1"].status == "superseded" and told["SessionHeld.v2"].status == "current"
    assert told["SessionHeld.v1"].instead.startswith("Said no more since version 2: ")
    assert "Version 1: Said no more since version 2" in catalog.page(list(told.values()))
