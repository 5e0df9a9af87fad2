"""A journal restored to an earlier moment cannot fork history: Kafka gives back the rest before a command is taken."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient

from chassis.deciding.commands import Origin, body_digest, command_id
from chassis.deciding.decider import On
from chassis.deciding.journal import COLLECTION, UNKNOWN_BODY
from chassis.distributing import reading
from chassis.distributing.auditing import Audit, Report
from chassis.distributing.healing import MARKS, Healed, History
from chassis.running import once
from chassis.running.problems import Problem
from chassis.running.runtime import Runtime
from chassis.testing.tally import Add
from tests.infrastructure import Infra
from tests.integration.kit import World, until

pytestmark = pytest.mark.integration
Documents = list[dict[str, Any]]


@pytest.fixture
def world(infra: Infra, tmp_path: Path) -> World:
    return World(infra, tmp_path)


async def published(writer: Runtime) -> None:
    journal = writer.database.collection(COLLECTION)

    async def marked() -> bool:
        return not await journal.count_documents({"pending": True})

    await until(marked)


async def say(world: World, writer: Runtime, begin: int, end: int) -> None:
    for n in range(begin, end):
        await world.add(writer, f"t{n % 4}", n, key=f"key {n}")
    await published(writer)


def copy(world: World, *collections: str) -> dict[str, Documents]:
    """Everything in collections of the writer, as a backup has it."""
    with MongoClient[dict[str, Any]](world._databases[world.writer.name].uri, tz_aware=True) as client:
        database = client.get_default_database()
        return {name: list(database[name].find().sort("_id", 1)) for name in collections}


def restore(world: World, backup: dict[str, Documents]) -> None:
    """Put collections back to what they were."""
    with MongoClient[dict[str, Any]](world._databases[world.writer.name].uri, tz_aware=True) as client:
        database = client.get_default_database()
        for name, docs in backup.items():
            database[name].delete_many({})
            if docs:
                database[name].insert_many(docs)


async def forked(world: World) -> tuple[Documents, Documents]:
    """Restore the writer to a moment before its last facts; answers the journal as it was, and as it is."""
    async with world.running(world.writer) as writer:
        await say(world, writer, 1, 9)
        await until(lambda: copy(world, MARKS)[MARKS])
        backup = await asyncio.to_thread(copy, world, COLLECTION, MARKS)
        await say(world, writer, 9, 25)
        await writer.history.remember()
    whole = (await asyncio.to_thread(copy, world, COLLECTION))[COLLECTION]
    await asyncio.to_thread(restore, world, backup)
    assert (len(backup[COLLECTION]), len(whole)) == (8, 24), "the hard case was not reached"
    return whole, backup[COLLECTION]


async def healed(world: World) -> Healed:
    runtime = world.runtime_of(world.writer)
    try:
        return await runtime.history.heal()
    finally:
        await runtime.database.close()


async def audited(world: World) -> Report:
    runtime = world.runtime_of(world.writer)
    try:
        return await Audit(world.writer.name, world.catalog, runtime.database).run(world.infra.kafka)
    finally:
        await runtime.database.close()


def but(docs: Documents) -> Documents:
    """Documents without what Kafka never had: the body of the request (and who acted, which is nobody here)."""
    return [{k: v for k, v in doc.items() if k != "body_digest"} for doc in docs]


@pytest.mark.guarantee("G4")
async def test_a_restored_journal_takes_no_command_until_it_is_healed(world: World) -> None:
    whole, _ = await forked(world)
    restored = world.runtime_of(world.writer)
    restored.start()
    try:
        await until(lambda: "counterpoint heal" in (restored._refusal or ""))
        assert restored.waiting_for() == ["journal"]
        with pytest.raises(Problem) as refused:
            await world.add(restored, "t0", 1)
        assert (refused.value.status, refused.value.code) == (503, "journal-behind")
        assert "16 commits" in refused.value.detail and f"heal {world.writer.name}" in refused.value.detail
        assert await healed(world) == Healed(commits=16, streams=4)
        await until(lambda: not restored.waiting_for())
        now = (await asyncio.to_thread(copy, world, COLLECTION))[COLLECTION]
        assert but(now) == but(whole)
        assert [d["body_digest"] for d in now].count(UNKNOWN_BODY) == 16
        assert (await audited(world)).findings == []
        await commands_go_on(world, restored)
    finally:
        await restored.stop()
    assert (await audited(world)).findings == []


async def commands_go_on(world: World, writer: Runtime) -> None:
    """New ones are decided on all there was; a repeat of one that came back is answered as the first time."""
    assert (await world.add(writer, "t0", 1))[0].endswith("@7")
    again = Origin(command_id("test", "key 24"), body_digest("24"), correlation="test")
    on = On(world.totals, world.totals.stream(world.program, "t0"), Add(program=world.program, amount=24))
    outcome = await writer.run(again, on)
    assert outcome.repeated and outcome.after[0].endswith("@6")
    await published(writer)


@pytest.mark.guarantee("G4")
async def test_without_the_comparison_history_forks(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The planted fault: two facts then have one version, and the audit finds it."""

    async def blind(self: History) -> None:
        return None

    await forked(world)
    monkeypatch.setattr(History, "check", blind)
    async with world.running(world.writer) as writer:
        assert (await world.add(writer, "t0", 1))[0].endswith("@3")
        await published(writer)
    assert "not-in-journal" in {f.kind for f in (await audited(world)).findings}
    assert (await healed(world)).troubles, "what forked cannot be healed, and that is said"


