"""Rolling upgrades in both orders: a release that reads a new version of a fact beside one that does not."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from chassis.distributing.auditing import Audit
from chassis.receiving.tasks import COLLECTION as TASKS
from chassis.running.mongo import Document
from chassis.running.runtime import Runtime
from contracts.catalog import NewerVersion
from tests.infrastructure import Infra
from tests.integration.kit import World, until
from tests.integration.releases import Newer, in_hundredths

pytestmark = [pytest.mark.integration, pytest.mark.guarantee("G6")]


@pytest.fixture
def older(infra: Infra, tmp_path: Path) -> World:
    return World(infra, tmp_path)


Seen = dict[str, tuple[int, int, int, str | None]]
"""By thing: amount, facts folded, version, and why it is parked."""


async def seen(hearer: Runtime) -> Seen:
    docs = await hearer.database.collection(hearer.inbox.collection).find({"view": "sums"}).to_list(None)
    return {
        d["_id"].rpartition("/")[2]: (d["doc"]["amount"], d["doc"]["facts"], d["v"], d.get("parked", {}).get("reason"))
        for d in docs
    }


async def until_seen(hearer: Runtime, expected: Seen) -> None:
    async def it_is() -> bool:
        return await seen(hearer) == expected

    try:
        await until(it_is, 40)
    except AssertionError:
        raise AssertionError(f"{await seen(hearer)} and not {expected}") from None


async def journal(writer: Runtime) -> list[Document]:
    found: list[Document] = await writer.database.collection("journal").find().sort("_id", 1).to_list(None)
    return found


async def until_empty(runtime: Runtime, collection: str) -> None:
    async def it_is() -> bool:
        return not await runtime.database.collection(collection).count_documents({})

    await until(it_is, 40)


async def all_published(writer: Runtime) -> None:
    async def none_pending() -> bool:
        return await writer.database.collection("journal").count_documents({"pending": True}) == 0

    await until(none_pending)


async def audited(world: World, writer: Runtime) -> None:
    await all_published(writer)
    report = await Audit(world.writer.name, world.catalog, writer.database).run(world.infra.kafka)
    assert not report.findings and report.records > 0


async def ran_once(hearer: Runtime, said: list[str]) -> None:
    """Each fact's task has had its effect, once: a task itself may run again where a release was stopped in it."""

    async def echoed() -> bool:
        return {c["meta"]["causation"] for c in await journal(hearer)} == set(said)

    await until(echoed, 40)
    assert Counter(c["meta"]["causation"] for c in await journal(hearer)) == Counter(said)


async def test_reader_first_nothing_waits_and_what_was_said_before_keeps_its_bytes(older: World) -> None:
    newer = Newer(older)
    said: list[str] = []
    async with older.running(older.writer) as writer:
        async with older.running(older.hearer) as hearer:
            for n in (1, 2):
                said += await older.add(writer, "one", n)
            await until_seen(hearer, {"one": (3, 2, 2, None)})
        async with newer.running(newer.hearer) as hearer:
            said += await older.add(writer, "one", 3)
            await until_seen(hearer, {"one": (6, 3, 3, None)})
            await all_published(writer)
            before = await journal(writer)
            async with newer.running(newer.writer) as upgraded:
                assert (await upgraded.commands.read(newer.totals, said[0].partition("@")[0]))[0].amount == 6
                said += await newer.add(upgraded, "one", 4)
                await until_seen(hearer, {"one": (10, 4, 4, None)})
                await all_published(upgraded)
                after = await journal(upgraded)
                assert after[:3] == before and [c["events"][0]["v"] for c in after] == [1, 1, 1, 2]
                await ran_once(hearer, said)
                await audited(newer, upgraded)
                await restored(newer, upgraded, after)


