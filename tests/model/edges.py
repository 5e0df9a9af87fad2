"""Where a recorded relay meets the servers: its producer, and the journal as it reads and marks it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from chassis.distributing.producer import Outgoing, Producer
from chassis.distributing.slots import slot_of

if TYPE_CHECKING:
    from tests.model.recording import Recording


class Silent(Exception):
    """No answer came."""


class _Edge:
    """Where a relay meets a server. Whoever has died does nothing more there."""

    def __init__(self, recording: Recording, i: int, died: asyncio.Event) -> None:
        self.recording, self.i, self.died = recording, i, died

    def plant(self, *fates: str) -> str:
        r = self.recording
        return r.random.choice(fates) if r.planting and r.random.random() < 0.5 else ""

    async def pause(self) -> None:
        await asyncio.sleep(self.recording.random.choice((0, 0, 0.01, 0.03)))
        if self.died.is_set():
            await asyncio.Event().wait()

    async def die(self, *under_way: tuple[int, list[Outgoing]]) -> None:
        async with self.recording.lock:
            if not self.died.is_set():
                self.died.set()
                self.recording.trace.append(("crash", self.i))
            self.recording.late += under_way
        await asyncio.Event().wait()

    async def do(self, what: Callable[[], Awaitable[Any]]) -> Any:
        await self.pause()
        async with self.recording.lock:
            if self.died.is_set():
                await _let_go_and_wait(self.recording.lock)
            return await what()


async def _let_go_and_wait(lock: asyncio.Lock) -> None:
    lock.release()
    try:
        await asyncio.Event().wait()
    finally:
        await lock.acquire()


class PlantedProducer(Producer):
    """The real producer; batches of one or two records, and requests and answers that get lost."""

    def __init__(self, recording: Recording, i: int, died: asyncio.Event) -> None:
        super().__init__(recording.world.infra.kafka)
        self.edge = _Edge(recording, i, died)
        self.held: dict[int, list[Outgoing]] = {}

    def _append(self, batch: object, record: Outgoing) -> bool:  # type: ignore[override]
        held = self.held.setdefault(id(batch), [])
        if len(held) == 2 or not Producer._append(batch, record):
            return False
        held.append(record)
        return True

    async def _flush(self, batch: object, topic: str, partition: int) -> None:
        edge, r, records = self.edge, self.edge.recording, self.held.pop(id(batch))
        await edge.pause()
        r.trace.append(("send", edge.i, partition, r.records(records)))
        fate = edge.plant("request lost", "late", "answer lost", "die before", "die after")
        if fate in ("request lost", "late"):
            await edge.pause()
            r.trace.append(("lose", edge.i, partition))
            if fate == "late":
                r.late.append((partition, records))
            raise Silent
        if fate == "die before":
            await edge.die((partition, records))

        async def arrive() -> None:
            await Producer._flush(self, batch, topic, partition)
            r.take(partition, records)
            r.trace.append(("arrive", edge.i, partition))

        await edge.do(arrive)
        await edge.pause()
        if fate == "answer lost":
            r.trace.append(("lose", edge.i, partition))
            raise Silent
        if fate == "die after":
            await edge.die()
        r.trace.append(("answer", edge.i, partition))


class Reading(_Edge):
    """The journal as the relay reads it."""

    def __init__(self, recording: Recording, i: int, died: asyncio.Event, real: Any) -> None:
        super().__init__(recording, i, died)
        self.real = real

    def find(self, query: dict[str, Any], **more: Any) -> Reading:
        self.begin = query.get("slot", {}).get("$gte", 0)
        self.cursor = self.real.find(query, **more)
        return self

    def sort(self, by: Any) -> Reading:
        self.cursor = self.cursor.sort(by)
        return self

    def limit(self, most: int) -> Reading:
        self.cursor = self.cursor.limit(most)
        return self

    async def to_list(self, length: None) -> list[dict[str, Any]]:
        async def read() -> list[dict[str, Any]]:
            docs: list[dict[str, Any]] = await self.cursor.to_list(length)
            if docs or self.begin > slot_of(self.recording.streams[0]):
                page = tuple(self.recording.ids.index(d["_id"]) for d in docs)
                self.recording.trace.append(("read", self.i, page))
            return docs

        found: list[dict[str, Any]] = await self.do(read)
        return found


class Marking(_Edge):
    """The journal as the relay marks it: some marks are set, and then its process dies."""

    def __init__(self, recording: Recording, i: int, died: asyncio.Event, real: Any) -> None:
        super().__init__(recording, i, died)
        self.real = real

    async def update_many(self, query: dict[str, Any], update: dict[str, Any]) -> None:
        ids = list(query["_id"]["$in"])
        half = self.plant("half")
        if half:
            self.recording.random.shuffle(ids)
            ids = ids[: self.recording.random.randrange(len(ids))]

        async def mark() -> None:
            await self.real.update_many({"_id": {"$in": ids}}, update)
            self.recording.trace += [("mark", self.i, self.recording.ids.index(id)) for id in ids]

        await self.do(mark)
        if half:
            await self.die()
