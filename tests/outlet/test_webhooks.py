"""Webhooks on a real Kafka and a real MongoDB: verified first, signed, in order, tried for days, and never lost."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from standardwebhooks import Webhook

from local import clock
from outlet.hooks import sending
from outlet.hooks.keeping import DELIVERIES, WEBHOOKS
from tests.infrastructure import Infra
from tests.integration.kit import World, until
from tests.outlet.endpoint import Endpoint, Got, accept, endpoint
from tests.outlet.kit import Outlet, running

pytestmark = pytest.mark.integration


class Place:
    """One world with an outlet that may reach this machine."""

    def __init__(self, infra: Infra, folder: Path) -> None:
        self.world = World(infra, folder)
        database = infra.database()
        self.clock = folder / "clock.json"
        clock.advance(self.clock, timedelta())
        self.more: dict[str, Any] = {
            "mongo_uri": database.uri,
            "mongo_database": database.name,
            "webhook_networks": "127.0.0.0/8",
            "webhook_plain": True,
            "clock_file": self.clock,
        }

    @asynccontextmanager
    async def outlet(self, subject: str = "lake") -> AsyncIterator[Outlet]:
        self.more["content_key_file"] = self.world.settings(self.world.writer).content_key_file
        async with running(self.world, subject, **self.more) as outlet:
            await until(lambda: not outlet.runtime.waiting_for())
            yield outlet

    def later(self, **by: float) -> None:
        clock.advance(self.clock, timedelta(**by))


@pytest.fixture
def place(infra: Infra, tmp_path: Path) -> Place:
    return Place(infra, tmp_path)


async def made(http: httpx.AsyncClient, url: str, **more: Any) -> dict[str, Any]:
    """A verified webhook."""
    answer = await http.post("/webhooks/v1", json={"url": url, **more})
    assert answer.status_code == 201, answer.text
    verified = await http.post(f"/webhooks/v1/{answer.json()['id']}/verify")
    assert verified.status_code == 200 and verified.json()["state"] == "active", verified.text
    found: dict[str, Any] = answer.json()
    return found


async def state(http: httpx.AsyncClient, webhook: str) -> dict[str, Any]:
    found: dict[str, Any] = (await http.get(f"/webhooks/v1/{webhook}")).json()
    return found


def signed(got: Got, secret: str) -> dict[str, Any]:
    """What came, verified by the specification's own library."""
    found: dict[str, Any] = Webhook(secret).verify(got.body.decode(), got.headers)
    return found


def first_in_order(got: list[Got]) -> Counter[str]:
    """How many facts came of each stream; the first time each came, they count 1, 2, 3 …"""
    last: Counter[str] = Counter()
    for each in got:
        version = int(each.event["sequence"])
        assert version <= last[each.event["subject"]] + 1, each.event["id"]
        last[each.event["subject"]] = max(version, last[each.event["subject"]])
    return last


@pytest.mark.guarantee("running")
async def test_it_is_verified_before_anything_is_sent_and_then_everything_comes_signed_and_in_order(
    place: Place,
) -> None:
    async with place.world.running(place.world.writer) as writer, place.outlet() as outlet, endpoint() as here:
        for n in range(1, 21):
            await place.world.add(writer, f"t{n % 4}", n)
        http = outlet.http
        answer = (await http.post("/webhooks/v1", json={"url": here.url, "types": ["Added"]})).json()
        assert answer["state"] == "unverified" and answer["secret"].startswith("whsec_")
        here.reply = lambda got: (200, {}, b'{"challenge": "something else"}')
        refused = await http.post(f"/webhooks/v1/{answer['id']}/verify")
        assert refused.status_code == 409 and "challenge" in refused.json()["detail"]
        assert not here.facts and (await state(http, answer["id"]))["state"] == "unverified"
        assert (await http.post("/webhooks/v1", json={"url": here.url, "types": ["Added"]})).status_code == 409
        here.reply = accept
        assert (await http.post(f"/webhooks/v1/{answer['id']}/verify")).json()["state"] == "active"
        await until(lambda: len(here.facts) >= 20, 40)
        assert sorted(first_in_order(here.facts).values()) == [5, 5, 5, 5]
        for got in here.got:
            signed(got, answer["secret"])
        assert len({got.headers["webhook-id"] for got in here.facts}) == 20 == len(here.facts)
        shown = (await http.get("/webhooks/v1")).text + str(
            await outlet.runtime.webhooks.database.collection(WEBHOOKS).find_one({})  # type: ignore[union-attr]
        )
        assert answer["secret"] not in shown and answer["secret"].removeprefix("whsec_")[:20] not in shown


