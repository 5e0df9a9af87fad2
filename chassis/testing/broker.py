"""A producer and a broker in memory: what the relay calls of ours, and what the consumer calls of FastStream's."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import IllegalStateError, KafkaConnectionError

from chassis.distributing.producer import Outgoing
from chassis.testing.log import Kept, MemoryLog, Place
from chassis.testing.network import Caller

Handler = Callable[[Any], Awaitable[Any]]


class MemoryProducer:
    """As `chassis.distributing.producer.Producer`; a long list travels in several batches, one after the other."""

    def __init__(self, log: MemoryLog, caller: Caller, *, batch: int = 4) -> None:
        self._log = log
        self._caller = caller
        self._batch = batch

    async def start(self) -> None:
        """Connect."""
        await self._caller.ask(lambda: None, KafkaConnectionError)

    async def send(self, topic: str, partition: int, records: Sequence[Outgoing]) -> None:
        """Append in order. Raises a `KafkaError` where the answer is lost, whatever came of it."""
        for n in range(0, len(records), self._batch):
            part = records[n : n + self._batch]
            await self._caller.ask(partial(self._log.append, (topic, partition), part), KafkaConnectionError)

    async def close(self) -> None:
        """Disconnect."""


class MemoryBroker:
    """As FastStream's broker with one batch subscriber; parsers and settings of the wire mean nothing to it."""

    def __init__(self, log: MemoryLog, caller: Caller, bootstrap: str, *, graceful_timeout: float = 8.0, **_: Any):
        self._log = log
        self._caller = caller
        self._graceful = graceful_timeout
        self._subscriber: MemorySubscriber | None = None

    def subscriber(self, *topics: str, group_id: str, max_records: int, listener: Any, **_: Any) -> MemorySubscriber:
        consumer = MemoryConsumer(self._log, self._caller, topics, group_id, listener)
        self._subscriber = MemorySubscriber(consumer, max_records)
        return self._subscriber

    async def start(self) -> None:
        assert self._subscriber is not None
        await self._caller.ask(lambda: None, KafkaConnectionError)
        self._subscriber.start()

    def evict(self) -> bool:
        """Let its group take it for dead, which it is not told; whether it was a member."""
        return self._subscriber is not None and self._subscriber.consumer.evict()

    async def stop(self) -> None:
        """Finish the batch in hand, if that takes not too long, and leave the group."""
        if self._subscriber is not None:
            await self._subscriber.stop(self._graceful)


class MemorySubscriber:
    """Polls, and hands every batch to its handler, one after the other."""

    def __init__(self, consumer: MemoryConsumer, most: int) -> None:
        self.consumer = consumer
        self._most = most
        self._handler: Handler | None = None
        self._polling: asyncio.Task[None] | None = None
        self._stopping = asyncio.Event()

    def __call__(self, handler: Handler) -> None:
        self._handler = handler

    def start(self) -> None:
        self.consumer.join()
        self._polling = asyncio.create_task(self._poll())

    async def _poll(self) -> None:
        assert self._handler is not None
        stopping = asyncio.create_task(self._stopping.wait())
        while not self._stopping.is_set():
            fetching = asyncio.create_task(self.consumer.getmany(self._most))
            await asyncio.wait([fetching, stopping], return_when=asyncio.FIRST_COMPLETED)
            if self._stopping.is_set():
                fetching.cancel()
                return
            if records := fetching.result():
                await self._handler(records)

    async def stop(self, patience: float) -> None:
        self._stopping.set()
        if self._polling is not None:
            done, _ = await asyncio.wait([self._polling], timeout=patience)
            if not done:
                self._polling.cancel()
        self.consumer.leave()


