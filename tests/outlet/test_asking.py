"""Who may ask the feed for what, and what everybody else is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio
from fastapi.routing import APIRoute

from chassis.deciding.commands import random_id
from local.tokens import mint
from outlet import cursor as cursors
from outlet.api import router, subscriber
from outlet.cursor import At, Cursor
from outlet.hooks.api import router as hooks
from outlet.policy import POLICY
from outlet.question import Question
from tests.infrastructure import Infra
from tests.integration.kit import World, until
from tests.outlet.kit import Chain, Outlet, running

OTHERS = random_id("pr")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def shared(infra: Infra, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[World, Outlet]]:
    """An outlet with ten facts of one program and one of another."""
    world = World(infra, tmp_path_factory.mktemp("outlet"))
    async with world.running(world.writer) as writer, running(world, feed_each=3, feed_page=5) as outlet:
        for n in range(1, 11):
            await world.add(writer, f"t{n % 2}", n)
        mine, world.program = world.program, OTHERS
        await world.add(writer, "t", 1)
        world.program = mine
        await until(lambda: outlet.runtime.hearing.heard >= 11)
        yield world, outlet


def asking(world: World, subject: str, **claims: Any) -> dict[str, str]:
    return {"Authorization": f"Bearer {mint(world.folder, subject, claims)}"}


@pytest.mark.guarantee("people")
def test_every_route_has_a_policy_and_asks_who_is_calling() -> None:
    routes = [route for route in (*router.routes, *hooks.routes) if isinstance(route, APIRoute)]
    assert {route.name for route in routes} == set(POLICY) and all(POLICY.values())
    for route in routes:
        assert subscriber in [d.call for d in route.dependant.dependencies], route.name


@pytest.mark.integration
@pytest.mark.guarantee("people")
async def test_nobody_hears_anything_but_whom_the_settings_name(shared: tuple[World, Outlet]) -> None:
    world, outlet = shared
    for headers, status in (
        ({"Authorization": ""}, 401),
        ({"Authorization": "Bearer x"}, 401),
        (asking(world, "founder"), 403),
        (asking(world, "lake", roles=["coordinator"]), 403),
        (asking(world, "lake", roles=["subscriber"]), 200),
        (asking(world, "calendar"), 200),
    ):
        answer = await outlet.http.get("/facts/v1", headers=headers)
        assert answer.status_code == status
        assert status == 200 or answer.headers["content-type"] == "application/problem+json"


@pytest.mark.integration
@pytest.mark.guarantee("people")
async def test_a_subscriber_of_one_program_hears_of_no_other(shared: tuple[World, Outlet]) -> None:
    world, outlet = shared
    chain = Chain()
    while (await chain.ask(outlet.http)).json():
        pass
    assert len(chain.events) == 11
    outlet.http.headers, before = httpx.Headers(asking(world, "calendar")), outlet.http.headers
    try:
        chain = Chain()
        while (await chain.ask(outlet.http)).json():
            pass
        assert {event["program"] for event in chain.events} == {world.program} and len(chain.events) == 10
        assert (await outlet.http.get(f"/facts/v1?programs={OTHERS}")).status_code == 403
        assert (await outlet.http.get(f"/facts/v1?programs={world.program}")).status_code == 200
    finally:
        outlet.http.headers = before


@pytest.mark.integration
async def test_a_cursor_is_good_for_its_question_and_as_it_was_given(shared: tuple[World, Outlet]) -> None:
    world, outlet = shared
    chain = Chain(types="Added")
    await chain.ask(outlet.http)
    given = str(chain.cursor)
    forged = cursors.write(Cursor(Question().digest, {}), b"another key")
    cut = cursors.read(given, outlet.runtime.settings.cursor_key)
    topic = world.tally.topic or ""
    beyond = cursors.write(cut.at(topic, At(1, (10_000,) * 4)), outlet.runtime.settings.cursor_key)
    deleted = cursors.write(cut.at(topic, At(7, (0,) * 4)), outlet.runtime.settings.cursor_key)
    for after, more, status, code, way_out in (
        ("x", {}, 400, "cursor", "leave `after` out"),
        ("2abc", {}, 400, "cursor", "format 2"),
        (given[:-4] + "AAAA", {}, 400, "cursor", "was changed"),
        (forged, {}, 400, "cursor", "another installation"),
        (given, {"types": "Echoed"}, 422, "invalid-request", "catalog.md"),
        (given, {"types": "Added", "programs": "pr_x"}, 400, "cursor", "ask as before"),
        (given, {}, 400, "cursor", "ask as before"),
        (beyond, {"types": "Added"}, 410, "cursor-gone", "skip the ids"),
        (deleted, {"types": "Added"}, 410, "cursor-gone", "skip the ids"),
    ):
        answer = await outlet.http.get("/facts/v1", params={"after": after, **more})
        told = answer.json()
        assert (answer.status_code, told["type"]) == (status, f"urn:counterpoint:problem:{code}"), told
        assert way_out in told["detail"] and told["errors"][0]["parameter"], told
    assert (await outlet.http.get("/facts/v1", params={"after": given, "types": "Added"})).status_code == 200


@pytest.mark.integration
async def test_pages_and_requests_at_once_are_bounded(shared: tuple[World, Outlet]) -> None:
    world, outlet = shared
    assert len((await outlet.http.get("/facts/v1?limit=1000")).json()) == 5
    for wrong in ("limit=0", "limit=x", "wait=-1", "wait=nan", "types=", "programs=" + "x" * 200):
        assert (await outlet.http.get(f"/facts/v1?{wrong}")).status_code == 422, wrong
    chain = Chain()
    while (await chain.ask(outlet.http)).json():
        pass
    waiting = [asyncio.create_task(chain.ask(outlet.http, wait=60)) for _ in range(3)]
    await until(lambda: outlet.runtime.hearing.waiting == 3)
    refused = await outlet.http.get("/facts/v1")
    assert refused.status_code == 429 and refused.headers["retry-after"]
    assert (await outlet.http.get("/facts/v1", headers=asking(world, "calendar"))).status_code == 200
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    await until(lambda: outlet.runtime.hearing.waiting == 0)
    assert (await outlet.http.get("/facts/v1")).status_code == 200


def test_a_cursor_that_was_changed_is_noticed() -> None:
    cursor = Cursor("q", {"t": (At(2, (1, 2)), At(1, (3,)))}, 1)
    word = cursors.write(cursor, b"k")
    assert cursors.read(word, b"k") == cursor
    for n in range(len(word)):
        changed = word[:n] + ("A" if word[n] != "A" else "B") + word[n + 1 :]
        try:
            assert cursors.read(changed, b"k") == cursor  # the bits behind the last byte say nothing
        except cursors.BadCursor:
            continue