@pytest.mark.guarantee("running")
async def test_what_fails_holds_back_its_own_stream_and_comes_again_when_it_is_time(place: Place) -> None:
    async with place.world.running(place.world.writer) as writer, place.outlet() as outlet, endpoint() as here:
        bad = place.world.totals.stream(place.world.program, "bad")

        def picky(got: Got) -> tuple[int, dict[str, str], bytes]:
            return (503, {"retry-after": "3600"}, b"") if got.event.get("subject") == bad else accept(got)

        here.reply = picky
        webhook = await made(outlet.http, here.url)
        for n in range(1, 6):
            await place.world.add(writer, "bad", n)
            await place.world.add(writer, "good", n)
        await until(lambda: len([g for g in here.facts if g.event["subject"] != bad]) == 5, 40)
        tried = [g for g in here.facts if g.event["subject"] == bad]
        assert [g.event["sequence"] for g in tried] == ["1"]
        assert (await state(outlet.http, webhook["id"]))["failing"] == 1
        place.later(minutes=30)
        await place.world.add(writer, "good", 6)
        await until(lambda: len([g for g in here.facts if g.event["subject"] != bad]) == 6, 40)
        assert len([g for g in here.facts if g.event["subject"] == bad]) == 1, "it asked for an hour"
        here.reply = accept
        place.later(minutes=31)
        await until(lambda: len([g for g in here.facts if g.event["subject"] == bad]) == 6, 40)
        again = [g for g in here.facts if g.event["subject"] == bad]
        assert [g.event["sequence"] for g in again] == ["1", "1", "2", "3", "4", "5"]
        assert again[0].headers["webhook-id"] == again[1].headers["webhook-id"]
        signed(again[1], webhook["secret"])


@pytest.mark.guarantee("running")
async def test_an_endpoint_that_is_gone_or_dead_is_paused_and_said_so_and_goes_on_when_it_is_resumed(
    place: Place,
) -> None:
    async with place.world.running(place.world.writer) as writer, place.outlet() as outlet, endpoint() as here:
        webhook = await made(outlet.http, here.url)
        await place.world.add(writer, "t", 1)
        await until(lambda: len(here.facts) == 1, 40)
        here.reply = lambda got: (410, {}, b"")
        await place.world.add(writer, "t", 2)
        await until(lambda: paused(outlet, webhook["id"], "gone"), 40)
        here.reply = accept
        resumed = await outlet.http.post(f"/webhooks/v1/{webhook['id']}/resume", json={})
        assert resumed.json()["state"] == "active", resumed.text
        await until(lambda: len(here.facts) == 3, 40)
        here.reply = lambda got: (500, {}, b"")
        await place.world.add(writer, "t", 3)
        await until(lambda: len(here.facts) == 4, 40)
        place.later(days=1)
        await until(lambda: len(here.facts) == 5, 40)
        assert (await state(outlet.http, webhook["id"]))["state"] == "active"
        place.later(days=2.5)
        await until(lambda: paused(outlet, webhook["id"], "dead"), 40)
        seen = len(here.got)
        place.later(days=1)
        await place.world.add(writer, "other", 1)
        assert (await outlet.http.post(f"/webhooks/v1/{webhook['id']}/resume", json={})).status_code == 409
        assert len(here.got) == seen + 1, "a paused one is asked for nothing but the challenge"
        here.reply = accept
        await outlet.http.post(f"/webhooks/v1/{webhook['id']}/resume", json={})
        await until(lambda: paused_not(outlet, webhook["id"], here), 40)
        assert sorted(first_in_order(here.facts).values()) == [1, 3]


async def paused(outlet: Outlet, webhook: str, why: str) -> bool:
    found = await state(outlet.http, webhook)
    return found["state"] == "paused" and found["why"] == why


async def paused_not(outlet: Outlet, webhook: str, here: Endpoint) -> bool:
    found = await state(outlet.http, webhook)
    return found["state"] == "active" and not found["due"] and sum(first_in_order(here.facts).values()) == 4


