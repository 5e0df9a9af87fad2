"""The consumer: FastStream subscribes and polls; where each partition goes on is our own checkpoint's word."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import IllegalStateError, KafkaError, KafkaTimeoutError
from faststream import AckPolicy
from faststream.kafka import KafkaBroker
from faststream.message import StreamMessage
from faststream.security import BaseSecurity, SASLScram512

from chassis.distributing.access import Access, client
from chassis.receiving.inbox import Inbox, Lost, Place
from chassis.receiving.records import Record
from chassis.receiving.versions import NotLive
from chassis.running.logs import about
from chassis.running.metrics import METRICS
from chassis.running.spans import kind_of

__all__ = ["Consumer", "KafkaError", "Lag", "end_offsets"]

_log = logging.getLogger("counterpoint.consumer")
_COMMIT_EVERY = 5.0
_ANSWERED = 5.0
_ENDS = 2.0
_COMMIT_SECONDS = 1.0
FETCH_BYTES = 4 * 1024 * 1024
"""What one partition may send at once: the client's default holds about a thousand facts, half a batch of a rebuild."""


@dataclass(frozen=True)
class Lag:
    """How far one partition is behind: records, and the age in seconds of the oldest that has not been applied."""

    topic: str
    partition: int
    offset: int
    end: int
    seconds: float

    @property
    def behind(self) -> int:
        return max(0, self.end - self.offset)


