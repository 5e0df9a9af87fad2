"""What is measured: commands, the relay, the inbox, and how soon a commit is seen by another service."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from pymongo import ReplaceOne

from bench.world import PARTITIONS, Bench, origin
from chassis.deciding.commands import new_commit_id
from chassis.deciding.journal import GENESIS, Commit, Event, Meta, chain
from chassis.distributing.producer import Outgoing, Producer
from chassis.distributing.slots import partition_of
from chassis.receiving.records import Record
from chassis.running.clock import Clock
from chassis.running.settings import Role
from contracts.envelope import Envelope, to_headers
from local.servers import Servers

TASKS = 16
BATCH = 500


@dataclass(frozen=True)
class Figure:
    """One line of the table. `ratio` is value / floor, medians over `runs`; a latency has no floor."""

    name: str
    value: float
    unit: str
    floor: float | None = None
    ratio: float | None = None
    runs: int = 1


async def commands(servers: Servers, folder: Path, runs: int, count: int = 800) -> list[Figure]:
    """Commands per second, 16 at a time, against a bare majority insert of the same document."""
    got, floor, trips = [], [], []
    for _ in range(runs):
        bench = Bench(servers, folder)
        runtime = bench.runtime(bench.writer)
        await runtime._prepare()
        bare = runtime.database.collection("bare")
        await runtime.database.create("bare")
        docs = [_commit(bench, f"x{n}").document(pending=True) for n in range(count)]
        floor.append(count / await _spread([partial(bare.insert_one, d) for d in docs]))
        before = runtime.database.round_trips.total
        got.append(
            count
            / await _spread([partial(runtime.run, origin(), bench.add(f"s{n % (count // 4)}")) for n in range(count)])
        )
        trips.append((runtime.database.round_trips.total - before) / count)
        await runtime.database.close()
    return [
        _ratio("command, 16 at a time", "commands/s", got, floor),
        Figure("round trips per command", median(trips), "", runs=runs),
    ]


async def relay(servers: Servers, folder: Path, runs: int, count: int = 6000) -> list[Figure]:
    """Facts per second through the relay, reading and marking included, against producing the same records alone."""
    got, floor, trips = [], [], []
    for _ in range(runs):
        bench = Bench(servers, folder)
        runtime = bench.runtime(bench.writer)
        await runtime._prepare()
        made = [_commit(bench, f"s{n}") for n in range(count)]
        producer = Producer(bench.kafka)
        await producer.start()
        topic = bench.echo.topic or ""
        began = time.perf_counter()
        lanes: dict[int, list[Outgoing]] = {}
        for commit in made:
            lanes.setdefault(partition_of(commit.stream, PARTITIONS), []).extend(runtime.relay._records(commit, None))
        await asyncio.gather(*(_in_batches(producer, topic, p, rs) for p, rs in lanes.items()))
        floor.append(count / (time.perf_counter() - began))
        await producer.close()
        await runtime.database.insert("journal", [c.document(pending=True) for c in made])
        before = runtime.database.round_trips.total
        began = time.perf_counter()
        while await runtime.relay.sweep():
            pass
        got.append(count / (time.perf_counter() - began))
        trips.append((runtime.database.round_trips.total - before) / count)
        await runtime.relay._disconnect()
        await runtime.database.close()
    return [
        _ratio("relay", "facts/s", got, floor),
        Figure("round trips per relayed fact", median(trips), "", runs=runs),
    ]


async def inbox(servers: Servers, folder: Path, runs: int, streams: int, each: int) -> list[Figure]:
    """Facts per second into views, in batches of 500, against a bare bulk write of the same documents."""
    got, floor, trips, cpu = [], [], [], []
    for _ in range(runs):
        bench = Bench(servers, folder)
        runtime = bench.runtime(bench.hearer)
        await runtime._prepare()
        records = [_Arrived(bench, s, v, n) for n, (s, v) in enumerate(_order(streams, each))]
        batches = [records[i : i + BATCH] for i in range(0, len(records), BATCH)]
        await runtime.inbox.take([(records[0].topic, 0)])
        before, spent = runtime.database.round_trips.total, time.process_time()
        began = time.perf_counter()
        for batch in batches:
            assert await runtime.inbox.apply(batch) == len(batch)
        got.append(len(records) / (time.perf_counter() - began))
        cpu.append((time.process_time() - spent) / len(records) * 1e6)
        trips.append((runtime.database.round_trips.total - before) / len(records))
        views = await runtime.database.collection(runtime.inbox.collection).find().to_list(None)
        assert len(views) == streams and all(d["v"] == each for d in views), "the views are not what was heard"
        floor.append(len(records) / await _bare(runtime.database, views, batches))
        await runtime.inbox.close()
        await runtime.database.close()
    name = f"inbox, {each} fact{'s' if each > 1 else ''} a stream"
    return [
        _ratio(name, "facts/s", got, floor),
        Figure(f"{name}: round trips per fact", median(trips), "", runs=runs),
        Figure(f"{name}: CPU per fact", median(cpu), "µs", runs=runs),
    ]


async def visible(servers: Servers, folder: Path, count: int = 100, pause: float = 0.05) -> list[Figure]:
    """Milliseconds from sending a command to seeing it in another service's view, one after another."""
    bench = Bench(servers, folder)
    writer, hearer = bench.runtime(bench.writer, Role.all), bench.runtime(bench.hearer, Role.all)
    for runtime in (writer, hearer):
        runtime.start()
        while runtime.waiting_for():  # noqa: ASYNC110 - it starts once
            await asyncio.sleep(0.05)
    took = []
    for n in range(count + 10):
        began = time.perf_counter()
        on = bench.add(f"v{n}")
        await writer.run(origin(), on)
        while await hearer.inbox.reader.version(on.stream) < 1:  # noqa: ASYNC110 - as a foreign process would ask
            await asyncio.sleep(0.001)
        took.append((time.perf_counter() - began) * 1000)
        await asyncio.sleep(pause)
    await asyncio.gather(writer.stop(), hearer.stop())
    took = sorted(took[10:])
    return [
        Figure("command to visible elsewhere, p50", median(took), "ms", runs=count),
        Figure("command to visible elsewhere, p99", took[int(len(took) * 0.99) - 1], "ms", runs=count),
    ]


def _ratio(name: str, unit: str, got: Sequence[float], floor: Sequence[float]) -> Figure:
    ratios = [g / f for g, f in zip(got, floor, strict=True)]
    return Figure(name, median(got), unit, median(floor), median(ratios), len(got))


async def _spread(jobs: Sequence[Callable[[], Awaitable[Any]]]) -> float:
    """Seconds for all jobs, 16 at a time."""
    waiting = iter(jobs)

    async def work() -> None:
        for job in waiting:
            await job()

    began = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(TASKS)))
    return time.perf_counter() - began


async def _in_batches(producer: Producer, topic: str, partition: int, records: Sequence[Outgoing]) -> None:
    for i in range(0, len(records), BATCH):
        await producer.send(topic, partition, records[i : i + BATCH])


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


def _commit(bench: Bench, thing: str) -> Commit:
    stream = bench.totals.stream(bench.program, thing)
    data = bench.Added(program=bench.program, amount=1).encode()
    o = origin()
    at = Clock().now()
    return Commit(
        new_commit_id(), stream, 1, o.command_id, o.body_digest, GENESIS, at, Meta("bench"), (Event("Added", 1, data),)
    )


class _Arrived:
    """A record as the consumer would hand it over."""

    def __init__(self, bench: Bench, stream: int, version: int, offset: int) -> None:
        commit = _commit(bench, f"i{stream}")
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
