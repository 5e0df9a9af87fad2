"""Operators on the real servers: what is parked is shown to them alone, goes on, or is dropped with a record of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from chassis.distributing.slots import partition_of
from chassis.receiving.folding import Folding
from chassis.receiving.inbox import Inbox
from chassis.running.mongo import is_transient
from chassis.running.program import build
from chassis.running.runtime import Runtime
from chassis.testing.tally import Sum
from local.mongod import DECIDER
from local.tokens import mint
from tests.chassis.parking import planted
from tests.infrastructure import Infra
from tests.integration.kit import PARTITIONS, World, until
from tests.integration.test_hard_cases import record, send, sum_of
from tests.integration.test_rights import Guarded, may

pytestmark = pytest.mark.integration

POISON = 666


@pytest.fixture
def world(infra: Infra, tmp_path: Path) -> World:
    made = World(infra, tmp_path)
    made.poison = _poison
    return made


def _poison(amount: int) -> None:
    if amount == POISON:
        raise RuntimeError("cannot be folded")


def mend(world: World) -> None:
    world.poison = lambda amount: None


Ask = Callable[..., Awaitable[httpx.Response]]


@asynccontextmanager
async def asking(world: World) -> AsyncIterator[tuple[Runtime, Ask]]:
    """The hearer as a whole process, and a way to ask it as an operator (or as `who`)."""
    app = build(world.hearer, world.settings(world.hearer, operators=frozenset({"operator"})))
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://it") as http,
    ):
        runtime: Runtime = app.state.runtime
        await until(lambda: not runtime.waiting_for())

        async def ask(method: str, path: str, who: str | None = "operator", **more: Any) -> httpx.Response:
            claims = more.pop("claims", None)
            headers = {"Authorization": f"Bearer {mint(world.folder, who, claims)}"} if who else {}
            return await http.request(method, path, headers=headers, **more)

        yield runtime, ask


@pytest.mark.guarantee("G7")
async def test_a_stream_that_was_mended_goes_on_and_a_poison_fact_can_be_dropped(world: World) -> None:
    stream, other = (world.totals.stream(world.program, t) for t in ("one", "two"))
    async with asking(world) as (hearer, ask):
        for thing in ("one", "two"):
            records = [record(world, thing, v, a) for v, a in ((1, 5), (2, POISON), (3, 7), (4, 9))]
            await send(world, *records)

        async def two_wait() -> bool:
            found = (await ask("GET", "/parked")).json()["streams"]
            return [s["waiting"] for s in found] == [3, 3]

        await until(two_wait)
        (first, _) = sorted((await ask("GET", "/parked")).json()["streams"], key=lambda s: str(s["stream"]))
        assert (first["stream"], first["seen"], first["version"], first["reason"]) == (stream, 1, 2, "failed")
        assert first["detail"] == "RuntimeError: cannot be folded" and first["since"]
        shown = (await ask("GET", "/parked/stream", params={"stream": stream})).json()
        assert [(f["version"], f["data"]["amount"]) for f in shown["facts"]] == [(2, POISON), (3, 7), (4, 9)]
        again = (await ask("POST", "/parked/retry", json={"stream": stream})).json()
        assert (again["seen"], again["applied"], again["parked"]["version"]) == (1, 0, 2)
        assert again["parked"]["since"] == first["since"]

        body = {"stream": other, "version": 3, "reason": "typed twice"}
        assert (await ask("POST", "/parked/drop", json=body)).status_code == 409
        done = (await ask("POST", "/parked/drop", json={**body, "version": 2})).json()
        assert (done["seen"], done["applied"], done["parked"]) == (4, 2, None)
        assert await sum_of(world, hearer, "two") == (21, 4, False)
        assert (await ask("POST", "/parked/drop", json={**body, "version": 2})).status_code == 404
        (drop,) = (await ask("GET", "/parked/dropped")).json()["items"]
        assert (drop["by"], drop["reason"], drop["what"]) == ("operator", "typed twice", f"{other}@2")
        assert drop["at"] and drop["stopped"]["detail"] == "RuntimeError: cannot be folded"
        await send(world, record(world, "two", 5, 1))
        await until(lambda: _is(world, hearer, "two", (22, 5, False)))

        mend(world)
        answer = (await ask("POST", "/parked/retry/all")).json()
        assert [(i["stream"], i["seen"], i["parked"]) for i in answer["items"]] == [(stream, 4, None)]
        assert await sum_of(world, hearer, "one") == (5 + POISON + 7 + 9, 4, False)
        assert await hearer.database.collection("parked").count_documents({}) == 0
        echoes = world.echoes.stream(world.program, "two")

        async def echoed() -> bool:
            state, version = await hearer.commands.read(world.echoes, echoes)
            return (state.amount, version) == (22, 4)

        await until(echoed)  # the tasks of what waited ran once each; what was dropped has none


@pytest.mark.guarantee("people")
async def test_only_operators_may_look_at_what_is_parked(world: World) -> None:
    async with asking(world) as (_, ask):
        routes = [("GET", p) for p in ("/parked", "/parked/stream?stream=x", "/parked/dropped")]
        routes += [("POST", p) for p in ("/parked/retry", "/parked/retry/all", "/parked/drop")]
        body = {"task": "x", "reason": "y"}
        for method, path in routes:
            assert (await ask(method, path, who=None, json=body)).status_code == 401
            assert (await ask(method, path, who="somebody", json=body)).status_code == 403
            narrowed = await ask(method, path, claims={"roles": ["coordinator"]}, json=body)
            assert narrowed.status_code == 403
            assert (await ask(method, path, claims={"roles": ["operator"]}, json=body)).status_code not in (401, 403)
        for path in ("/health/live", "/health/ready", "/health/lag"):
            assert (await ask("GET", path, who=None)).status_code == 200
        for wrong in ({}, {"stream": "x"}, {"task": "x", "version": 1}, {"task": "x", "stream": "y", "version": 1}):
            assert (await ask("POST", "/parked/drop", json={**wrong, "reason": "y"})).status_code == 422
        assert (await ask("POST", "/parked/drop", json={"task": "x", "reason": " "})).status_code == 422


@pytest.mark.guarantee("people")
async def test_without_operators_nobody_may(world: World) -> None:
    settings = world.settings(world.hearer, role="api")
    assert settings.operators == frozenset()
    app = build(world.hearer, settings)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://it") as http,
    ):
        headers = {"Authorization": f"Bearer {mint(world.folder, 'operator')}"}
        assert (await http.get("/parked", headers=headers)).status_code == 403


@pytest.mark.guarantee("G7")
async def test_a_task_that_fails_delays_nobody_and_goes_on_or_is_dropped(world: World) -> None:
    world.poison = lambda amount: None
    async with asking(world) as (hearer, ask):
        for thing in ("bad", "worse"):
            await send(world, record(world, thing, 1, -1), record(world, thing, 2, 3))  # a refused command, a good one
        await send(world, *(record(world, f"good{n}", 1, 1) for n in range(10)))

        async def total(thing: str) -> tuple[int, int]:
            state, version = await hearer.commands.read(world.echoes, world.echoes.stream(world.program, thing))
            return state.amount, version

        for n in range(10):
            await until(lambda n=n: _equals(total(f"good{n}"), (1, 1)))

        async def parked() -> list[dict[str, Any]]:
            return list((await ask("GET", "/parked")).json()["tasks"])

        async def two() -> bool:
            return len(await parked()) == 2

        await until(two)
        assert await total("bad") == await total("worse") == (0, 0)  # what is behind them in their keys waits
        bad, worse = sorted(t["task"] for t in await parked())
        assert (await ask("POST", "/parked/retry", json={"task": bad})).json() == {"task": bad}
        await until(two)  # refused again
        reason = "it was never meant"
        assert (await ask("POST", "/parked/drop", json={"task": worse, "reason": reason})).json() == {"task": worse}
        await until(lambda: _equals(total("worse"), (3, 1)))
        assert await total("bad") == (0, 0)
        (drop,) = (await ask("GET", "/parked/dropped")).json()["items"]
        assert (drop["kind"], drop["what"], drop["reason"]) == ("task", worse, reason)
        collection = hearer.database.collection("tasks")
        (row,) = await collection.find({"_id": bad}).to_list(None)
        await collection.update_one({"_id": bad}, {"$set": {"data": row["data"].replace("-1", "1")}})  # mended
        assert (await ask("POST", "/parked/retry/all")).json()["tasks"] == 1
        await until(lambda: _equals(total("bad"), (4, 2)))
        assert await parked() == []


@pytest.mark.guarantee("G7")
async def test_a_foreign_record_is_dropped_from_the_list(world: World) -> None:
    async with asking(world) as (hearer, ask):
        foreign = record(world, "one", 1, 1)
        foreign.headers.clear()
        await send(world, foreign, record(world, "one", 1, 1))

        async def listed() -> list[dict[str, Any]]:
            return list((await ask("GET", "/parked")).json()["records"])

        await until(listed)
        (found,) = await listed()
        assert (await ask("POST", "/parked/retry", json={"record": found["record"]})).status_code == 422
        body = {"record": found["record"], "reason": "somebody else's"}
        assert (await ask("POST", "/parked/drop", json=body)).json() == {"record": found["record"]}
        assert await listed() == [] and await hearer.parked() == 0
        (drop,) = (await ask("GET", "/parked/dropped")).json()["items"]
        assert drop["what"] == found["record"] and (await ask("POST", "/parked/drop", json=body)).status_code == 404


@pytest.mark.guarantee("G7")
async def test_a_gap_that_heals_onto_poison_parks_at_the_poison(world: World) -> None:
    async with asking(world) as (hearer, ask):
        await send(world, record(world, "one", 1, 1), record(world, "one", 3, POISON), record(world, "one", 4, 1))
        await until(lambda: _is(world, hearer, "one", (1, 1, True)))
        await send(world, record(world, "one", 2, 10))
        await until(lambda: _is(world, hearer, "one", (11, 2, True)))
        (found,) = (await ask("GET", "/parked")).json()["streams"]
        assert (found["reason"], found["version"], found["waiting"]) == ("failed", 3, 2)


@pytest.mark.guarantee("G7")
async def test_a_view_too_large_to_be_written_parks_its_own_stream(world: World) -> None:
    def fold(row: Sum, fact: Any, at: datetime) -> Sum:
        if fact.amount == POISON:
            return Sum.model_construct(amount="x" * (17 << 20))
        return world.sums.fold(row, fact, at)

    world.hearer = replace(world.hearer, views=(replace(world.sums, fold=fold),))
    stream = world.totals.stream(world.program, "one")
    async with asking(world) as (hearer, ask):
        await send(world, *(record(world, "one", v, a) for v, a in ((1, 5), (2, POISON), (3, 7))))
        await send(world, *(record(world, f"other{n}", 1, 1) for n in range(8)))
        for n in range(8):
            await until(lambda n=n: _is(world, hearer, f"other{n}", (1, 1, False)))
        await until(lambda: _is(world, hearer, "one", (5, 1, True)))
        again = (await ask("POST", "/parked/retry", json={"stream": stream})).json()
        assert (again["seen"], again["parked"]["version"], again["parked"]["waiting"]) == (1, 2, 2)
        assert again["parked"]["detail"].startswith("DocumentTooLarge")
        body = {"stream": stream, "version": 2, "reason": "nobody needs that much"}
        assert (await ask("POST", "/parked/drop", json=body)).json()["parked"] is None
        assert await sum_of(world, hearer, "one") == (12, 3, False)


@pytest.mark.guarantee("G7")
async def test_the_record_of_a_drop_can_be_added_to_and_never_changed(infra: Infra, tmp_path: Path) -> None:
    world = Guarded(infra, tmp_path)
    await world.prepare()
    world.poison = _poison
    async with asking(world) as (hearer, ask):
        await send(world, record(world, "one", 1, POISON), record(world, "one", 2, 3))
        await until(lambda: _is(world, hearer, "one", (0, 0, True)))
        body = {"stream": world.totals.stream(world.program, "one"), "version": 1, "reason": "typed wrongly"}
        assert (await ask("POST", "/parked/drop", json=body)).json()["seen"] == 2
        assert len((await ask("GET", "/parked/dropped")).json()["items"]) == 1
    decider = world.users[world.hearer.name][DECIDER]
    assert await asyncio.to_thread(may, decider, "drops") == {"find", "insert"}


# -- an operator and the owner at the same time, in transactions of the real database --------------------------------


class Got:
    """A record as the consumer hands it over."""

    def __init__(self, world: World, offset: int, version: int, amount: int) -> None:
        made = record(world, "one", version, amount)
        self.topic, self.offset, self.timestamp = world.tally.topic or "", offset, 0
        self.partition = partition_of((made.key or b"").decode(), PARTITIONS)
        self.key, self.value, self.headers = made.key, made.value, made.headers


class Race:
    """The owner of a partition with a parked stream, and an operator in another process."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.owner = world.runtime_of(world.hearer)
        self.operator = world.runtime_of(world.hearer)
        self.stream = world.totals.stream(world.program, "one")

    async def begin(self) -> None:
        await self.owner._prepare()
        first = [Got(self.world, n, n + 1, a) for n, a in enumerate((1, POISON, 10))]
        await self.owner.inbox.take([(first[0].topic, first[0].partition)])
        await self.owner.inbox.apply(first)  # type: ignore[arg-type]
        mend(self.world)

    async def arrives(self) -> None:
        await self.owner.inbox.apply([Got(self.world, 3, 4, 100)])  # type: ignore[list-item]

    async def document(self) -> dict[str, Any]:
        found: dict[str, Any] = await self.owner.database.collection("views_v1").find_one({"_id": self.stream})
        return found

    async def close(self) -> None:
        for runtime in (self.owner, self.operator):
            await runtime.inbox.close()
            await runtime.database.close()


