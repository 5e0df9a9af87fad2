"""Reads partitions by hand, from any offset on, without a group: as they grow, or a few records from somewhere."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError, KafkaTimeoutError

from chassis.distributing.access import client
from chassis.distributing.reading import Place
from chassis.receiving.records import Record

__all__ = ["KafkaError", "Readers", "Tail"]

FETCH_BYTES = 256 * 1024
"""What one partition may send at once: most of what a reader wants is a page of a few hundred facts."""
ANSWER_SECONDS = 4.0


class Tail:
    """One connection to Kafka, and the places it reads."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._admin: Any = None
        self._kafka: Any = AIOKafkaConsumer(
            **client(bootstrap),
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="none",
            max_partition_fetch_bytes=FETCH_BYTES,
            metadata_max_age_ms=5_000,
        )

    async def start(self) -> None:
        """Connect. Raises Kafka's errors."""
        try:
            await self._kafka.start()
        except BaseException:
            await self.close()
            raise

    async def bounds(self, places: Iterable[Place]) -> dict[Place, tuple[int, int]]:
        """The first offset of each place and the one behind its last. Raises Kafka's errors."""
        tps = [TopicPartition(*place) for place in places]
        if not tps:
            return {}
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                firsts, ends = await self._kafka.beginning_offsets(tps), await self._kafka.end_offsets(tps)
        except TimeoutError:
            raise KafkaTimeoutError("where the partitions end") from None
        return {(tp.topic, tp.partition): (firsts[tp], ends[tp]) for tp in tps}

    async def topics(self) -> dict[str, int]:
        """The topics that there are for us, and how many partitions each has. Raises Kafka's errors."""
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                if self._admin is None:
                    self._admin = AIOKafkaAdminClient(**client(self._bootstrap))
                    await self._admin.start()
                found = await self._admin.describe_topics()
        except TimeoutError:
            raise KafkaTimeoutError("which topics there are") from None
        return {t["topic"]: len(t["partitions"]) for t in found if not t["error_code"]}

    def go_to(self, positions: Mapping[Place, int]) -> None:
        """Read these places from now on, each from its offset, and no others."""
        if not positions:
            self._kafka.unsubscribe()
            return
        self._kafka.assign([TopicPartition(*place) for place in positions])
        for place, offset in positions.items():
            self._kafka.seek(TopicPartition(*place), offset)

    async def read(self, seconds: float, at_most: int) -> list[Sequence[Record]]:
        """What has come, batches of one place each; none after this time. Raises Kafka's errors."""
        found = await self._kafka.getmany(timeout_ms=int(seconds * 1000), max_records=at_most)
        return [batch for batch in found.values() if batch]

    async def close(self) -> None:
        """Disconnect."""
        with suppress(KafkaError, OSError):
            await self._kafka.stop()
        if self._admin is not None:
            with suppress(KafkaError, OSError):
                await self._admin.close()


class Readers:
    """A few connections that many share. One that stands where the next page begins goes on there."""

    def __init__(self, bootstrap: str, count: int) -> None:
        self._bootstrap = bootstrap
        self._free: list[tuple[Tail, Place | None, int]] = []
        self._gate = asyncio.Semaphore(count)

    async def read(self, place: Place, offset: int, at_most: int) -> list[Record]:
        """Up to so many records of a place from an offset on, at least one. There must be one.

        Raises Kafka's errors; a `KafkaTimeoutError` where none comes.
        """
        async with self._gate:
            tail = await self._take(place, offset)
            try:
                async with asyncio.timeout(ANSWER_SECONDS):
                    while not (batches := await tail.read(1.0, at_most)):
                        pass
            except TimeoutError:
                await tail.close()
                raise KafkaTimeoutError(f"a page of {place[0]}") from None
            except BaseException:
                await tail.close()
                raise
            records = [record for batch in batches for record in batch]
            self._free.append((tail, place, records[-1].offset + 1))
            return records

    async def ends(self, topic: str) -> list[int]:
        """The offset behind the last record of each partition of a topic; none where there is none of that name.

        Raises Kafka's errors.
        """
        async with self._gate:
            tail = Tail(self._bootstrap)
            await tail.start()
            try:
                places = [(topic, partition) for partition in range((await tail.topics()).get(topic, 0))]
                bounds = await tail.bounds(places)
                return [bounds[place][1] for place in places]
            finally:
                await tail.close()

    async def _take(self, place: Place, offset: int) -> Tail:
        standing = [at for at in self._free if at[1:] == (place, offset)]
        if self._free:
            chosen = standing[0] if standing else self._free[0]
            self._free.remove(chosen)
            tail = chosen[0]
        else:
            tail = Tail(self._bootstrap)
            await tail.start()
        if not standing:
            tail.go_to({place: offset})
        return tail

    async def close(self) -> None:
        """Disconnect all that are free."""
        free, self._free = self._free, []
        for tail, _, _ in free:
            await tail.close()
