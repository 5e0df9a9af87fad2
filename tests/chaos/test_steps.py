"""The hardest single moments, each on purpose: killed at every step, a zombie, a primary that dies with what it has."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from chassis.receiving.versions import CHECKPOINTS
from tests.chaos import points
from tests.chaos.child import identity
from tests.chaos.driver import Callers, caller, rest
from tests.chaos.judge import Verdict, judge
from tests.chaos.servers import Servers
from tests.chaos.world import PATIENCE, Process, World
from tests.integration.kit import until

pytestmark = pytest.mark.integration

THINGS = [f"t{n}" for n in range(24)]
"""Enough that every partition has some."""


@asynccontextmanager
async def world_of(field: Servers, folder: Path, *names: str, lease: float = 3.0) -> AsyncIterator[World]:
    """A world at work, without tasks."""
    world = World(field, folder, echo=False, lease=lease)
    try:
        await world.prepare()
        await world.run(*names)
        yield world
    finally:
        await world.heal()
        await world.close()


async def verdict_of(world: World, callers: Callers) -> Verdict:
    """What is found once everything has been heard."""
    await rest(world)
    verdict = await asyncio.to_thread(judge, world, callers.answers)
    assert not verdict.findings, str(verdict)
    return verdict


async def reached(process: Process, point: str) -> None:
    """Wait until the process has come to a point that it was armed at."""
    await until(lambda: not points.armed(process.folder, point), PATIENCE)


@pytest.mark.guarantee("G1", "G2", "G3")
async def test_a_process_killed_at_any_step_loses_and_doubles_nothing(field: Servers, tmp_path: Path) -> None:
    workers = [f"hearer-worker-{n}" for n in range(1, len(points.WORKER) + 1)]
    async with world_of(field, tmp_path, "writer-api-1", "writer-relay-1", *workers) as world, caller() as http:
        callers = Callers(world)
        (api,), (relay,) = world.of("api"), world.of("writer-relay")
        await until(lambda: asyncio.to_thread(owners, world, len(workers)), PATIENCE)
        for worker, point in zip(world.of("worker"), points.WORKER, strict=True):
            points.arm(worker.folder, point, points.KILL)
        for point in points.API:
            points.arm(api.folder, point, points.KILL)
            await callers.ask(http, f"api {point}", THINGS[:2] if point.startswith("commit") else THINGS[:1])
            await reached(api, point)
        for point in points.RELAY:
            relay.signal(signal.SIGSTOP)  # until several commits of each stream wait for it
            for n, thing in enumerate(THINGS * 2):
                await callers.ask(http, f"relay {point} {n}", [thing])
            points.arm(relay.folder, point, points.KILL)
            relay.signal(signal.SIGCONT)
            await reached(relay, point)
        for thing in THINGS:
            await callers.ask(http, f"end {thing}", [thing])
        for worker, point in zip(world.of("worker"), points.WORKER, strict=True):
            await reached(worker, point)
        verdict = await verdict_of(world, callers)
    assert callers.counts["answers lost and found"] >= 2, "a commit was there, and its answer was not"
    assert verdict.counts["repeats on Kafka"] > 0, "what was acknowledged and not marked is sent again"
    assert world.counts["restarts"] >= len(points.API) + len(points.RELAY) + len(points.WORKER)


@pytest.mark.guarantee("G1")
async def test_what_was_answered_survives_the_death_of_who_answered(field: Servers, tmp_path: Path) -> None:
    async with world_of(field, tmp_path, "writer-api-1", "writer-relay-1", "hearer-worker-1") as world:
        callers = Callers(world)
        for n in range(5):
            async with caller() as http:
                await callers.ask(http, f"last words {n}", [f"t{n}"])
            world.of("api")[0].kill()
        await verdict_of(world, callers)
    assert world.counts["restarts"] >= 4


@pytest.mark.guarantee("G1", "G4")
async def test_what_only_a_dying_primary_has_is_neither_answered_nor_published(field: Servers, tmp_path: Path) -> None:
    # The lease is long: while there is no majority, nobody could renew it, and a relay that is wrong would wait.
    names = ("writer-api-1", "writer-relay-1", "hearer-worker-1")
    async with world_of(field, tmp_path, *names, lease=120) as world, caller() as http:
        callers = Callers(world)
        await callers.ask(http, "before", THINGS[:1])
        await rest(world)
        primary = await asyncio.to_thread(field.primary)
        others = [m for m in field.members if m is not primary]
        for member in others:
            assert member.child is not None
            member.child.kill()
        asking = asyncio.create_task(callers.ask(http, "during", THINGS[:1]))
        lonely = await until(lambda: asyncio.to_thread(only_there, field, world, "during"), PATIENCE)
        await asyncio.sleep(3)  # enough for whoever would answer or publish it now
        await asyncio.to_thread(field.kill_alone, primary, others)
        await asyncio.to_thread(field.restart, primary)
        await asking
        await verdict_of(world, callers)
        kept = world.database(world.writer).journal.find_one({"command_id": identity("during")})
    assert kept is not None
    assert kept["_id"] != lonely, "the old primary's commit was to be rolled back"


def only_there(field: Servers, world: World, key: str) -> Any:
    """The id of a command's commit as the primary without a majority has it."""
    primary = field.primary()
    with field.direct(primary) as client:
        doc = client[world.name_of(world.writer)].journal.find_one({"command_id": identity(key)})
        return doc and doc["_id"]


@pytest.mark.guarantee("G3")
async def test_a_worker_that_lost_its_partition_in_its_sleep_cannot_write(field: Servers, tmp_path: Path) -> None:
    workers = [f"hearer-worker-{n}" for n in (1, 2, 3)]
    async with world_of(field, tmp_path, "writer-api-1", "writer-relay-1", *workers) as world, caller() as http:
        callers = Callers(world)
        holding, advanced, _ = world.of("worker")
        await until(lambda: asyncio.to_thread(owners, world, 3), PATIENCE)
        points.arm(holding.folder, "holding", points.STOP)
        points.arm(advanced.folder, "advanced", points.STOP)
        for thing in THINGS:
            await callers.ask(http, f"first {thing}", [thing])
        for zombie in (holding, advanced):
            await until(zombie.is_stopped, PATIENCE)
        for thing in THINGS:
            await callers.ask(http, f"second {thing}", [thing])
        await rest(world)  # the third has everything by now
        before = await asyncio.to_thread(checkpoints, world)
        assert [zombie.outcomes() for zombie in (holding, advanced)] == [[], []], "both are in the middle of a batch"
        for zombie in (holding, advanced):
            zombie.signal(signal.SIGCONT)
        for zombie in (holding, advanced):
            await until(zombie.outcomes, PATIENCE)
        tried = [zombie.outcomes()[0] for zombie in (holding, advanced)]
        assert await asyncio.to_thread(checkpoints, world) == before
        assert tried[0] == "Lost"
        assert tried[1] != "written"
        for thing in THINGS:
            await callers.ask(http, f"third {thing}", [thing])
        await verdict_of(world, callers)


def checkpoints(world: World) -> dict[str, int]:
    """Where the hearer's checkpoints are."""
    return {doc["_id"]: doc["offset"] for doc in world.database(world.hearer)[CHECKPOINTS].find()}


def owners(world: World, wanted: int) -> bool:
    """Whether so many workers own partitions."""
    docs = world.database(world.hearer)[CHECKPOINTS].find()
    return len({bytes(doc["lsid"]["id"]) for doc in docs if doc.get("lsid")}) == wanted
