"""A command's process that dies in its middle holds nobody up, and one that lives is never ended."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient

from chassis.deciding.commands import Conflict, Origin, command_id
from chassis.deciding.decider import On
from chassis.running.mongo import Database
from chassis.running.runtime import Runtime
from chassis.testing.tally import Add
from tests.infrastructure import Infra
from tests.integration.kit import World

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]
WELL_BELOW = 4.0
"""Seconds; the server itself would end the transaction after ten. A machine that has time needs less than one."""


@pytest.fixture
def world(infra: Infra, tmp_path: Path) -> World:
    return World(infra, tmp_path)


@asynccontextmanager
async def in_the_middle(world: World) -> AsyncIterator[asyncio.subprocess.Process]:
    """Another process of the writer, with a command over the things `one` and `two` open."""
    settings = world.settings(world.writer, "api").model_dump(mode="json", exclude_none=True, exclude={"founders"})
    told = {
        "name": world.writer.name[:-1],
        "settings": {k: v for k, v in settings.items() if not isinstance(v, list)},
        "program": world.program,
        "things": ["one", "two"],
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.integration.dying", json.dumps(told),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, cwd=ROOT,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        async with asyncio.timeout(30):
            assert await process.stdout.readline() == b"open\n"
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def open_transactions(world: World) -> int:
    """How many transactions without a running command the server has open for the writer's user."""
    user = world._databases[world.writer.name].uri.partition("://")[2].partition(":")[0]
    with MongoClient[dict[str, Any]](world._databases[world.writer.name].uri) as client:
        assert user == "tester"
        pipeline = [{"$currentOp": {"allUsers": False, "idleSessions": True}}, {"$match": {"type": "idleSession"}}]
        return sum(1 for op in client.admin.aggregate(pipeline) if op.get("transaction"))


async def command(world: World, runtime: Runtime, *things: str) -> float:
    """Add to all the things in one command; answers how many seconds that took."""
    add = Add(program=world.program, amount=1)
    on = [On(world.totals, world.totals.stream(world.program, thing), add) for thing in things]
    began = time.monotonic()
    outcome = await runtime.run(Origin(command_id(secrets.token_hex(8)), "d", correlation="test"), *on)
    assert [after.rpartition("@")[2] for after in outcome.after] == ["2"] * len(things)
    return time.monotonic() - began


async def with_a_past(world: World, runtime: Runtime) -> None:
    for thing in ("one", "two"):
        await world.add(runtime, thing, 1)


async def held_up(world: World, *things: str) -> float:
    """Seconds of the first command on the things after another process was killed in the middle of its own."""
    async with world.running(world.writer, "api") as survivor:
        await with_a_past(world, survivor)
        async with in_the_middle(world) as dying:
            dying.send_signal(signal.SIGKILL)
            await dying.wait()
            assert await asyncio.to_thread(open_transactions, world) == 1, "the hard case was not reached"
            async with asyncio.timeout(WELL_BELOW):
                return await command(world, survivor, *things)


@pytest.mark.guarantee("G1")
@pytest.mark.parametrize("things", [("one", "two"), ("one",), ("two", "three")], ids="-".join)
async def test_a_process_killed_in_a_command_holds_nobody_up(world: World, things: tuple[str, ...]) -> None:
    if "three" in things:
        async with world.running(world.writer, "api") as writer:
            await world.add(writer, "three", 1)
    assert await held_up(world, *things) < WELL_BELOW


@pytest.mark.guarantee("G1")
@pytest.mark.parametrize("things", [("one", "two"), ("one",)], ids="-".join)
async def test_without_ending_the_dead_it_would(
    world: World, things: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nobody(self: Database) -> int:
        return 0

    monkeypatch.setattr(Database, "end_dead_transactions", nobody)
    with pytest.raises((Conflict, TimeoutError)):
        await held_up(world, *things)


@pytest.mark.guarantee("G1")
async def test_a_process_that_starts_ends_what_the_dead_left_open(world: World) -> None:
    async with world.running(world.writer, "api") as writer:
        await with_a_past(world, writer)
    async with in_the_middle(world) as dying:
        dying.send_signal(signal.SIGKILL)
        await dying.wait()
        assert await asyncio.to_thread(open_transactions, world) == 1
        async with world.running(world.writer, "api"):
            assert await asyncio.to_thread(open_transactions, world) == 0


@pytest.mark.guarantee("G1")
@pytest.mark.parametrize("asleep", [False, True], ids=["awake", "stopped"])
async def test_a_process_that_lives_is_never_ended(world: World, asleep: bool) -> None:
    """Also not while it is stopped: its command ends well, and the other one is told to try again."""
    async with world.running(world.writer, "api") as other:
        await with_a_past(world, other)
        async with in_the_middle(world) as living:
            if asleep:
                os.kill(living.pid, signal.SIGSTOP)
            with pytest.raises(Conflict):
                await command(world, other, "one", "two")
            assert await other.database.end_dead_transactions() == 0
            async with world.running(world.writer, "api"):
                assert await asyncio.to_thread(open_transactions, world) == 1
            if asleep:
                os.kill(living.pid, signal.SIGCONT)
            said, _ = await living.communicate(b"\n")
            assert (said, living.returncode) == (b"committed\n", 0)
        streams = await other.journal.load([world.totals.stream(world.program, t) for t in ("one", "two")])
        assert [commits[-1].command_id for commits in streams.values()] == ["dying", "dying"]
