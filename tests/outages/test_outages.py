"""Servers that hang, die and come back: nothing restarts, nothing is lost, callers are told in time, work goes on."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from local.processes import Child
from local.servers import Servers
from tests.integration.kit import World, until
from tests.outages.kit import Load, Process, caller, check_commands, serving, until_views_are_whole

pytestmark = [pytest.mark.integration, pytest.mark.guarantee("G10")]

AWAY = float(os.environ.get("COUNTERPOINT_TEST_OUTAGE_SECONDS", "3"))
"""How long an outage lasts; those of minutes, and a Kafka that hangs, are run by hand."""
BUDGET, NOISE = 2.0, 10.0
"""Seconds in which a caller is answered while the database is away, here; and what a busy machine adds."""


@dataclass
class Running:
    """A writer and a hearer at work, and a caller."""

    world: World
    http: httpx.AsyncClient
    writer: Process
    hearer: Process

    @property
    def both(self) -> tuple[Process, Process]:
        return self.writer, self.hearer

    def load(self) -> Load:
        return Load(self.world, self.http, self.writer.api)

    async def told(self, process: Process, status: int, *waiting: str) -> bool:
        """Whether `/health/ready` answers this now."""
        found, body = await process.health(self.http, "ready")
        return found == status and body["waiting_for"] == sorted(waiting)

    async def all_live(self) -> None:
        for process in self.both:
            assert process.child.returncode is None, process.tail()
            status, body = await process.health(self.http, "live")
            assert status == 200, f"{body}\n{process.tail()}"

    async def sums(self, **headers: str) -> httpx.Response:
        return await self.http.get(f"{self.hearer.api}/programs/{self.world.program}/sums", headers=headers)

    async def one(self, thing: str) -> httpx.Response:
        return await self.http.get(f"{self.writer.api}/programs/{self.world.program}/tallies/{thing}")


@asynccontextmanager
async def at_work(world: World, **more: Any) -> AsyncIterator[Running]:
    async with caller(world) as http, serving(world, "writer", **more) as w, serving(world, "hearer", **more) as h:
        for process in (w, h):
            await process.until_ready(http)
        running = Running(world, http, w, h)
        load = running.load()
        await until(lambda: first(load), 30)
        yield running


async def first(load: Load) -> bool:
    """Whether the first addition was taken."""
    return await load.add("first", {"amount": 1, "also": "b0"}, "first") == 200


def hang(child: Child) -> Callable[[], None]:
    """Stop a server where it is; what is answered lets it go on."""
    os.kill(child.pid, signal.SIGSTOP)
    return lambda: os.kill(child.pid, signal.SIGCONT)


def die(servers: Servers, name: str) -> Callable[[], None]:
    """Kill a server; what is answered starts it again on its data."""
    server = {"mongod": servers._mongod, "kafka": servers._kafka}[name]
    servers.children[name].kill()

    def again() -> None:
        server.spawn()
        server.wait()

    return again


def away(servers: Servers, name: str, how: str) -> Callable[[], None]:
    return hang(servers.children[name]) if how == "hangs" else die(servers, name)


async def test_while_the_database_is_away_callers_are_told_in_time_and_nothing_restarts(
    apart: World, servers: Servers
) -> None:
    async with at_work(apart, answer_seconds=BUDGET) as running:
        load = running.load()
        asking = asyncio.create_task(load.run(24))
        await until(lambda: len(load.answered) > 30, 60)
        for how in ("hangs", "dies"):
            refused = load.statuses[503]
            back = away(servers, "mongod", how)
            try:
                began = time.monotonic()
                for process in running.both:
                    await until(lambda p=process: running.told(p, 503, "database"), 30)
                await running.all_live()
                while time.monotonic() - began < AWAY:
                    await running.all_live()
                    await asyncio.sleep(0.2)
                assert (await running.hearer.health(running.http, "lag"))[0] == 503
                await until(lambda r=refused: load.statuses[503] > r, 30)
            finally:
                await asyncio.to_thread(back)
            known = len(load.answered)
            for process in running.both:
                await until(lambda p=process: running.told(p, 200), 60)
            await until(lambda k=known: len(load.answered) > k + 30, 60)
        load.stop()
        await asking
        assert not load.odd, load.odd
        assert not load.statuses[0], "a connection was cut although nothing restarted"
        assert load.slowest < BUDGET + NOISE, f"a caller waited {load.slowest:.1f} s"
        await check_commands(apart, load)
        await until_views_are_whole(apart)
        await running.all_live()
        await stop_while_it_hangs(apart, servers, running)


async def stop_while_it_hangs(apart: World, servers: Servers, running: Running) -> None:
    """Told to stop while nothing can be asked of the database, processes end in time all the same."""
    load = running.load()
    asking = asyncio.create_task(load.run(8))
    await until(lambda: len(load.answered) > 10, 60)
    back = hang(servers.children["mongod"])
    try:
        await asyncio.sleep(0.5)
        ends = await asyncio.gather(*(process.end() for process in running.both))
    finally:
        back()
    load.stop()
    await asking
    for process, (code, seconds) in zip(running.both, ends, strict=True):
        assert code == 0 and seconds < 15, f"code {code} after {seconds:.1f} s\n{process.tail()}"
    assert not load.odd, load.odd
    assert load.statuses[503], "nothing was in flight"
    await check_commands(apart, load)


@pytest.mark.parametrize(
    "how", ["dies", pytest.param("hangs", marks=pytest.mark.skipif(AWAY < 10, reason="only when outages are long"))]
)
async def test_while_kafka_is_away_commands_are_taken_and_everything_can_be_read(
    apart: World, servers: Servers, how: str
) -> None:
    async with at_work(apart, answer_seconds=30) as running:
        load = running.load()
        await until_views_are_whole(apart)
        back = away(servers, "kafka", how)
        try:
            began = time.monotonic()
            asking = asyncio.create_task(load.run(4))

            async def without() -> bool:
                answers = [await process.health(running.http, "ready") for process in running.both]
                return all(status == 200 and "kafka" in body["without"] for status, body in answers)

            await until(without, 30)
            await running.all_live()
            while time.monotonic() - began < AWAY:
                await running.all_live()
                assert await without()
                await asyncio.sleep(0.2)
            exact, listed = await running.one("first"), await running.sums()
            assert (exact.status_code, exact.headers["ETag"], exact.json()) == (200, '"1"', {"amount": 1})
            assert listed.status_code == 200 and len(listed.json()["items"]) == 2
            later = await running.one("a0")
            assert later.headers["ETag"] == f'"{later.json()["amount"]}"' != '"0"', "the exact state is the newest"
            asked = time.monotonic()
            late = await running.sums(**{"Counterpoint-After": next(iter(load.answered.values()))[0]})
            assert (late.status_code, late.headers["Retry-After"]) == (503, "1")
            assert time.monotonic() - asked < BUDGET + NOISE
            assert (await running.hearer.health(running.http, "lag"))[0] == 503
            load.stop()
            await asking
        finally:
            await asyncio.to_thread(back)
        assert set(load.statuses) == {200}, (load.statuses, load.odd)
        await until_views_are_whole(apart)
        for process in running.both:
            await until(lambda p=process: running.told(p, 200), 60)
        assert (await running.sums(**{"Counterpoint-After": ", ".join(load.answered.popitem()[1])})).status_code == 200
        await running.all_live()
