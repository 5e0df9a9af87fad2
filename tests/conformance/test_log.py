"""Records are kept, handed over and shared out alike by the Kafka in memory and the real one."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from functools import partial
from math import inf
from random import Random
from typing import Any

import pytest
from faststream.kafka import KafkaBroker

from chassis.distributing.producer import Outgoing, Producer, Sender
from chassis.receiving.consumer import Consumer
from chassis.testing.broker import MemoryBroker, MemoryProducer
from chassis.testing.log import MemoryLog, Place
from chassis.testing.network import Caller, Network
from chassis.testing.tally import TOPIC_CONFIG
from local.topics import create_topics
from tests.integration.kit import until

PARTITIONS = 4


class Notes:
    """As an inbox, for the consumer: it notes what it is given. Those of one `shared` go on where the others were."""

    def __init__(self, name: str, topic: str, shared: dict[Place, int]) -> None:
        self.name = name
        self.topics = [topic]
        self.states: tuple[Any, ...] = ()
        self.offsets: dict[Place, int] = {}
        self.stamps: dict[Place, int] = {}
        self.heard: list[Any] = []
        self.refuse = 0
        self._shared = shared

    async def take(self, places: Iterable[Place]) -> dict[Place, int]:
        taken = {place: self._shared.get(place, 0) for place in places}
        self.offsets |= taken
        return taken

    def leave(self, places: Iterable[Place]) -> None:
        for place in places:
            self.offsets.pop(place, None)

    async def positions(self, places: Iterable[Place]) -> dict[Place, int]:
        return {place: self._shared.get(place, 0) for place in places}

    async def limits(self) -> Callable[[Place], float]:
        return lambda place: inf

    async def apply(self, records: Sequence[Any]) -> int:
        if self.refuse:
            self.refuse -= 1
            raise ValueError("refused")
        self.heard += records
        for record in records:
            self._shared[record.topic, record.partition] = record.offset + 1
        self.offsets |= {p: o for p, o in self._shared.items() if p in self.offsets}
        return len(records)

    async def close(self) -> None: ...


class Kafka:
    """A fresh topic, and how one speaks and listens there."""

    def __init__(self, topic: str, produce: Callable[[], Sender], broker: Callable[..., Any], bootstrap: str) -> None:
        self.topic = topic
        self._produce = produce
        self._broker = broker
        self._bootstrap = bootstrap
        self.shared: dict[Place, int] = {}
        self._listening: list[Consumer] = []

    async def say(self, partition: int, *values: bytes | None) -> None:
        """Append records, each with its value for its key."""
        producer = self._produce()
        await producer.start()
        said = [Outgoing(v or b"nothing", v, [("name", b"\x00" + (v or b"")), ("name", b"again")]) for v in values]
        await producer.send(self.topic, partition, said)
        await producer.close()

    async def listen(self) -> tuple[Notes, Consumer]:
        """A member of the group, at work."""
        notes = Notes(f"{self.topic}.group", self.topic, self.shared)
        consumer = Consumer(notes, self._bootstrap, broker=self._broker, stop_seconds=2)  # type: ignore[arg-type]
        self._listening.append(consumer)
        await consumer.start()
        return notes, consumer

    async def close(self) -> None:
        """Stop whoever listens."""
        await asyncio.gather(*(consumer.stop() for consumer in self._listening))


@pytest.fixture(params=["memory", "kafka"])
async def kafka(request: pytest.FixtureRequest) -> AsyncIterator[Kafka]:
    """Either."""
    topic = f"conformance.{secrets.token_hex(4)}"
    if request.param == "memory":
        log = MemoryLog(Network(Random(0), slowest=0), [topic], PARTITIONS)
        caller = Caller(log.network, "process")
        made = Kafka(topic, partial(MemoryProducer, log, caller), partial(MemoryBroker, log, caller), "")
    else:
        bootstrap = request.getfixturevalue("infra").kafka
        create_topics(bootstrap, {topic: TOPIC_CONFIG}, PARTITIONS)
        made = Kafka(topic, partial(Producer, bootstrap), KafkaBroker, bootstrap)
    yield made
    await made.close()


async def test_records_come_as_they_were_said_in_the_order_of_their_partition(kafka: Kafka) -> None:
    await kafka.say(1, b"a", None, b"c")
    await kafka.say(2, b"x")
    notes, _ = await kafka.listen()
    await until(lambda: len(notes.heard) == 4)
    await kafka.say(1, *(str(n).encode() for n in range(9)))
    await until(lambda: len(notes.heard) == 13)
    first = [r for r in notes.heard if r.partition == 1]
    assert [r.offset for r in first] == list(range(12))
    assert [r.value for r in first[:4]] == [b"a", None, b"c", b"0"] and first[0].key == b"a"
    assert list(first[0].headers) == [("name", b"\x00a"), ("name", b"again")]
    assert isinstance(first[0].timestamp, int) and first[0].topic == kafka.topic
    assert [(r.offset, r.value) for r in notes.heard if r.partition == 2] == [(0, b"x")]


async def test_what_was_refused_comes_again_from_where_it_began(kafka: Kafka) -> None:
    notes, consumer = await kafka.listen()
    notes.refuse = 2
    await kafka.say(0, b"a", b"b")
    await until(lambda: len(notes.heard) == 2)
    assert [r.offset for r in notes.heard] == [0, 1]
    await until(consumer.caught_up)
    ends = {lag.partition: (lag.offset, lag.end) for lag in await consumer.lag()}
    assert ends == {0: (2, 2), 1: (0, 0), 2: (0, 0), 3: (0, 0)}


async def test_members_share_all_partitions_and_take_over_from_who_leaves(kafka: Kafka) -> None:
    one, first = await kafka.listen()
    await until(lambda: len(first.ready) == PARTITIONS)
    other, second = await kafka.listen()
    await until(lambda: len(first.ready) == len(second.ready) == PARTITIONS // 2)
    assert not first.ready & second.ready
    for partition in range(PARTITIONS):
        await kafka.say(partition, b"before")
    await until(lambda: len(one.heard) + len(other.heard) == PARTITIONS)
    assert {(r.topic, r.partition) for r in other.heard} == second.ready
    await first.stop()
    await until(lambda: len(second.ready) == PARTITIONS)
    for partition in range(PARTITIONS):
        await kafka.say(partition, b"after")
    await until(lambda: sum(r.value == b"after" for r in other.heard) == PARTITIONS)
    assert [r.offset for r in one.heard] == [0] * (PARTITIONS // 2), "what the one heard the other does not hear again"
    assert sum(r.value == b"before" for r in other.heard) == PARTITIONS // 2
