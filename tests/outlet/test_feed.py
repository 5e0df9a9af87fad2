"""The feed on a real Kafka: every fact once and in order, whoever is restarted, and with the record's very content."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from chassis.distributing import reading
from chassis.distributing.producer import Outgoing, Producer
from chassis.running.runtime import Runtime as Service
from contracts.streams import generation_name
from tests.infrastructure import Infra
from tests.integration.kit import Traffic, World, until
from tests.integration.test_republish import admin, republish_of
from tests.outlet.kit import Chain, running

pytestmark = pytest.mark.integration


@pytest.fixture
def world(infra: Infra, tmp_path: Path) -> World:
    return World(infra, tmp_path)


async def relayed(writer: Service) -> bool:
    return await writer.database.collection("journal").count_documents({"pending": True}) == 0


@pytest.mark.guarantee("running")
async def test_it_hands_over_every_fact_once_and_just_as_it_was_said(world: World) -> None:
    async with world.running(world.writer) as writer, running(world) as outlet:
        for n in range(1, 31):
            await world.add(writer, f"t{n % 3}", n)
        await until(lambda: relayed(writer))
        await writer.database.collection("journal").update_many({}, {"$set": {"pending": True}})
        writer.relay.wake()  # as after a crash: everything once more
        await until(lambda: relayed(writer))
        producer = Producer(world.infra.kafka)
        await producer.start()
        await producer.send(world.tally.topic or "", 0, [Outgoing(b"x", b"no fact", [])])
        await producer.close()
        await world.add(writer, "last", 1)
        chain = Chain(limit=7)
        await chain.until_had(outlet.http, 31)
    chain.once_and_in_order()
    records = [r async for batch in reading.records(world.infra.kafka, [world.tally.topic or ""]) for r in batch]
    first = {dict(r.headers).get("ce_id", b"").decode(): r for r in reversed(records)}
    for event in chain.events:
        record = first[event["id"]]
        headers = {name: value.decode() for name, value in record.headers}
        assert json.dumps(event.pop("data"), separators=(",", ":")).encode() == record.value
        assert event.pop("datacontenttype") == headers["content-type"]
        assert {f"ce_{name}": value for name, value in event.items()} == {
            name: value for name, value in headers.items() if name.startswith("ce_")
        }


async def test_whoever_waits_is_answered_at_once_and_what_is_the_same_is_not_said_again(world: World) -> None:
    async with world.running(world.writer) as writer, running(world) as outlet:
        chain = Chain()
        first = await chain.ask(outlet.http)
        assert first.json() == [] and first.headers["content-type"] == "application/cloudevents-batch+json"
        again = await outlet.http.get(first.headers["link"].split(">")[0][1:])
        same = {"If-None-Match": again.headers["etag"]}
        unchanged = await outlet.http.get(first.headers["link"].split(">")[0][1:], headers=same)
        assert unchanged.status_code == 304 and not unchanged.content
        asking = [asyncio.create_task(Chain().ask(outlet.http, wait=30)) for _ in range(4)]
        await until(lambda: outlet.runtime.hearing.waiting == 4)
        await world.add(writer, "t", 1)
        async with asyncio.timeout(20):
            answers = [(await task).json() for task in asking]
        assert [[e["sequence"] for e in answer] for answer in answers] == [["1"]] * 4


@pytest.mark.guarantee("running")
async def test_a_generation_comes_and_another_goes_and_nothing_is_missed_or_repeated(world: World) -> None:
    async with world.running(world.writer) as writer:
        topic = world.tally.topic or ""
        async with Traffic(world, writer, 6) as traffic, running(world) as outlet:  # it begins while things go on
            chains = [Chain(limit=n) for n in (3, 50, 1000)]
            await until(lambda: len(traffic.said) > 40)
            await chains[0].ask(outlet.http)
            await chains[1].ask(outlet.http)
            await republish_of(world, writer, 8).run()
            before = len(traffic.said)
            await until(lambda: len(traffic.said) > before + 30)
            await until(lambda: outlet.runtime.hearing.index.find(topic, 2) is not None, 40)
            await chains[2].until_had(outlet.http, 30)
        count = len(traffic.said)
        await until(lambda: relayed(writer))
        async with running(world) as outlet:  # another process, which knows nothing but the cursors
            for chain in chains:
                await chain.until_had(outlet.http, count)
            await until(lambda: (outlet.runtime.hearing.index.find(topic, 2)) is not None, 20)
            for chain in chains:
                for _ in range(3):
                    assert (await chain.ask(outlet.http)).status_code == 200
            async with admin(world) as kafka:
                await kafka.delete_topics([topic])
            await until(lambda: outlet.runtime.hearing.index.find(topic, 1) is None, 40)
            await world.add(writer, "after", 1)
            for chain in chains:
                await chain.until_had(outlet.http, count + 1)
                chain.once_and_in_order()
                assert len(chain.events) == count + 1
            assert topic != generation_name(topic, 2)
            fresh = Chain(limit=1000)
            await fresh.until_had(outlet.http, count + 1)
            fresh.once_and_in_order()
