"""Processes that are told to stop in the middle of heavy traffic: in time, cleanly, and nothing is lost."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.integration.kit import World, until
from tests.outages.kit import Load, Process, backlog, caller, check_commands, on_topic, serving, until_views_are_whole

pytestmark = [pytest.mark.integration, pytest.mark.guarantee("G10")]

GRANTED = 15.0
"""Seconds that an orchestrator is told to grant."""


async def stopped(*processes: Process) -> None:
    """End them side by side; each must end by itself, well, and in time."""
    ends = await asyncio.gather(*(process.end() for process in processes))
    for process, (code, seconds) in zip(processes, ends, strict=True):
        assert code == 0, f"ended with {code}\n{process.tail()}"
        assert seconds < GRANTED, f"took {seconds:.1f} s\n{process.tail()}"


async def test_told_to_stop_under_load_every_role_ends_in_time_and_nothing_is_lost(world: World) -> None:
    small: dict[str, Any] = {"batch_records": 100, "delay": 0.1}
    async with (
        caller(world) as http,
        serving(world, "writer", "api") as api,
        serving(world, "writer", "relay") as relay,
        serving(world, "writer", "all") as writer,
        serving(world, "hearer", "worker", "batches", **small) as worker,
        serving(world, "hearer", "all", "batches", **small) as hearer,
    ):
        processes = (api, relay, writer, worker, hearer)
        for process in processes:
            await process.until_ready(http)
        await backlog(world, streams=60, commits=25, events=4)
        loads = [Load(world, http, process.api) for process in (api, writer)]
        running = [asyncio.create_task(load.run(12)) for load in loads]
        # In the middle: some of the backlog has been heard, and callers have been answered.
        await until(lambda: worker.batches()["done"] >= 3 and all(len(load.answered) > 20 for load in loads), 90)
        # A caller who waits for what will not come is told to ask elsewhere, at once.
        late = {"Counterpoint-After": f"{world.totals.stream(world.program, 'a0')}@999999"}
        refused = asyncio.create_task(http.get(f"{hearer.api}/programs/{world.program}/sums", headers=late))
        await asyncio.sleep(0.2)
        await stopped(*processes)
        for load in loads:
            load.stop()
        await asyncio.gather(*running)
        assert (await refused).json()["title"] == "Not seen yet"
    for load in loads:
        assert load.statuses[0], "nobody was asking when the process ended"
        assert not load.odd, load.odd
    after = worker.batches()
    assert after["begun"] == after["done"], "a batch in hand was not finished"
    await check_commands(world, *loads)

    async with serving(world, "writer", "relay"), serving(world, "hearer", "worker", "batches"):
        wanted = await until_views_are_whole(world)
    assert worker.batches()["begun"] > after["begun"], "nothing was left to hear after the restart"
    seen = await on_topic(world)
    assert {s: v for s in wanted for v in [max(n for stream, n in seen if stream == s)]} == wanted
    assert max(seen.values()) == 1, "a batch was published twice although its relay was stopped cleanly"
