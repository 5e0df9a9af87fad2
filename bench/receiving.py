"""The inbox: facts a second into views, and how soon a commit is seen by another service."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from threading import Barrier
from typing import Any

from bson import encode
from bson.raw_bson import RawBSONDocument
from pymongo import MongoClient, WriteConcern

from bench.figures import Figure, Spent, beside, latencies, processor, spent
from bench.world import BATCH, Bench, commit_of, origin, ready
from chassis.deciding.journal import GENESIS, chain
from chassis.receiving.views import Views
from chassis.running.runtime import Runtime
from chassis.running.settings import Role
from contracts.envelope import Envelope, to_headers
from local.servers import Servers


async def inbox(
    servers: Servers, folder: Path, runs: int, streams: int, each: int, *, tasks: bool = False
) -> list[Figure]:
    """Facts into views that are there already, in batches of 500; with `tasks` each fact calls for one.

    The floor is what a store can take: two threads write the same documents, encoded beforehand, over the same earlier
    ones, under the same indexes, as many in a transaction as a batch changes, each with its checkpoint. It receives,
    validates, folds and looks up nothing, and writes no task.
    """
    got: list[Spent] = []
    floor: list[float] = []
    trips: list[float] = []
    count = streams * each
    for _ in range(runs):
        bench = Bench(servers, folder, echo=tasks)
        runtime = bench.runtime(bench.hearer)
        await runtime._prepare()
        records = [_Arrived(bench, s, v, n) for n, (s, v) in enumerate(_order(streams, each))]
        batches = [records[i : i + BATCH] for i in range(0, len(records), BATCH)]
        there = streams // BATCH
        await runtime.inbox.take([(records[0].topic, 0)])
        for batch in batches[:there]:
            await runtime.inbox.apply(batch)
        collection = runtime.database.collection(runtime.inbox.collection)
        earlier = await collection.find().to_list(None)
        before, began = runtime.database.round_trips.total, spent(servers)
        for batch in batches[there:]:
            assert await runtime.inbox.apply(batch) == len(batch)
        got.append(spent(servers) - began)
        trips.append((runtime.database.round_trips.total - before) / count)
        views = await collection.find().to_list(None)
        assert len(views) == streams and all(d["v"] == 1 + each for d in views), "the views are not what was heard"
        await Views(runtime.database, "bare", list(runtime.inbox.views)).prepare()
        await runtime.database.insert("bare", earlier)
        floor.append(
            count / await asyncio.to_thread(_bare, servers, bench.database(bench.hearer), views, BATCH // each)
        )
        await runtime.inbox.close()
        await runtime.database.close()
    name = f"inbox, {each} fact{'s' if each > 1 else ''} a stream{', each with a task' if tasks else ''}"
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


def _bare(servers: Servers, database: str, views: Sequence[dict[str, Any]], each: int) -> float:
    """Seconds in which two threads write the views, `each` in a transaction, over earlier ones."""
    encoded = [RawBSONDocument(encode({"q": {"_id": view["_id"]}, "u": view})) for view in views]
    ready = Barrier(3)

    def write(thread: int) -> None:
        with MongoClient[dict[str, Any]](servers.mongo) as client, client.start_session() as session:
            db = client.get_database(database, write_concern=WriteConcern("majority"))
            db.checkpoint.insert_one({"_id": thread, "offset": 0})
            mine = encoded[thread::2]
            ready.wait()
            for n in range(0, len(mine), each):
                with session.start_transaction(write_concern=WriteConcern("majority")):
                    db.checkpoint.update_one(
                        {"_id": thread, "offset": n}, {"$set": {"offset": n + each}}, session=session
                    )
                    part = mine[n : n + each]
                    done = db.command({"update": "bare", "updates": part, "ordered": False}, session=session)
                    assert done["nModified"] == len(part)

    with ThreadPoolExecutor(2) as threads:
        writing = [threads.submit(write, n) for n in range(2)]
        ready.wait()
        began = time.perf_counter()
        for each_ in writing:
            each_.result()
    return time.perf_counter() - began


def _order(streams: int, each: int) -> list[tuple[int, int]]:
    """Stream and version: first one fact of every stream, then a block of `each` facts of every stream."""
    return [(s, 1) for s in range(streams)] + [(s, v) for s in range(streams) for v in range(2, 2 + each)]


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