class Consumer(ConsumerRebalanceListener):  # type: ignore[misc]
    """Feeds one inbox. Kafka's own committed offsets are for dashboards; nothing is read from them.

    `member` is a name that this process has again when it is started again: its partitions are kept for it meanwhile,
    and nobody else stops. `broker` is the class of a broker to use instead of FastStream's.
    """

    def __init__(
        self,
        inbox: Inbox,
        bootstrap: str,
        *,
        batch_records: int = 500,
        stop_seconds: float = 8.0,
        member: str | None = None,
        broker: Callable[..., Any] = KafkaBroker,
    ) -> None:
        self._inbox = inbox
        self._states = {s.topic for s in inbox.states}
        self._ready: set[Place] = set()
        self._fresh: set[Place] = set()
        self._level: dict[Place, float] = {}
        self._began = time.time()
        self._committed_at = 0.0
        self._stopping = False
        self._started = False
        self._attempted = 0.0
        self._broker = broker(
            bootstrap,
            apply_types=False,
            allow_auto_create_topics=False,
            graceful_timeout=stop_seconds,
            security=_security(bootstrap),
            logger=None,
        )
        self._subscriber = self._broker.subscriber(
            *inbox.topics,
            group_id=inbox.name,
            batch=True,
            ack_policy=AckPolicy.MANUAL,
            auto_offset_reset="earliest",
            max_records=batch_records,
            batch_timeout_ms=10,  # it is waited for twice after an empty poll
            max_partition_fetch_bytes=FETCH_BYTES,
            group_instance_id=_instance(member, inbox.topics),
            session_timeout_ms=30_000 if member else 10_000,
            listener=self,
            parser=_parse,
            decoder=_decode,
        )
        self._subscriber(self._handle)

    async def start(self) -> None:
        """Subscribe and begin to poll."""
        await self._broker.start()
        self._watch(self._kafka)
        self._try()
        self._started = True

    def _try(self) -> None:
        self._attempted = asyncio.get_running_loop().time()

    @property
    def idle_seconds(self) -> float:
        """How long ago it last tried anything: was answered by Kafka, worked on records, or asked the database.

        0 until it has started.
        """
        return asyncio.get_running_loop().time() - self._attempted if self._started else 0.0

    def _watch(self, kafka: Any) -> None:
        """See every poll of FastStream's loop, also those that bring nothing."""
        poll = kafka.getmany

        async def getmany(*args: Any, **options: Any) -> Any:
            found = await poll(*args, **options)
            if found or self._answered():
                self._try()
            return found

        kafka.getmany = getmany

    def _answered(self) -> bool:
        """After an empty poll: whether Kafka has answered for each of our partitions of late. Notes which are level."""
        oldest = time.time() - _ANSWERED
        for place in self._ready:
            at = self._asked(self._kafka.last_poll_timestamp, place)
            if at is None or at / 1000 < oldest:
                return False
            if self._asked(self._kafka.highwater, place) == self._inbox.offsets.get(place):
                self._level[place] = at / 1000
        return True

    @staticmethod
    def _asked(what: Callable[[TopicPartition], Any], place: Place) -> Any:
        """What the client knows of a partition; None where it is not ours any more."""
        try:
            return what(TopicPartition(*place))
        except (IllegalStateError, AssertionError, AttributeError):
            return None

    async def stop(self, comes_back: bool = False) -> None:
        """Finish the batch in hand, leave the group, end the session.

        With `comes_back` a member by name stays in the group, and its partitions are kept for it.
        """
        self._stopping = True
        if not comes_back and (coordinator := getattr(self._kafka, "_coordinator", None)):
            coordinator._group_instance_id = None  # without a name the client leaves the group by itself
        await self._broker.stop()
        await self._inbox.close()

    @property
    def assigned(self) -> bool:
        """Whether any partition is ours and ready."""
        return bool(self._ready)

    @property
    def ready(self) -> frozenset[Place]:
        """The partitions that are ours and ready."""
        return frozenset(self._ready)

    @property
    def _kafka(self) -> Any:
        return self._subscriber.consumer

    # -- rebalancing ------------------------------------------------------------------------------------------------

    async def on_partitions_revoked(self, revoked: Sequence[TopicPartition]) -> None:
        """Somebody else's now."""
        places = {(tp.topic, tp.partition) for tp in revoked}
        self._ready -= places
        self._inbox.leave(places)

    async def on_partitions_assigned(self, assigned: Sequence[TopicPartition]) -> None:
        """Ours now: end the predecessor's transaction, go on from the checkpoint."""
        await self._take([(tp.topic, tp.partition) for tp in assigned])

    async def _take(self, places: Sequence[Place]) -> None:
        while True:
            if self._stopping:
                return
            self._try()
            try:
                taken = await self._inbox.take(places)
                break
            except NotLive:
                await asyncio.sleep(0.05)  # held for a moment, or another version is live: then we are stopped soon
            except Exception as error:
                _log.warning("partitions cannot be taken yet", extra=about(error, count=len(places)))
                await asyncio.sleep(0.5)
        for place, offset in taken.items():
            self._seek(place, offset)
        # Records of the old position may be in hand already; the first batch of each partition is fetched again.
        self._fresh |= taken.keys()
        self._ready |= taken.keys()

    def _seek(self, place: Place, offset: int) -> None:
        try:
            self._kafka.seek(TopicPartition(*place), offset)
        except IllegalStateError:
            self._ready.discard(place)  # revoked meanwhile

    # -- records ----------------------------------------------------------------------------------------------------

    async def _handle(self, records: Any) -> None:
        """Give a batch effect. Nothing may be raised here: a batch whose handler raises is skipped for ever."""
        try:
            await self._apply(records)
        except asyncio.CancelledError:
            raise
        except Exception as error:
            if not isinstance(error, Lost):
                _log.warning("a batch goes back", extra=about(error))
            await self._go_back({(r.topic, r.partition) for r in records})

    async def _apply(self, records: Sequence[Record]) -> None:
        due = self._in_place(records, await self._inbox.limits())
        if not due:
            await asyncio.sleep(0.01)  # nothing new, or at the limit: ask again in a moment
            return
        await self._apply_measured(due)
        await self._commit_for_dashboards()

    async def _apply_measured(self, due: Sequence[Record]) -> None:
        told = {
            "messaging.system.name": "kafka",
            "messaging.operation.name": "process",
            "messaging.consumer.group.name": self._inbox.name,
        }
        began = time.perf_counter()
        try:
            await self._inbox.apply(due)
        except BaseException as error:
            told["error.type"] = kind_of(error)
            raise
        finally:
            METRICS.batch_duration.record(time.perf_counter() - began, told)
            METRICS.consumed.add(len(due), told)

    def _in_place(self, records: Sequence[Record], limit: Callable[[Place], float]) -> list[Record]:
        """The records that go on exactly where the checkpoints are, up to where each partition may be read."""
        expected = dict(self._inbox.offsets)
        sought: set[Place] = set()
        due: list[Record] = []
        for record in records:
            place = (record.topic, record.partition)
            if place not in self._ready or place in sought or place not in expected:
                continue
            gap = record.offset > expected[place] and record.topic not in self._states
            if place in self._fresh or gap or record.offset >= max(limit(place), expected[place]):
                self._fresh.discard(place)
                self._seek(place, expected[place])
                sought.add(place)
            elif record.offset >= expected[place]:
                due.append(record)
                expected[place] = record.offset + 1
        return due

    async def _go_back(self, places: set[Place]) -> None:
        """Something went wrong: read again where the checkpoints are, and go on from there."""
        while True:
            await asyncio.sleep(0.1)
            if self._stopping:
                return
            self._try()
            try:
                found = await self._inbox.positions(places)
                break
            except Exception as error:
                _log.warning("the checkpoints cannot be read", extra=about(error))
                await asyncio.sleep(0.5)
        for place, offset in found.items():
            self._seek(place, offset)
        lost = places - found.keys()
        self._ready -= lost
        if lost:
            await asyncio.sleep(0.5)
            mine = {(tp.topic, tp.partition) for tp in self._kafka.assignment()}
            if lost & mine:
                await self._take(sorted(lost & mine))

    async def _commit_for_dashboards(self) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._committed_at > _COMMIT_EVERY:
            self._committed_at = now
            offsets = {TopicPartition(*p): o for p, o in self._inbox.offsets.items() if p in self._ready and o}
            try:
                async with asyncio.timeout(_COMMIT_SECONDS):  # the client tries for ever where a topic was deleted
                    await self._kafka.commit(offsets)
            except Exception as error:
                _log.debug("offsets for dashboards are not committed", extra=about(error))

    # -- lag --------------------------------------------------------------------------------------------------------

    def caught_up(self) -> bool:
        """Whether everything that was fetched or announced so far has been applied; cheap, may be a moment old."""
        ends = {place: self._asked(self._kafka.highwater, place) for place in self._ready} if self._kafka else {}
        return bool(ends) and all(self._inbox.offsets.get(place, 0) >= (end or 0) for place, end in ends.items())

    async def lag(self) -> list[Lag]:
        """How far behind each of our partitions is, asked of Kafka now. Raises a KafkaError where it is away."""
        tps = [TopicPartition(*p) for p in sorted(self._ready)] if self._kafka else []
        try:
            async with asyncio.timeout(_ENDS):
                ends = await self._kafka.end_offsets(tps) if tps else {}
        except TimeoutError:
            raise KafkaTimeoutError("where the partitions end") from None
        now = time.time()
        found = []
        for tp in tps:
            place = (tp.topic, tp.partition)
            offset, end = self._inbox.offsets.get(place, 0), ends[tp]
            # Whatever has not been applied came after the last record that was, and after the last moment of no lag.
            since = max(self._level.get(place, 0.0), self._inbox.stamps.get(place, 0) / 1000) or self._began
            seconds = max(0.0, now - since) if end > offset else 0.0
            found.append(Lag(tp.topic, tp.partition, offset, end, round(seconds, 3)))
        return found