@asynccontextmanager
async def race(world: World) -> AsyncIterator[Race]:
    made = Race(world)
    await made.begin()
    try:
        yield made
    finally:
        await made.close()


def before_writing(patch: pytest.MonkeyPatch, inbox: Inbox, do: Callable[[], Awaitable[object]]) -> None:
    """Let something else happen once, between what this inbox has read and what it writes."""
    write, done = inbox.write, []

    async def and_then(folding: Folding, *rest: Any) -> None:
        if not done:
            done.append(True)
            await do()
        await write(folding, *rest)

    patch.setattr(inbox, "write", and_then)


async def a_fact_arrives_while_an_operator_drains(race: Race) -> dict[str, Any]:
    with pytest.MonkeyPatch.context() as patch:
        before_writing(patch, race.operator.inbox, race.arrives)
        await race.operator.resuming.retry(race.stream)
    return await race.document()


async def an_operator_drains_while_a_fact_arrives(race: Race) -> dict[str, Any]:
    with pytest.MonkeyPatch.context() as patch:
        before_writing(patch, race.owner.inbox, lambda: race.operator.resuming.retry(race.stream))
        try:
            await race.arrives()
        except Exception as error:
            assert is_transient(error)
            await race.owner.inbox.positions(list(race.owner.inbox.offsets))
            await race.arrives()
    return await race.document()


