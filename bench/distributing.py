"""The relay: facts a second from journal to topic, what they cost, and the room they take on disk."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from pymongo import MongoClient

from bench.figures import Figure, Spent, beside, processor, spent
from bench.world import BATCH, PARTITIONS, Bench, commit_of
from chassis.deciding.journal import Commit
from chassis.distributing.producer import Outgoing, Producer
from chassis.distributing.relay import outgoing
from chassis.distributing.slots import partition_of
from chassis.running.runtime import Runtime
from local.servers import Servers


async def relay(servers: Servers, folder: Path, runs: int, count: int = 20_000) -> list[Figure]:
    """Facts through the relay, reading and marking included, one fact a commit.

    The floor makes the same records, with the same headers, and sends them with the same producer in batches of 500 to
    each partition, all partitions at once; it neither reads nor marks. Both are connected before the clock starts, and
    who goes first takes turns.
    """
    got: list[Spent] = []
    floor: list[Spent] = []
    trips: list[float] = []
    sizes: list[tuple[float, float]] = []
    for run in range(runs):
        bench = Bench(servers, folder)
        runtime = bench.runtime(bench.writer)
        await runtime._prepare()
        made = [commit_of(bench, f"s{n}") for n in range(count)]
        await runtime.database.insert("journal", [c.document(pending=True) for c in made])
        producer = Producer(bench.kafka)
        await producer.start()
        await runtime.relay._connected()
        for what in ("floor", "got") if run % 2 else ("got", "floor"):
            before = runtime.database.round_trips.total
            began = spent(servers)
            if what == "floor":
                await _bare(runtime, producer, bench.echo.topic or "", made)
                floor.append(spent(servers) - began)
            else:
                while await runtime.relay.sweep():
                    pass
                got.append(spent(servers) - began)
                trips.append((runtime.database.round_trips.total - before) / count)
        await producer.close()
        await runtime.relay._disconnect()
        sizes.append((_in_journal(servers, bench), _on_topic(servers, bench.tally.topic or "")))
        await runtime.database.close()
    return [
        beside("relay", "facts/s", [count / s.seconds for s in got], [count / s.seconds for s in floor]),
        *processor("relay", count, got, floor),
        Figure("relay: round trips per fact", median(trips), "", runs=runs),
        Figure(
            "journal, a commit of one fact, with its indexes", median(j for j, _ in sizes) / count, "bytes", runs=runs
        ),
        Figure("topic, a fact", median(t for _, t in sizes) / count, "bytes", runs=runs),
    ]


async def _bare(runtime: Runtime, producer: Producer, topic: str, made: Sequence[Commit]) -> None:
    lanes: dict[int, list[Commit]] = {}
    for commit in made:
        lanes.setdefault(partition_of(commit.stream, PARTITIONS), []).append(commit)

    async def send(partition: int, commits: Sequence[Commit]) -> None:
        for i in range(0, len(commits), BATCH):
            records: list[Outgoing] = []
            for commit in commits[i : i + BATCH]:
                records += outgoing(runtime.service.name, commit)
            await producer.send(topic, partition, records)

    await asyncio.gather(*(send(partition, commits) for partition, commits in lanes.items()))


def _in_journal(servers: Servers, bench: Bench) -> float:
    """Bytes on disk of the journal, after a checkpoint."""
    with MongoClient[dict[str, float]](servers.mongo) as client:
        client.admin.command("fsync")
        found = client[bench.database(bench.writer)].command("collStats", "journal")
    return float(found["storageSize"] + found["totalIndexSize"])


def _on_topic(servers: Servers, topic: str) -> float:
    """Bytes of the segments of a topic."""
    return float(sum(file.stat().st_size for file in (servers.data / "kafka" / "logs").glob(f"{topic}-*/*.log")))
