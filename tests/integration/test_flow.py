"""From a command in one service to a view and a task in another, on the real servers."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from chassis.deciding.commands import KeyReused, Stale
from chassis.deciding.decider import On, Refused
from chassis.testing.tally import Add
from tests.infrastructure import Infra
from tests.integration.kit import World, until

pytestmark = pytest.mark.integration


@pytest.fixture
def world(infra: Infra, tmp_path: Path) -> World:
    return World(infra, tmp_path)


async def test_a_command_becomes_visible_in_the_other_service_and_its_task_runs(world: World) -> None:
    async with world.running(world.writer) as writer, world.running(world.hearer) as hearer:
        for n in range(1, 6):
            await world.add(writer, "one", n)
        stream = world.totals.stream(world.program, "one")
        await until(lambda: _sum(world, hearer, stream, 15))
        echo = world.echoes.stream(world.program, "one")

        async def echoed() -> bool:
            state, version = await hearer.commands.read(world.echoes, echo)
            return (state.amount, version) == (15, 5)

        await until(echoed)
        found = await hearer.inbox.reader.find(world.sums, world.program, {"amount": 15})
        assert [(f.stream, f.version, f.row.facts, f.parked) for f in found] == [(stream, 5, 5, False)]


@pytest.mark.guarantee("G1")
async def test_a_repeated_command_is_answered_as_the_first_time_and_a_reused_key_is_refused(world: World) -> None:
    async with world.running(world.writer, role="api") as writer:
        first = await world.add(writer, "one", 7, key="k")
        again = await world.add(writer, "one", 7, key="k")
        assert first == again == (f"{world.program}/tally/one@1",)
        with pytest.raises(KeyReused):
            await world.add(writer, "one", 8, key="k")
        assert await world.add(writer, "one", 0) == ()
        with pytest.raises(Refused):
            await world.add(writer, "one", -1)
        state, version = await writer.commands.read(world.totals, world.totals.stream(world.program, "one"))
        assert (state.amount, version) == (7, 1)


@pytest.mark.guarantee("G2")
async def test_a_stale_version_is_refused_and_racing_writers_all_get_in(world: World) -> None:
    async with world.running(world.writer, role="api") as writer:
        await world.add(writer, "one", 1)
        on = On(world.totals, world.totals.stream(world.program, "one"), Add(program=world.program, amount=1), expect=3)
        with pytest.raises(Stale):
            await writer.run(_origin("x"), on)
        await asyncio.gather(*(world.add(writer, "raced", 1) for _ in range(3)))
        state, version = await writer.commands.read(world.totals, world.totals.stream(world.program, "raced"))
        assert (state.amount, version) == (3, 3)


@pytest.mark.guarantee("G1")
async def test_a_command_over_two_streams_writes_both_or_none(world: World) -> None:
    async with world.running(world.writer, role="api") as writer:
        a, b = (world.totals.stream(world.program, t) for t in ("a", "b"))
        good, bad = Add(program=world.program, amount=1), Add(program=world.program, amount=-1)
        with pytest.raises(Refused):
            await writer.run(_origin("both"), On(world.totals, a, good), On(world.totals, b, bad))
        assert (await writer.commands.read(world.totals, a))[1] == 0
        outcome = await writer.run(_origin("both2"), On(world.totals, a, good), On(world.totals, b, good))
        assert outcome.after == (f"{a}@1", f"{b}@1")
        again = await writer.run(_origin("both2"), On(world.totals, a, good), On(world.totals, b, good))
        assert again.repeated and again.after == outcome.after


@pytest.mark.guarantee("G7")
async def test_a_fold_that_raises_parks_its_own_stream_and_nobody_else_waits(world: World) -> None:
    def poison(amount: int) -> None:
        if amount == 666:
            raise RuntimeError("cannot be folded")

    world.poison = poison
    async with world.running(world.writer) as writer, world.running(world.hearer) as hearer:
        for n in range(20):
            await world.add(writer, f"good{n}", 1)
        await world.add(writer, "bad", 5)
        await world.add(writer, "bad", 666)
        await world.add(writer, "bad", 1)
        for n in range(20):
            await world.add(writer, f"good{n}", 1)
        for n in range(20):
            await until(lambda n=n: _sum(world, hearer, world.totals.stream(world.program, f"good{n}"), 2))

        async def parked() -> bool:
            (found,) = await hearer.inbox.reader.find(world.sums, world.program, {"amount": 5})
            return found.parked and found.version == 1

        await until(parked)


async def _sum(world: World, runtime: object, stream: str, amount: int) -> bool:
    row = await runtime.inbox.reader.get(world.sums, stream)  # type: ignore[attr-defined]
    return row is not None and row.amount == amount


def _origin(key: str):  # type: ignore[no-untyped-def]
    from chassis.deciding.commands import Origin, command_id

    return Origin(command_id("test", key), "digest", correlation="test")
