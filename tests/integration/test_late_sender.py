"""A relay that slept with an old record in its hands cannot make it the last one of its key."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer

from chassis.distributing.latest import LatestStore, Record
from chassis.distributing.producer import Outgoing, Producer
from chassis.distributing.relay import Relay
from chassis.distributing.slots import partition_of
from chassis.receiving.views import StateView
from chassis.running.mongo import Database
from chassis.running.runtime import Runtime
from contracts.profiles import Person
from contracts.streams import HEARTBEAT
from tests.infrastructure import Infra
from tests.integration.kit import PARTITIONS, World, now, until

pytestmark = [pytest.mark.integration, pytest.mark.guarantee("G8")]

PERSON = "pe_" + "a" * 26


class Sleeping(Producer):
    """A producer that sends when it is woken."""

    def __init__(self, bootstrap: str, woken: asyncio.Event) -> None:
        super().__init__(bootstrap)
        self._woken = woken
        self.holds: list[Outgoing] = []

    async def send(self, topic: str, partition: int, records: Sequence[Outgoing]) -> None:
        self.holds += records
        await self._woken.wait()
        await super().send(topic, partition, records)


class Sender:
    """A service that sends records of people, and hears its own topic."""

    def __init__(self, infra: Infra, folder: Path) -> None:
        self.world = World(infra, folder)
        self.topic = infra.topic("people", PARTITIONS, {"cleanup.policy": "compact"})
        view = StateView("people", self.topic, Person, personal=True, own=True)
        self.service = replace(self.world.writer, states=(view,))

    def person(self, rev: int) -> Record:
        return Person(rev=rev, person=PERSON, name=f"Name {rev}", mail="a@b.example")

    async def write(self, runtime: Runtime, rev: int) -> None:
        async with runtime.database.transaction() as session:
            await runtime.latest.put(self.topic, PERSON, self.person(rev))(session)

    async def erase(self, runtime: Runtime) -> None:
        async with runtime.database.transaction() as session:
            await runtime.latest.erase(self.topic, PERSON, now())(session)

    async def values(self) -> list[bytes | None]:
        """All values of the key on the topic, in order."""
        consumer = AIOKafkaConsumer(bootstrap_servers=self.world.infra.kafka, auto_offset_reset="earliest")
        consumer.subscribe([self.topic])
        await consumer.start()
        try:
            ends = await consumer.end_offsets(list(consumer.assignment()))
            found = []
            while any([await consumer.position(place) < end for place, end in ends.items()]):
                for batch in (await consumer.getmany(timeout_ms=200)).values():
                    found += [r.value for r in batch if r.key == PERSON.encode()]
            return found
        finally:
            await consumer.stop()

    @asynccontextmanager
    async def sleeper(self) -> AsyncIterator[asyncio.Event]:
        """Another relay of the service, without the lease, that has read revision 1 and sleeps until it is woken."""
        settings = self.world.settings(self.service)
        database = Database(settings.mongo, settings.mongo_database or "")
        woken, made = asyncio.Event(), []

        def connect() -> Producer:
            made.append(Sleeping(self.world.infra.kafka, woken))
            return made[-1]

        store = LatestStore(database)
        relay = Relay(
            self.service.name, self.world.catalog, database, store, connect, now=now, partitions=PARTITIONS
        )  # fmt: skip
        sweeping = asyncio.create_task(relay.sweep())
        await until(lambda: made and made[-1].holds)
        try:
            yield woken
            await asyncio.wait([sweeping], timeout=20)
            assert sweeping.done() and not sweeping.exception(), "it did send"
        finally:
            sweeping.cancel()
            await database.close()


@pytest.fixture
def sender(infra: Infra, tmp_path: Path) -> Sender:
    return Sender(infra, tmp_path)


async def prepared(sender: Sender) -> None:
    """Collections are there, and revision 1 waits to be sent."""
    runtime = sender.world.runtime_of(sender.service)
    await runtime._prepare()
    await sender.write(runtime, 1)
    await runtime.database.close()


async def test_a_late_name_is_covered_by_a_tombstone_again(sender: Sender) -> None:
    await prepared(sender)
    async with sender.sleeper() as woken, sender.world.running(sender.service) as runtime:
        await sender.erase(runtime)

        async def sent() -> bool:
            return not await runtime.latest.unproven([(sender.topic, PERSON)])

        await until(sent)
        assert (await sender.values())[-1] is None
        woken.set()

        async def late() -> bool:
            return any(value for value in (await sender.values())[1:]) or len(await sender.values()) > 2

        await until(late)

        async def covered() -> bool:
            return (await sender.values())[-1] is None and await sent()

        await until(covered)
        assert await runtime.inbox.reader.latest(sender.service.states[0], PERSON) is None
        values = await sender.values()
        assert [value for value in values if value], "the name did come late"
        assert values.count(None) >= 2


async def test_a_late_revision_is_covered_by_the_newer_one_again(sender: Sender) -> None:
    await prepared(sender)
    async with sender.sleeper() as woken, sender.world.running(sender.service) as runtime:

        async def revs() -> list[int]:
            return [Person.model_validate_json(value).rev for value in await sender.values() if value]

        async def ends_with(rev: int) -> bool:
            return (await revs())[-1:] == [rev]

        await until(lambda: ends_with(1))
        await sender.write(runtime, 2)
        await until(lambda: ends_with(2))
        woken.set()

        async def covered() -> bool:
            found = await revs()
            return 1 in found[found.index(2) :] and found[-1] == 2

        await until(covered)


async def test_quiet_partitions_hear_a_record_that_says_nothing(sender: Sender) -> None:
    """Without it Kafka would never close the segment in which the name is."""
    await prepared(sender)
    async with sender.world.running(sender.service, beat_seconds=0.2) as runtime:
        await asyncio.sleep(0.5)
        ends = await runtime.inbox.checkpoints()
        assert sum(ends.values()) <= 1, "nobody is erased: nothing is said"
        await sender.erase(runtime)

        async def everywhere() -> bool:
            found = await runtime.inbox.checkpoints()
            return len(found) == PARTITIONS and all(n > 1 for n in found.values())

        await until(everywhere)
        docs = await runtime.database.collection(runtime.inbox.collection).find({}).to_list(None)
        assert not [d for d in docs if HEARTBEAT in d["_id"]] and await runtime.parked() == 0
    assert {partition_of(key, PARTITIONS) for key in runtime.relay._beats} == set(range(PARTITIONS))
