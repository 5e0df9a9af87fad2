"""Reads topics as they are, from any offset to their present end, without a group and without committing anything."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence

from aiokafka import AIOKafkaConsumer

from chassis.distributing.access import client
from chassis.receiving.records import Record

Place = tuple[str, int]
"""A topic and a partition of it."""


async def records(
    bootstrap: str, topics: Iterable[str], begin: Mapping[Place, int] | None = None
) -> AsyncIterator[Sequence[Record]]:
    """Batches of records of one partition each: from its offset in `begin` (by default its first) to its present end.

    Raises Kafka's errors.
    """
    consumer = AIOKafkaConsumer(
        *topics, **client(bootstrap), group_id=None, auto_offset_reset="earliest", max_poll_records=2000
    )
    try:
        await consumer.start()
        places = consumer.assignment()
        ends = await consumer.end_offsets(places)
        firsts = await consumer.beginning_offsets(places)
        for place in places:
            wanted = (begin or {}).get((place.topic, place.partition), 0)
            consumer.seek(place, max(firsts[place], min(wanted, ends[place])))
        left = {place for place in places if await consumer.position(place) < ends[place]}
        while left:
            for place, batch in (await consumer.getmany(*left, timeout_ms=200)).items():
                if batch := [r for r in batch if r.offset < ends[place]]:
                    yield batch
            left = {place for place in left if await consumer.position(place) < ends[place]}
    finally:
        await consumer.stop()