async def restored(newer: Newer, writer: Runtime, was: list[Document]) -> None:
    """Facts of both versions come back from Kafka byte for byte."""
    await writer.database.collection("journal").delete_many({"from": {"$gt": 1}})
    healed = await writer.history.heal()
    assert (healed.commits, healed.troubles) == (3, [])
    for before, back in zip(was, await journal(writer), strict=True):
        assert {k: back[k] for k in ("events", "digest", "previous", "from")} == {
            k: before[k] for k in ("events", "digest", "previous", "from")
        }
    await audited(newer, writer)


async def test_writer_first_only_that_stream_waits_and_goes_on_by_itself_once_a_reader_comes(older: World) -> None:
    newer = Newer(older)
    said: list[str] = []
    async with (
        older.running(older.writer) as old_writer,
        newer.running(newer.writer) as writer,
        older.running(older.hearer) as old_hearer,
    ):
        said += await older.add(old_writer, "one", 1)
        said += await older.add(old_writer, "other", 5)
        await until_seen(old_hearer, {"one": (1, 1, 1, None), "other": (5, 1, 1, None)})
        for n in (2, 3):
            said += await newer.add(writer, "one", n)
        said += await older.add(old_writer, "other", 6)
        await until_seen(old_hearer, {"one": (1, 1, 1, "newer"), "other": (11, 2, 2, None)})
        parked = (await old_hearer.resuming.parked())["streams"]
        assert [(p["version"], p["needs"]) for p in parked] == [(2, "Added:2")]
        with pytest.raises(NewerVersion):
            await older.add(old_writer, "one", 9)  # answered with 503: nothing is decided on what cannot be read
        async with newer.running(newer.hearer) as hearer:  # beside the old one, which still owns partitions
            expected: Seen = {"one": (6, 3, 3, None), "other": (11, 2, 2, None)}
            await until_seen(hearer, expected)
            for n, thing in enumerate(("a", "b", "c", "d", "e", "f", "g", "h")):
                said += await newer.add(writer, thing, n + 1)
                expected[thing] = (n + 1, 1, 1, None)
            await until_seen(hearer, expected)
            await ran_once(hearer, said)
            await until_empty(hearer, TASKS)  # a row is gone a moment after its effect
            assert await hearer.database.collection("parked").count_documents({}) == 0
            await audited(newer, writer)


async def test_a_task_for_a_fact_of_a_newer_release_is_left_to_it(older: World) -> None:
    newer = Newer(older)
    async with newer.running(newer.writer) as writer:
        old = older.runtime_of(older.hearer)
        async with newer.running(newer.hearer) as hearer:
            await hearer.parts.cancel()  # it goes on hearing, and runs no tasks
            (event,) = await newer.add(writer, "one", 1)
            await until_seen(hearer, {"one": (1, 1, 1, None)})
            tasks = hearer.database.collection(TASKS)
            await until(lambda: tasks.count_documents({"event": event}))
            await old.runner.sweep()
            await asyncio.gather(*old.runner._jobs.values())
            row = await tasks.find_one({"event": event})
            assert (row["state"], row["attempts"], row["leased"]) == ("open", 0, None) and "newer" in row["error"]
        await old.database.close()
        async with newer.running(newer.hearer) as hearer:
            await ran_once(hearer, [event])


async def test_an_upcast_that_raises_parks_its_own_stream_only(older: World) -> None:
    def poisoned(fields: dict[str, Any]) -> dict[str, Any]:
        return {"program": fields["program"], "amount": 100 // (fields["amount"] - 666)} | in_hundredths(fields)

    newer = Newer(older, poisoned)
    async with older.running(older.writer) as writer, newer.running(newer.hearer) as hearer:
        for thing, amount in (("one", 1), ("one", 666), ("one", 2), ("other", 5)):
            await older.add(writer, thing, amount)
        await until_seen(hearer, {"one": (1, 1, 1, "unreadable"), "other": (5, 1, 1, None)})
        mended = Newer(older)
        async with mended.running(mended.hearer) as again:
            await again.resuming.retry(f"{older.program}/tally/one")
            await until_seen(again, {"one": (669, 3, 3, None), "other": (5, 1, 1, None)})
