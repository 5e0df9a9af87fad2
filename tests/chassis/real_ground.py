"""The real mongod and the real Kafka for a simulated world: requests go wrong on the way to servers that are real."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

from aiokafka.errors import KafkaConnectionError
from faststream.kafka import KafkaBroker
from motor.motor_asyncio import AsyncIOMotorClient
from pymongo.errors import AutoReconnect

from chassis.distributing.producer import Outgoing, Producer
from chassis.distributing.reading import records
from chassis.receiving.consumer import end_offsets
from chassis.running.mongo import Database
from chassis.testing.network import Fault
from tests.infrastructure import Infra
from tests.integration.kit import now

_PASSED_ON = {
    "find_one", "insert_one", "update_one", "update_many", "replace_one", "delete_one", "delete_many", "command",
    "find_one_and_update", "find_one_and_delete", "count_documents", "distinct", "to_list", "commit_transaction",
    "abort_transaction", "create_collection", "list_collection_names", "index_information", "create_indexes",
}  # fmt: skip
_WRAPPED = {"get_database", "get_collection", "__getitem__", "find", "sort", "limit", "hint", "aggregate"}


class Through:
    """Something of Motor's whose requests go by way of a link, and everything it makes as well."""

    def __init__(self, inner: Any, link: RealLink) -> None:
        self._inner = inner
        self._link = link

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if name in _PASSED_ON:
            return lambda *a, **how: self._link.ask(
                lambda: found(*map(_bare, a), **_bared(how)),
                _failure(name, how),
                # A session's request belongs to its transaction; the driver would send a late one within the next.
                may_be_late=how.get("session") is None and name not in ("commit_transaction", "abort_transaction"),
            )
        if name in _WRAPPED:
            return lambda *a, **how: Through(found(*a, **_bared(how)), self._link)
        return Through(found, self._link) if name == "admin" else found

    def __getitem__(self, name: str) -> Through:
        return Through(self._inner[name], self._link)

    async def start_session(self) -> Through:
        return Through(await self._inner.start_session(), self._link)

    async def __aiter__(self) -> Any:
        for doc in await self.to_list(None):
            yield doc


def _bare(value: Any) -> Any:
    return value._inner if isinstance(value, Through) else value


def _bared(how: dict[str, Any]) -> dict[str, Any]:
    return {name: _bare(value) for name, value in how.items()}


def _failure(name: str, how: dict[str, Any]) -> Exception:
    labels = ["UnknownTransactionCommitResult"] if name == "commit_transaction" else []
    if how.get("session") is not None and how["session"].in_transaction:
        labels = ["TransientTransactionError"]
    return AutoReconnect("connection closed", {"errorLabels": labels})


_IN_TIME = {Fault.late: Fault.unanswered, Fault.dies_late: Fault.dies_after}


class RealProducer(Producer):
    """The real producer, whose answers may get lost."""

    def __init__(self, bootstrap: str, link: RealLink) -> None:
        super().__init__(bootstrap)
        self._link = link

    async def send(self, topic: str, partition: int, records: Sequence[Outgoing]) -> None:
        await self._link.ask(lambda: super(RealProducer, self).send(topic, partition, records), KafkaConnectionError())


