"""The Kafka producer: hand-made batches, each record with its own headers, one in flight per partition."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from aiokafka import AIOKafkaProducer

from chassis.distributing.access import client
from contracts.envelope import Headers

ANSWER_SECONDS = 10.0
CLOSE_SECONDS = 1.0
BATCH_BYTES = 512 * 1024
"""aiokafka's default of 16 KiB holds 22 facts; half a mebibyte stays below what a broker takes as one message."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One record to send; `value` None is a tombstone."""

    key: bytes
    value: bytes | None
    headers: Headers


class Sender(Protocol):
    """What a relay needs of a producer; see there."""

    async def start(self) -> None: ...
    async def send(self, topic: str, partition: int, records: Sequence[Outgoing]) -> None: ...
    async def close(self) -> None: ...


class Producer:
    """Sends to one partition at a time and awaits each answer. After any error: close it and make another."""

    def __init__(self, bootstrap: str) -> None:
        self._kafka = AIOKafkaProducer(
            **client(bootstrap),
            acks="all",
            enable_idempotence=True,
            compression_type="zstd",
            max_batch_size=BATCH_BYTES,
            max_request_size=1024 * 1024,
            linger_ms=0,
            request_timeout_ms=10_000,
            metadata_max_age_ms=60_000,
        )

    async def start(self) -> None:
        """Connect. Where that fails nothing of it is left."""
        try:
            await self._kafka.start()
        except BaseException:
            await self.close()
            raise

    async def send(self, topic: str, partition: int, records: Sequence[Outgoing]) -> None:
        """Send records to a partition, in order; returns once all replicas have them."""
        batch = self._kafka.create_batch()
        for record in records:
            if not self._append(batch, record):
                await self._flush(batch, topic, partition)
                batch = self._kafka.create_batch()
                if not self._append(batch, record):
                    raise ValueError(f"a record for {topic} is too large")
        await self._flush(batch, topic, partition)

    @staticmethod
    def _append(batch: object, record: Outgoing) -> bool:
        appended = batch.append(  # type: ignore[attr-defined]
            key=record.key, value=record.value, timestamp=None, headers=record.headers
        )
        return appended is not None

    async def _flush(self, batch: object, topic: str, partition: int) -> None:
        batch.close()  # type: ignore[attr-defined]
        # The client itself never gives an idempotent batch up, however long the broker is away.
        async with asyncio.timeout(ANSWER_SECONDS):
            await (await self._kafka.send_batch(batch, topic, partition=partition))

    async def close(self) -> None:
        """Disconnect. What is not acknowledged is given up: the client would wait for it for ever."""
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._kafka.stop()
        except TimeoutError:
            await self._kafka._sender.close()
            await self._kafka.client.close()
