"""One service in several processes: each role does its part, and one relay of many works."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from chassis.running.problems import Problem
from tests.infrastructure import Infra
from tests.integration.kit import World, until

pytestmark = pytest.mark.integration


@pytest.fixture
def world(infra: Infra, tmp_path: Path) -> World:
    return World(infra, tmp_path)


@pytest.mark.guarantee("G11")
async def test_api_relay_and_worker_apart_do_what_one_process_does(world: World) -> None:
    async with (
        world.running(world.writer, role="api") as api,
        world.running(world.writer, role="relay", sweep_seconds=30) as relay,
        world.running(world.hearer, role="worker") as worker,
        world.running(world.hearer, role="api") as reader,
    ):
        assert worker.inbox.topics and relay.inbox.topics == []
        after = await world.add(api, "one", 5)
        # The sweep is half a minute away: it is the change stream that wakes the relay.
        await until(lambda: reader.inbox.reader.version(after[0].partition("@")[0]), 10)
        await reader.wait_until_seen(after[0])


async def test_what_must_rest_on_everything_waits_for_it_whoever_has_the_inbox(world: World) -> None:
    async with (
        world.running(world.writer) as writer,
        world.running(world.hearer, role="api", all_heard_seconds=0.5) as reader,
    ):
        async with world.running(world.hearer, role="worker"):
            after = await world.add(writer, "one", 5)
            await until(lambda: reader.inbox.reader.version(after[0].partition("@")[0]))
            await reader.wait_until_all_heard()
        await world.add(writer, "one", 6)
        with pytest.raises(Problem) as refused:
            await until(lambda: reader.wait_until_all_heard(), 10)
        assert (refused.value.status, refused.value.code) == (503, "catching-up")
        async with world.running(world.hearer, role="worker"):
            patient = world.runtime_of(world.hearer, "api")
            await patient.wait_until_all_heard()
            row = await patient.inbox.reader.get(world.sums, world.totals.stream(world.program, "one"))
            assert row is not None and row.amount == 11
            await patient.database.close()


@pytest.mark.guarantee("G2")
async def test_a_second_relay_stands_by_and_takes_over(world: World) -> None:
    async with world.running(world.writer, role="api") as api, world.running(world.hearer, role="worker") as hearer:
        first, second = (world.runtime_of(world.writer, "relay", lease_seconds=1.5) for _ in range(2))
        await first.relay.prepare()
        running = [asyncio.create_task(r.relay.run()) for r in (first, second)]

        async def heard(thing: str) -> int:
            return await hearer.inbox.reader.version(world.totals.stream(world.program, thing))

        await world.add(api, "one", 1)
        await until(lambda: heard("one"))
        lease = await first.database.collection("leases").find_one({"_id": "relay"})
        owners = {first.relay._owner: 0, second.relay._owner: 1}
        holder = owners[lease["owner"]]
        for n in range(30):
            await world.add(api, f"t{n}", 1)
        for n in range(30):
            await until(lambda n=n: heard(f"t{n}"))
        # Killed without a word: the lease is still the dead one's, until the database's clock has passed it.
        dead = (first, second)[holder]
        dead.relay._owner = "nobody who could free it"
        running[holder].cancel()
        await world.add(api, "after", 1)
        await until(lambda: heard("after"), 10)
        lease = await second.database.collection("leases").find_one({"_id": "relay"})
        assert owners[lease["owner"]] == 1 - holder
        running[1 - holder].cancel()
        await asyncio.gather(*running, return_exceptions=True)
        for runtime in (first, second):
            await runtime.database.close()