@pytest.mark.guarantee("G4")
async def test_healing_twice_brings_nothing_twice(world: World) -> None:
    whole, _ = await forked(world)
    assert (await healed(world)).commits == 16
    assert await healed(world) == Healed()
    assert len((await asyncio.to_thread(copy, world, COLLECTION))[COLLECTION]) == len(whole)


@pytest.mark.guarantee("G4")
async def test_what_was_removed_and_does_not_follow_is_not_invented(world: World) -> None:
    await forked(world)
    stream = world.totals.stream(world.program, "t1")
    with MongoClient[dict[str, Any]](world._databases[world.writer.name].uri) as client:
        journal = client.get_default_database()[COLLECTION]
        journal.update_one({"stream": stream, "from": 2}, {"$set": {"digest": "f" * 64}})
    found = await healed(world)
    assert found.commits == 12 and [t.partition(":")[0] for t in found.troubles] == [f"{stream}@3"]
    refusing = world.runtime_of(world.writer)
    refusing.start()
    await until(lambda: "4 commits" in (refusing._refusal or ""))
    settings = world.settings(world.writer, "api")
    code = await asyncio.to_thread(once.main, lambda: Runtime(world.writer, settings), ["--heal-and-accept"])
    assert code == once.FAILED, "what is missing is said again"
    await until(lambda: not refusing.waiting_for())
    await refusing.stop()
    (marks,) = (await asyncio.to_thread(copy, world, MARKS))[MARKS]
    assert [a["troubles"] for a in marks["accepted"]] == [found.troubles]


@pytest.mark.guarantee("G4")
async def test_a_start_reads_only_what_came_since_the_last_mark(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async with world.running(world.writer) as writer:
        await say(world, writer, 1, 20)
        await writer.history.remember()
    (marks,) = (await asyncio.to_thread(copy, world, MARKS))[MARKS]
    assert sum(m["end"] for m in marks["ends"]) == 19
    read = []
    records = reading.records

    async def counted(bootstrap: str, topics: Any, begin: Any = None) -> AsyncIterator[Any]:
        async for batch in records(bootstrap, topics, begin):
            read.extend(batch)
            yield batch

    monkeypatch.setattr(reading, "records", counted)
    async with world.running(world.writer) as writer:
        assert read == []
        await say(world, writer, 20, 23)
        await writer.history.check()
        assert len(read) == 3
