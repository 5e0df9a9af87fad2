"""Commands: how many a second, how long one takes, and what it costs, against a bare insert of the same document."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from bench.figures import Figure, Spent, beside, latencies, processor, spent
from bench.world import Bench, commit_of, origin
from chassis.deciding.memory import Memory
from local.servers import Servers

FACTS_OF_A_STREAM = 4

Job = Callable[[], Awaitable[Any]]


async def commands(servers: Servers, folder: Path, runs: int, count: int = 1600) -> list[Figure]:
    """Commands, 16 and 64 at once.

    The floor inserts the documents that commands would write, made beforehand, at majority, by the same client and as
    many at once, into a collection that has no index but the one over `_id`. Each stream gets four commands, so one in
    four finds nothing remembered. Connections are opened before the clock starts, and who goes first takes turns.
    """
    got: list[Spent] = []
    cold: list[Spent] = []
    floor: list[Spent] = []
    trips: list[float] = []
    at_64: list[float] = []
    for run in range(runs):
        bench = Bench(servers, folder)
        runtime = bench.runtime(bench.writer)
        await runtime._prepare()
        bare = runtime.database.collection("bare")
        await runtime.database.create("bare")

        def jobs(prefix: str, n: int = count, bench: Bench = bench, run_: Any = runtime.run) -> list[Job]:
            streams = n // FACTS_OF_A_STREAM
            return [partial(run_, origin(), bench.add(f"{prefix}{i % streams}")) for i in range(n)]

        inserts = [partial(bare.insert_one, commit_of(bench, f"x{n}").document(pending=True)) for n in range(count)]
        await _all([partial(bare.insert_one, {"_id": n}) for n in range(64)], 16)
        await _all(jobs("warm", 64), 16)
        before = runtime.database.round_trips.total
        for what in ("floor", "got") if run % 2 else ("got", "floor"):
            began = spent(servers)
            await _all(inserts if what == "floor" else jobs("s"), 16)
            (floor if what == "floor" else got).append(spent(servers) - began)
        trips.append((runtime.database.round_trips.total - before - count) / count)
        at_64 += await _all(jobs("c"), 64)
        runtime.commands._memory = Memory(size=0)
        began = spent(servers)
        await _all(jobs("n"), 16)
        cold.append(spent(servers) - began)
        await runtime.database.close()
    rate = [count / s.seconds for s in floor]
    return [
        beside("command, 16 at once", "commands/s", [count / s.seconds for s in got], rate),
        beside("command, 16 at once, nothing remembered", "commands/s", [count / s.seconds for s in cold], rate),
        *processor("command", count, got, floor),
        Figure("command: round trips", median(trips), "", runs=runs),
        *latencies("command, 64 at once", at_64),
    ]


async def _all(jobs: Sequence[Job], at_once: int) -> list[float]:
    """Do all of them, that many at once; the seconds that each took."""
    waiting = iter(jobs)
    took: list[float] = []

    async def work() -> None:
        for job in waiting:
            began = time.perf_counter()
            await job()
            took.append(time.perf_counter() - began)

    await asyncio.gather(*(work() for _ in range(at_once)))
    return took
