"""The inbox: facts a second into views, and how soon a commit is seen by another service."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from pymongo import ReplaceOne

from bench.figures import Figure, Spent, beside, latencies, processor, spent
from bench.world import BATCH, Bench, commit_of, origin, ready
from chassis.deciding.journal import GENESIS, chain
from chassis.receiving.records import Record
from chassis.running.runtime import Runtime
from chassis.running.settings import Role
from contracts.envelope import Envelope, to_headers
from local.servers import Servers


async def inbox(servers: Servers, folder: Path, runs: int, streams: int, each: int) -> list[Figure]:
    """Facts per second into views, in batches of 500, against a bare bulk write of the same documents."""
    got: list[Spent] = []
    floor: list[float] = []
    trips: list[float] = []
    count = streams * each
    for _ in range(runs):
        bench = Bench(servers, folder)
        runtime = bench.runtime(bench.hearer)
        await runtime._prepare()
        records = [_Arrived(bench, s, v, n) for n, (s, v) in enumerate(_order(streams, each))]
        batches = [records[i : i + BATCH] for i in range(0, len(records), BATCH)]
        await runtime.inbox.take([(records[0].topic, 0)])
        before, began = runtime.database.round_trips.total, spent(servers)
        for batch in batches:
            assert await runtime.inbox.apply(batch) == len(batch)
        got.append(spent(servers) - began)
        trips.append((runtime.database.round_trips.total - before) / count)
        views = await runtime.database.collection(runtime.inbox.collection).find().to_list(None)
        assert len(views) == streams and all(d["v"] == each for d in views), "the views are not what was heard"
        floor.append(count / await _bare(runtime.database, views, batches))
        await runtime.inbox.close()
        await runtime.database.close()
    name = f"inbox, {each} fact{'s' if each > 1 else ''} a stream"
    return [
        beside(name, "facts/s", [count / s.seconds for s in got], floor),
        *processor(name, count, got),
        Figure(f"{name}: round trips per fact", median(trips), "", runs=runs),
    ]


async def visible(servers: Servers, folder: Path, count: int = 100, pause: float = 0.05) -> list[Figure]:
    """From sending a command to seeing it in another service's view: one after another, then 200 a second."""
    bench = Bench(servers, folder)
    writer, hearer = bench.runtime(bench.writer, Role.all), bench.runtime(bench.hearer, Role.all)
    await asyncio.gather(ready(writer), ready(hearer))
    calm = []
    for n in range(count + 10):
        calm.append(await until_visible(bench, writer, hearer, f"v{n}"))
        await asyncio.sleep(pause)
    busy = await _two_hundred_a_second(bench, writer, hearer)
    await asyncio.gather(writer.stop(), hearer.stop())
    return [
        *latencies("command to visible elsewhere", calm[10:]),
        *latencies("command to visible elsewhere, 200 commands/s", busy),
    ]


async def until_visible(bench: Bench, writer: Runtime, hearer: Runtime, thing: str) -> float:
    """Seconds from sending one command to seeing it in the other service's view."""
    began = time.perf_counter()
    on = bench.add(thing)
    await writer.run(origin(), on)
    while await hearer.inbox.reader.version(on.stream) < 1:  # noqa: ASYNC110 - as a foreign process would ask
        await asyncio.sleep(0.001)
    return time.perf_counter() - began


async def _two_hundred_a_second(bench: Bench, writer: Runtime, hearer: Runtime, seconds: float = 8) -> list[float]:
    """Seconds of each, whatever the others do: who is late is not waited for. One look every five milliseconds."""
    sent: dict[str, float] = {}
    took: list[float] = []
    views = hearer.database.collection(hearer.inbox.collection)

    async def send() -> None:
        loop, running = asyncio.get_running_loop(), set()
        began = loop.time()
        for n in range(int(200 * seconds)):
            await asyncio.sleep(max(0.0, began + n / 200 - loop.time()))
            on = bench.add(f"w{n}")
            sent[on.stream] = time.perf_counter()
            running.add(task := asyncio.create_task(writer.run(origin(), on)))
            task.add_done_callback(running.discard)
        await asyncio.gather(*running)

    sending = asyncio.create_task(send())
    while sent or not sending.done():
        await asyncio.sleep(0.005)
        seen = await views.find({"_id": {"$in": list(sent)}}, {"_id": 1}, batch_size=5000).to_list(None)
        took += [time.perf_counter() - sent.pop(doc["_id"]) for doc in seen]
    await sending
    return took[100:]


async def _bare(database: Any, views: list[dict[str, Any]], batches: Sequence[Sequence[Record]]) -> float:
    """Seconds to write the same documents, in the same batches, with nothing else around them."""
    await database.create("bare")
    bare = database.collection("bare")
    by_stream = {d["_id"]: d for d in views}
    began = time.perf_counter()
    for batch in batches:
        ids = dict.fromkeys((r.key or b"").decode() for r in batch)
        await bare.bulk_write([ReplaceOne({"_id": i}, by_stream[i], upsert=True) for i in ids], ordered=False)
    return time.perf_counter() - began


def _order(streams: int, each: int) -> list[tuple[int, int]]:
    """Streams in blocks, so that a batch holds `each` facts of a stream."""
    return [(s, v) for s in range(streams) for v in range(1, each + 1)]


class _Arrived:
    """A record as the consumer would hand it over."""

    def __init__(self, bench: Bench, stream: int, version: int, offset: int) -> None:
        commit = commit_of(bench, f"i{stream}")
        self.topic, self.partition, self.offset, self.timestamp = bench.tally.topic or "", 0, offset, 0
        self.key = commit.stream.encode()
        self.value = commit.events[0].data.encode()
        digest = chain(GENESIS, commit.stream, version, commit.at, commit.events)
        self.headers = to_headers(
            Envelope(
                bench.writer.name, "Added", 1, commit.stream, version, commit.at, digest, commit.id, version, version,
                commit.command_id, "bench",
            )
        )  # fmt: skip