class MemoryConsumer:
    """As aiokafka's consumer in a group. `evicted` makes it a zombie: it finds out at its next fetch, and joins again.

    Records that were fetched before a seek may still come after it, as from the buffer of the real one.
    """

    def __init__(self, log: MemoryLog, caller: Caller, topics: Sequence[str], group: str, listener: Any) -> None:
        self.topics = topics
        self.caller = caller
        self._log = log
        self._group = log.group(group)
        self._listener = listener
        self._positions: dict[Place, int] = {}
        self._moved = asyncio.Event()
        self._receiving: asyncio.Task[None] | None = None
        self._left = False

    # -- in the group -----------------------------------------------------------------------------------------------

    def join(self) -> None:
        self._group.join(self)

    def leave(self) -> None:
        """For ever, or so it was decided over our head."""
        self._left = True
        self._group.leave(self)

    def evict(self) -> bool:
        """Not heard of for too long: the others share what it has, and it does not know."""
        was = self in self._group.members
        self._group.leave(self)
        return was

    async def give_up(self) -> None:
        if self.caller.dead:
            self._group.leave(self)
            return
        await self.caller.awake()
        if self._receiving is not None:
            await asyncio.wait([self._receiving])
            self._receiving = None
        lost, self._positions = [TopicPartition(*p) for p in self._positions], {}
        await self._listener.on_partitions_revoked(lost)

    def receive(self, places: Sequence[Place]) -> None:
        if not self.caller.dead:
            self._receiving = asyncio.create_task(self._take(places))

    async def _take(self, places: Sequence[Place]) -> None:
        self._positions = {p: self._group.committed.get(p, 0) for p in places}
        self._wake()
        await self._listener.on_partitions_assigned([TopicPartition(*p) for p in places])

    # -- what our consumer calls ------------------------------------------------------------------------------------

    def assignment(self) -> set[TopicPartition]:
        return {TopicPartition(*p) for p in self._positions}

    def seek(self, tp: TopicPartition, offset: int) -> None:
        place = (tp.topic, tp.partition)
        if place not in self._positions:
            raise IllegalStateError(f"{tp} is not assigned")
        self._positions[place] = offset
        self._wake()

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        told = {(tp.topic, tp.partition): offset for tp, offset in offsets.items()}
        await self.caller.ask(lambda: self._group.committed.update(told), KafkaConnectionError)

    def highwater(self, tp: TopicPartition) -> int:
        return self._log.end((tp.topic, tp.partition))

    async def end_offsets(self, tps: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        return await self.caller.ask(lambda: {tp: self.highwater(tp) for tp in tps}, KafkaConnectionError)

    # -- what the subscriber calls ----------------------------------------------------------------------------------

    def _wake(self) -> None:
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()

    async def getmany(self, most: int) -> list[Kept]:
        """The next records of what is assigned, partitions in any order; waits until there are some."""
        while True:
            if self not in self._group.members and not self._left:
                await self._join_again()
            asked = dict(self._positions)
            found = self._fetch(asked, most)
            if not found:
                await self._something()
                continue
            await asyncio.sleep(self._log.network.travel())
            await self.caller.awake()
            for place in {(r.topic, r.partition) for r in found}:
                if self._positions.get(place) == asked[place]:
                    self._positions[place] = max(r.offset for r in found if (r.topic, r.partition) == place) + 1
            return found

    async def _join_again(self) -> None:
        lost, self._positions = [TopicPartition(*p) for p in self._positions], {}
        await self._listener.on_partitions_revoked(lost)
        self._group.join(self)

    def _fetch(self, positions: Mapping[Place, int], most: int) -> list[Kept]:
        chance = self._log.network.chance
        places = [p for p, offset in positions.items() if offset < self._log.end(p)]
        chance.shuffle(places)
        found: list[Kept] = []
        for place in places:
            if len(found) < most:
                found += self._log.read(place, positions[place], chance.randint(1, most - len(found)))
        return found

    async def _something(self) -> None:
        """Wait until there may be something to fetch."""
        waits = [asyncio.ensure_future(self._moved.wait()), asyncio.ensure_future(self._log.next_append())]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        await self.caller.awake()
