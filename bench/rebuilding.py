"""How fast a version of an inbox is filled in a process of its own, and what that does to the live one meanwhile."""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from pathlib import Path
from queue import Empty
from statistics import median
from typing import Any

from bench.figures import Figure
from bench.receiving import until_visible
from bench.world import Bench, origin, ready
from chassis.deciding.commands import new_commit_id
from chassis.deciding.journal import GENESIS, Commit, Event, Meta
from chassis.receiving.rebuild import Progress, Rebuild
from chassis.running.clock import Clock
from chassis.running.runtime import Runtime
from chassis.running.settings import Role, Settings
from chassis.testing.tally import TallyServices
from local.servers import Servers

STREAMS, EACH = 5000, 8
"""Each fact touches another stream than the one before: the worst shape."""
PAUSE = 0.05


async def rebuild(servers: Servers, folder: Path, before: int = 60) -> list[Figure]:
    """Facts per second into a new version, and milliseconds from command to visible before and during that."""
    bench = Bench(servers, folder)
    await _say(bench)
    writer, hearer = bench.runtime(bench.writer, Role.all), bench.runtime(bench.hearer, Role.all)
    await asyncio.gather(ready(writer), ready(hearer))
    while sum(hearer.inbox.offsets.values()) < STREAMS * EACH:  # noqa: ASYNC110
        await asyncio.sleep(0.05)
    calm = [await _visible(bench, writer, hearer, f"c{n}") for n in range(before)][10:]
    context = multiprocessing.get_context("spawn")
    told: Any = context.Queue()
    settings = hearer.settings.model_dump() | {"role": "rebuild"}
    process = context.Process(target=_rebuild, args=(bench.name, settings, told))
    process.start()
    busy: list[tuple[float, float]] = []
    said: list[tuple[float, Progress]] = []
    while process.is_alive() or (not process.exitcode and (hearer.inbox.version != 2 or hearer.waiting_for())):
        busy.append((time.time(), await _visible(bench, writer, hearer, f"d{len(busy)}")))
        said += _drain(told)
    said += _drain(told)
    process.join()
    assert process.exitcode == 0 and (await hearer.versions.pointer()).live == 2, "it was not rebuilt"
    await asyncio.gather(writer.stop(), hearer.stop())
    (began, first), (ended, last) = next(s for s in said if s[1].done), said[-1]
    filling = [took for at, took in busy if began <= at < ended]
    return [
        Figure("rebuild, every fact another stream", (last.done - first.done) / (ended - began), "facts/s"),
        Figure("command to visible during a rebuild, p50 (floor: before)", median(filling), "ms", median(calm),
               median(filling) / median(calm), len(filling)),
        Figure("command to visible while changing over, longest", max(took for _, took in busy), "ms", runs=len(busy)),
    ]  # fmt: skip


async def _visible(bench: Bench, writer: Runtime, hearer: Runtime, thing: str) -> float:
    """Milliseconds of one command, and a pause."""
    took = await until_visible(bench, writer, hearer, thing)
    await asyncio.sleep(PAUSE)
    return took * 1000


async def _say(bench: Bench) -> None:
    """Commit and publish the facts, one of each stream after another."""
    runtime = bench.runtime(bench.writer)
    await runtime._prepare()
    event, at = Event("Added", 1, bench.Added(program=bench.program, amount=1).encode()), Clock().now()
    ends: dict[str, str] = {bench.totals.stream(bench.program, f"r{n}"): GENESIS for n in range(STREAMS)}
    for version in range(1, EACH + 1):
        made = [
            Commit(new_commit_id(), stream, version, origin().command_id, "bench", end, at, Meta("bench"), (event,))
            for stream, end in ends.items()
        ]
        await runtime.database.insert("journal", [c.document(pending=True) for c in made])
        while await runtime.relay.sweep():
            pass
        ends = {c.stream: c.digest for c in made}
    await runtime.relay._disconnect()
    await runtime.database.close()


def _drain(told: Any) -> list[tuple[float, Progress]]:
    found = []
    while True:
        try:
            found.append(told.get_nowait())
        except Empty:
            return found


def _rebuild(name: str, settings: dict[str, Any], told: Any) -> None:
    """The other process."""
    asyncio.run(_forward(Runtime(TallyServices(name, echo=False).hearer, Settings(**settings)), told))


async def _forward(runtime: Runtime, told: Any) -> None:
    work = Rebuild(
        runtime.database,
        runtime.versions,
        runtime.inbox_of,
        runtime.settings.kafka_bootstrap,
        runtime.settings.rebuild_records,
        lambda progress: told.put((time.time(), progress)),
    )
    await work.forward()
    await runtime.database.close()