class RealLink:
    """One process's way to the real servers."""

    def __init__(self, ground: RealGround, name: str) -> None:
        self.dead = False
        self._ground = ground
        self._plan: dict[int, Fault] = {}
        self._calls = 0
        self._going = asyncio.Event()
        self._going.set()
        self._awaited: set[asyncio.Future[Any]] = set()
        self._requests: set[asyncio.Future[Any]] = set()
        self._closing: list[Callable[[], Awaitable[Any]]] = []
        ground.links.append(self)

    def database(self, name: str) -> Database:
        fresh = self._ground.database(name)
        database = Database(
            fresh.uri, fresh.name, client=lambda uri, **how: Through(AsyncIOMotorClient(uri, **how), self)
        )
        self._closing.append(database.close)
        return database

    def producer(self) -> RealProducer:
        producer = RealProducer(self._ground.infra.kafka, self)
        self._closing.append(producer.close)
        return producer

    def broker(self, bootstrap: str, **how: Any) -> KafkaBroker:
        broker = KafkaBroker(self._ground.infra.kafka, **how)
        self._closing.append(broker.stop)
        return broker

    async def ask(self, call: Callable[[], Awaitable[Any]], failure: Exception, *, may_be_late: bool = True) -> Any:
        """Pass a request on, or let it go wrong as it was planned; see `chassis.testing.network`."""
        await self._awake()
        self._calls += 1
        fault = self._plan.pop(self._calls, None)
        if fault is not None and not may_be_late:
            fault = _IN_TIME.get(fault, fault)
        if fault is not None:
            self._ground.seen[fault] += 1
        if fault is Fault.lost:
            raise failure
        if fault in (Fault.late, Fault.dies_late):
            self._send(call, after=0.05)
        if fault is Fault.late:
            raise failure
        if fault in (Fault.dies_before, Fault.dies_late):
            self.kill()
            raise asyncio.CancelledError
        request = self._send(call)
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._awaited.add(answer)
        request.add_done_callback(lambda done: _pass_on(done, answer))
        try:
            found = await answer
        finally:
            self._awaited.discard(answer)
        if fault is Fault.dies_after:
            self.kill()
        await self._awake()
        if fault in (Fault.unanswered, Fault.half):
            raise failure
        return found

    def _send(self, call: Callable[[], Awaitable[Any]], after: float = 0) -> asyncio.Future[Any]:
        async def request() -> Any:
            if after:
                await asyncio.sleep(after)
            return await call()

        sent = asyncio.ensure_future(request())
        self._requests.add(sent)
        sent.add_done_callback(self._requests.discard)
        sent.add_done_callback(lambda done: done.cancelled() or done.exception())
        return sent

    async def _awake(self) -> None:
        await self._going.wait()
        if self.dead:
            raise asyncio.CancelledError

    def expect(self, calls: int, fault: Fault) -> None:
        self._plan[self._calls + calls] = fault

    def calm(self) -> None:
        self._plan.clear()

    def pause(self) -> None:
        self._going.clear()
        self._ground.seen["evictions"] += 1

    def go_on(self) -> None:
        self._going.set()

    def evict(self) -> None:
        """Kafka does this by itself, after a time that no test has."""

    def kill(self) -> None:
        """Whatever it awaits or asks from now on is cancelled; what it has asked for may still take effect."""
        if not self.dead:
            self.dead = True
            self._ground.seen["deaths"] += 1
            self._going.set()
            for answer in self._awaited:
                answer.cancel()
            self._ground.endings.append(asyncio.create_task(self.close()))

    async def close(self) -> None:
        """Cut all connections, once nothing is on its way."""
        while self._requests:
            await asyncio.wait(self._requests)
        for close in self._closing[::-1]:
            with suppress(Exception, asyncio.CancelledError):
                await close()
        self._closing.clear()


def _pass_on(done: asyncio.Future[Any], answer: asyncio.Future[Any]) -> None:
    if answer.done():
        return
    if done.cancelled():
        answer.cancel()
    elif error := done.exception():
        answer.set_exception(error)
    else:
        answer.set_result(done.result())


class RealGround:
    """Fresh databases and topics on the real servers."""

    def __init__(self, infra: Infra, topics: Sequence[str]) -> None:
        self.infra = infra
        self.seen: Counter[str] = Counter()
        self.links: list[RealLink] = []
        self.endings: list[asyncio.Task[None]] = []
        self._topics = topics
        self._databases: dict[str, Any] = {}

    def now(self) -> datetime:
        return now()

    def database(self, name: str) -> Any:
        """The database of a service, the same for all its processes."""
        if name not in self._databases:
            self._databases[name] = self.infra.database()
        return self._databases[name]

    def link(self, name: str) -> RealLink:
        return RealLink(self, name)

    async def records(self) -> dict[tuple[str, int], Sequence[Any]]:
        found: dict[tuple[str, int], list[Any]] = {}
        async for batch in records(self.infra.kafka, self._topics):
            for record in batch:
                found.setdefault((record.topic, record.partition), []).append(record)
        return dict(found)

    async def ends(self) -> dict[tuple[str, int], int]:
        return await end_offsets(self.infra.kafka, self._topics)

    async def append(self, place: tuple[str, int], record: Outgoing) -> None:
        producer = Producer(self.infra.kafka)
        await producer.start()
        await producer.send(*place, [record])
        await producer.close()

    def counted(self) -> Counter[str]:
        return self.seen

    async def close(self) -> None:
        """End every process that is left."""
        await asyncio.gather(*self.endings, return_exceptions=True)
        await asyncio.gather(*(link.close() for link in self.links), return_exceptions=True)