RACES = [a_fact_arrives_while_an_operator_drains, an_operator_drains_while_a_fact_arrives]
WHOLE = {"amount": 1 + POISON + 10 + 100, "facts": 4}


@pytest.mark.guarantee("G7")
@pytest.mark.parametrize("run", RACES, ids=lambda r: str(r.__name__))
async def test_draining_and_arriving_conflict_in_the_database(
    world: World, run: Callable[[Race], Awaitable[dict[str, Any]]]
) -> None:
    async with race(world) as both:
        doc = await run(both)
        assert (doc["v"], doc["doc"], doc.get("parked")) == (4, WHOLE, None)
        assert await both.owner.database.collection("parked").count_documents({}) == 0
        tasks = await both.owner.database.collection("tasks").distinct("_id")
        assert tasks == [f"echo_it:{both.stream}@{v}" for v in (1, 2, 3, 4)]
        assert both.operator.resuming.conflicts == (1 if run is RACES[0] else 0)


@pytest.mark.guarantee("G7")
@pytest.mark.parametrize("run", RACES, ids=lambda r: str(r.__name__))
async def test_without_that_conflict_a_fact_is_left_behind(
    world: World, run: Callable[[Race], Awaitable[dict[str, Any]]]
) -> None:
    with planted("parking does not write the document"):
        async with race(world) as both:
            doc = await run(both)
            assert (doc["v"], doc.get("parked")) == (3, None)  # nobody knows of version 4, and it waits for ever
            assert await both.owner.database.collection("parked").count_documents({}) == 1


async def _is(world: World, hearer: Runtime, thing: str, expected: tuple[int, int, bool]) -> bool:
    return await sum_of(world, hearer, thing) == expected


async def _equals(asked: Awaitable[object], expected: object) -> bool:
    return await asked == expected