@pytest.mark.guarantee("running")
async def test_secrets_rotate_with_an_overlap_and_deliveries_are_listed_repeated_and_dropped(place: Place) -> None:
    async with place.world.running(place.world.writer) as writer, place.outlet() as outlet, endpoint() as here:
        http, webhook = outlet.http, await made(outlet.http, here.url)
        at = f"/webhooks/v1/{webhook['id']}"
        newer = (await http.post(f"{at}/secrets")).json()["secret"]
        await place.world.add(writer, "t", 1)
        await until(lambda: len(here.facts) == 1, 40)
        for secret in (webhook["secret"], newer):
            signed(here.facts[0], secret)
        place.later(hours=25)
        await place.world.add(writer, "t", 2)
        await until(lambda: len(here.facts) == 2, 40)
        signed(here.facts[1], newer)
        assert len(here.facts[1].headers["webhook-signature"].split(" ")) == 1
        await until(lambda: delivered(http, at, 2))
        page = (await http.get(f"{at}/deliveries?limit=1")).json()
        rest = (await http.get(f"{at}/deliveries", params={"after": page["next"]})).json()
        first, second = page["items"][0], rest["items"][0]
        assert [x["state"] for x in (first, second)] == ["delivered", "delivered"] and rest["next"] is None
        assert (await http.post(f"{at}/deliveries/again", json={"delivery": first["id"]})).json() == {"again": 1}
        await until(lambda: len(here.facts) == 3, 40)
        assert here.facts[2].headers["webhook-id"] == first["id"] and here.facts[2].body == here.facts[0].body
        assert (await http.post(f"{at}/deliveries/again", json={"since": first["made_at"]})).json() == {"again": 2}
        await until(lambda: len(here.facts) == 5, 40)
        here.reply = lambda got: (400, {}, b"")
        await place.world.add(writer, "t", 3)
        await until(lambda: len(here.facts) == 6, 40)
        due = (await http.get(f"{at}/deliveries?state=due")).json()["items"]
        assert [x["event"].rpartition("@")[2] for x in due] == ["3"]
        here.reply = accept
        assert (await http.delete(f"{at}/deliveries/{due[0]['id']}")).status_code == 204
        await place.world.add(writer, "t", 4)
        await until(lambda: len(here.facts) == 7, 40)
        assert here.facts[6].event["sequence"] == "4"
        assert (await http.delete(at)).status_code == 204 and (await http.get(at)).status_code == 404
        assert not await outlet.runtime.webhooks.database.collection(DELIVERIES).count_documents({})  # type: ignore[union-attr]


async def delivered(http: httpx.AsyncClient, at: str, count: int) -> bool:
    items = (await http.get(f"{at}/deliveries?state=delivered")).json()["items"]
    return len(items) == count


@pytest.mark.guarantee("people")
async def test_nobody_sees_anothers_webhook_or_has_sent_what_they_may_not_hear(place: Place) -> None:
    async with place.world.running(place.world.writer) as writer, endpoint() as here:
        async with place.outlet("calendar") as outlet:
            http = outlet.http
            refused = await http.post("/webhooks/v1", json={"url": here.url, "programs": ["pr_of_others"]})
            assert refused.status_code == 403
            for url in ("https://127.0.0.1:22/", "ftp://x.example/", "https://a:b@x.example/"):
                answer = await http.post("/webhooks/v1", json={"url": url})
                assert answer.status_code == 422 and answer.json()["errors"][0]["pointer"] == "/url"
            mine = await made(http, here.url)
            await place.world.add(writer, "t", 1)
            await until(lambda: len(here.facts) == 1, 40)
        async with place.outlet("lake") as outlet:
            assert (await outlet.http.get("/webhooks/v1")).json() == {"items": []}
            for method, path in (("GET", ""), ("POST", "/pause"), ("DELETE", ""), ("POST", "/secrets")):
                answer = await outlet.http.request(method, f"/webhooks/v1/{mine['id']}{path}")
                assert answer.status_code == 404, (method, path)
        place.more["subscribers"] = {"lake": ["*"], "calendar": ["pr_another"]}
        async with place.outlet("calendar") as outlet:
            await until(lambda: paused(outlet, mine["id"], "not-allowed"), 40)
            await place.world.add(writer, "t", 2)
            answer = await outlet.http.post(f"/webhooks/v1/{mine['id']}/resume", json={})
            assert answer.status_code == 403
        assert len(here.facts) == 1


@pytest.mark.guarantee("running")
async def test_no_more_is_kept_than_the_bound_and_all_of_it_comes(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "BACKLOG", 10)
    async with place.world.running(place.world.writer) as writer, place.outlet() as outlet, endpoint() as here:
        for n in range(1, 41):
            await place.world.add(writer, f"t{n % 3}", n)
        here.reply = lambda got: accept(got) if "challenge" in got.event else (500, {}, b"")
        webhook = await made(outlet.http, here.url)
        await until(lambda: len(here.facts) >= 1, 40)  # the ten may be of one stream
        assert (await state(outlet.http, webhook["id"]))["due"] <= 10
        here.reply = accept
        for _ in range(4):
            place.later(hours=1)
        await until(lambda: sum(first_in_order(here.facts).values()) == 40, 60)
        said = [json.loads(got.body)["id"] for got in here.facts]
        assert len(set(said)) == 40
