"""A topic is filled again from the journal while traffic goes on; who hears it misses and repeats nothing."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from chassis.distributing import reading, republish
from chassis.distributing.auditing import Audit
from chassis.distributing.producer import Producer
from chassis.distributing.relay import Relay
from chassis.distributing.republish import Republish
from chassis.receiving.records import Record
from chassis.running import job, republishing
from chassis.running.job import Cannot
from chassis.running.pace import Progress
from chassis.running.runtime import Runtime
from contracts.envelope import from_headers
from contracts.streams import generation_name, topic_of
from tests.infrastructure import Infra
from tests.integration.kit import Traffic, World, until
from tests.integration.releases import Newer
from tests.integration.test_rebuild import rebuild_of
from tests.integration.test_releases import ran_once

pytestmark = [pytest.mark.integration, pytest.mark.guarantee("G5")]
STREAMS = 12


@pytest.fixture
def world(infra: Infra, tmp_path: Path) -> World:
    return World(infra, tmp_path)


def republish_of(world: World, runtime: Runtime, wanted: int | None = None) -> Republish:
    has, topic = runtime.settings.partitions, world.tally.topic or ""
    return Republish(world.writer.name, world.catalog, runtime.database, world.infra.kafka, topic, has, wanted)


class Foreign:
    """A subscriber that is none of ours: each version once, of every generation, as `docs/subscribing.md` says."""

    def __init__(self, world: World) -> None:
        pattern = rf"^{(world.tally.topic or '').replace('.', '[.]')}([.]g[0-9]+)?$"
        self._kafka = AIOKafkaConsumer(
            bootstrap_servers=world.infra.kafka,
            group_id=f"{world.writer.name}.foreign",
            auto_offset_reset="earliest",
            enable_auto_commit=False,  # this client commits for ever to a topic that was deleted
            metadata_max_age_ms=1000,
        )
        self._kafka.subscribe(pattern=pattern)
        self.last: Counter[str] = Counter()
        self.heard: list[str] = []
        self.gaps: list[str] = []
        self.topics: Counter[str] = Counter()

    async def _hear(self) -> None:
        async for record in self._kafka:
            self.topics[record.topic] += 1
            e = from_headers(record.headers)
            if e.version <= self.last[e.stream]:
                continue
            if e.version > self.last[e.stream] + 1:
                self.gaps.append(e.id)
            self.last[e.stream] = e.version
            self.heard.append(e.id)

    async def __aenter__(self) -> Foreign:
        await self._kafka.start()
        self._hearing = asyncio.create_task(self._hear())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._hearing.cancel()
        with suppress(asyncio.CancelledError):
            await self._hearing
        await self._kafka.stop()


async def content(world: World, topic: str) -> dict[str, list[Record]]:
    """The records of a topic by the id of their fact, those of each stream in order."""
    found: dict[str, list[Record]] = {}
    async for batch in reading.records(world.infra.kafka, [topic]):
        for record in batch:
            found.setdefault(from_headers(record.headers).id, []).append(record)
    return found


def in_order(records: dict[str, list[Record]]) -> bool:
    """Whether the first occurrences of each stream count 1, 2, 3 in one partition."""
    last: Counter[str] = Counter()
    places: dict[str, int] = {}
    for id, record in sorted(((id, rs[0]) for id, rs in records.items()), key=lambda x: (x[1].partition, x[1].offset)):
        stream, _, version = id.rpartition("@")
        if int(version) != last[stream] + 1 or places.setdefault(stream, record.partition) != record.partition:
            return False
        last[stream] += 1
    return True


def said(records: list[Record]) -> set[tuple[Any, ...]]:
    """What repeats of one fact say; the span a record was sent in is no part of it."""
    return {(r.key, r.value, tuple((k, v) for k, v in r.headers if k != "traceparent")) for r in records}


async def views_are_the_journal(world: World, hearer: Runtime, count: int) -> None:
    """Every view has seen every version, and sums what the journal sums."""

    async def amounts() -> dict[str, tuple[int, int]]:
        found = await hearer.inbox.reader.find(world.sums, world.program)
        return {x.stream: (x.version, x.row.amount) for x in found if not x.parked}

    async def all_of_it() -> bool:
        return sum(v for v, _ in (await amounts()).values()) == count

    await until(all_of_it, 60)
    numbers = range(1, count + 1)
    expected = {
        world.totals.stream(world.program, f"t{n}"): sum(x for x in numbers if (x - 1) % STREAMS == n)
        for n in range(STREAMS)
    }
    assert {stream: amount for stream, (_, amount) in (await amounts()).items()} == expected


async def audited(world: World, writer: Runtime) -> None:
    journal = writer.database.collection("journal")

    async def all_marked() -> bool:
        return not await journal.count_documents({"pending": True})

    await until(all_marked, 40)
    report = await Audit(world.writer.name, world.catalog, writer.database).run(world.infra.kafka)
    assert report.findings == [] and report.records > 0


@asynccontextmanager
async def admin(world: World) -> AsyncIterator[AIOKafkaAdminClient]:
    client = AIOKafkaAdminClient(bootstrap_servers=world.infra.kafka)
    await client.start()
    try:
        yield client
    finally:
        await client.close()


async def test_traffic_goes_on_while_another_generation_is_filled_and_heard_and_the_old_one_deleted(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(republish, "PAGE", 20)
    topic = world.tally.topic or ""
    newer, second = Newer(world), f"{topic}.g2"
    async with (
        world.running(world.writer, lease_seconds=2) as old_writer,
        newer.running(newer.hearer) as hearer,
        Foreign(world) as foreign,
    ):
        first = Traffic(world, old_writer, STREAMS)
        await first.more(100)  # facts of the first version, which are sent again as they are
        async with newer.running(newer.writer, lease_seconds=2) as writer:
            traffic = Traffic(newer, writer, STREAMS)
            traffic.said = first.said
            await traffic.more(50)
            async with traffic:
                await interrupted(world, writer)
                filled = len(await content(world, second))
                assert 0 < filled < len(traffic.said), "the interruption was not in the middle"
                progress: list[Progress] = []
                again = republish_of(world, writer, 8)
                again.say = progress.append
                before = len(traffic.said)
                assert (await again.run()).name == second
                during = len(traffic.said)
                await asyncio.sleep(2)
            assert before < during < len(traffic.said), "there was no traffic before and after the change"
            assert progress[0].done >= filled and progress[-1].done == progress[-1].total
            await audited(newer, writer)
            old, new = await content(world, topic), await content(world, second)
            assert set(new) == set(traffic.said) > set(old) > set(), "the old generation was not left in the middle"
            assert in_order(new) and {r.partition for rs in new.values() for r in rs} - set(range(4))
            assert all(said(new[id]) == said(old[id]) and len(said(new[id])) == 1 for id in old)
            async with admin(world) as kafka:
                await kafka.delete_topics([topic])
            await until(lambda: hearer.inbox.topics == [second] and not hearer.waiting_for(), 60)
            await traffic.more(20)
            await views_are_the_journal(newer, hearer, len(traffic.said))
            await ran_once(hearer, traffic.said)
            other = newer.runtime_of(newer.hearer, "rebuild")
            assert await rebuild_of(other).forward() == 2
            await until(lambda: hearer.inbox.version == 2 and not hearer.waiting_for(), 60)
            await views_are_the_journal(newer, hearer, len(traffic.said))
            await other.database.close()
            assert sorted(foreign.heard) == sorted(traffic.said) and not foreign.gaps
            assert foreign.topics[topic] > 0 < foreign.topics[second]


async def interrupted(world: World, writer: Runtime) -> None:
    """A republishing that is killed after a few portions, in the middle of what goes to one partition."""
    send, sent = Producer.send, 0

    async def few(self: Producer, topic: str, partition: int, records: Any) -> None:
        nonlocal sent
        sent += topic.endswith(".g2")
        if sent > 20:
            await send(self, topic, partition, records[:1])
            raise ConnectionError("killed")
        await send(self, topic, partition, records)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Producer, "send", few)
        with pytest.raises(ConnectionError):
            await republish_of(world, writer, 8).run()


async def test_a_topic_that_lost_its_beginning_is_whole_again(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    topic = world.tally.topic or ""
    async with world.running(world.writer, lease_seconds=1) as writer:
        traffic = Traffic(world, writer, STREAMS)
        await traffic.more(60)
        await audited(world, writer)
        async with admin(world) as kafka:

            async def lost() -> bool:
                for partition in range(4):
                    with suppress(Exception):  # it may have fewer, or its leader may not be known yet
                        place = TopicPartition(topic, partition)
                        await kafka.delete_records({place: RecordsToDelete(before_offset=5)})
                return not in_order(await content(world, topic))

            assert await until(lost, 30), "nothing was lost"
        async with world.running(world.hearer) as hearer:
            await until(lambda: hearer.inbox.database.collection("parked").count_documents({}), 90)
            assert await republishing.main(world.runtime_of(world.writer, "republish")) == job.DONE
            assert json.loads(capsys.readouterr().out.splitlines()[-1]) == {"topic": f"{topic}.g2"}
            await views_are_the_journal(world, hearer, len(traffic.said))
            await ran_once(hearer, traffic.said)
            assert await hearer.database.collection("parked").count_documents({}) == 0
        await audited(world, writer)


async def test_a_relay_that_stalled_says_nothing_in_the_old_generation_once_there_is_another(world: World) -> None:
    stalls, go_on = asyncio.Event(), asyncio.Event()

    class Stalling(Relay):
        """It has its lease, and stands still for longer than that before it reads."""

        async def _sweep_latest(self) -> int:
            stalls.set()
            await go_on.wait()
            return await super()._sweep_latest()

    async with world.running(world.writer, "api") as api:
        stale = world.runtime_of(world.writer, "relay", lease_seconds=1)
        await stale.relay.prepare()
        stale.relay.__class__ = Stalling
        await world.add(api, "t0", 1)
        running = asyncio.create_task(stale.relay.run())
        await stalls.wait()
        assert (await republish_of(world, api).run()).generation == 2
        await world.add(api, "t0", 13)
        go_on.set()
        await audited(world, api)
        first, second = [await content(world, f"{world.tally.topic}{g}") for g in ("", ".g2")]
        assert not first and len(second) == 2 and in_order(second)
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
        await stale.database.close()


async def test_what_cannot_be_republished_is_refused(world: World) -> None:
    async with world.running(world.writer, "api") as api:
        wrong = republish_of(world, api)
        wrong.topic = "counterpoint.other.events"
        with pytest.raises(Cannot, match="says nothing on"):
            await wrong.run()
        with pytest.raises(Cannot, match="3 partitions"):
            await republish_of(world, api, 3).run()


def test_names_of_generations_are_told_apart() -> None:
    for name, topic in (("a.events", "a.events"), ("a.events.g2", "a.events"), ("a.g2x", "a.g2x"), ("a.g12", "a")):
        assert topic_of(name) == topic
    assert generation_name("a.events", 1) == "a.events" and generation_name("a.events", 3) == "a.events.g3"