async def end_offsets(bootstrap: str, topics: Sequence[str]) -> dict[Place, int]:
    """Where each partition of the topics ends now, asked of Kafka outside any group."""
    kafka = AIOKafkaConsumer(*topics, **client(bootstrap), group_id=None, auto_offset_reset="latest")
    try:
        await kafka.start()
        ends = await kafka.end_offsets(kafka.assignment())
        return {(tp.topic, tp.partition): end for tp, end in ends.items()}
    finally:
        await kafka.stop()


def _instance(member: str | None, topics: Sequence[str]) -> str | None:
    """A member's name in its group. With other topics it is another member: one that is known is given no new ones."""
    return f"{member}.{hashlib.sha256(','.join(topics).encode()).hexdigest()[:8]}" if member else None


def _security(address: str) -> BaseSecurity | None:
    """The same in FastStream's words."""
    if not isinstance(address, Access):
        return None
    trust = address.trust()
    if address.user:
        return SASLScram512(address.user, address.password, ssl_context=trust, use_ssl=trust is not None)
    return BaseSecurity(ssl_context=trust, use_ssl=trust is not None)


async def _parse(message: Any) -> StreamMessage[Any]:
    return StreamMessage(raw_message=message, body=b"", message_id="")


async def _decode(message: StreamMessage[Any]) -> Any:
    return message.raw_message
