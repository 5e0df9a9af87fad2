"""Counters that gate: how often the database is asked, per command, per relayed and per projected fact."""

from __future__ import annotations

from pathlib import Path

import pytest

from chassis.deciding.commands import Origin, command_id
from chassis.deciding.decider import On
from chassis.deciding.journal import COLLECTION as JOURNAL
from chassis.distributing.healing import MARKS
from chassis.distributing.relay import Relay
from chassis.receiving.parking import PARKED
from chassis.receiving.tasks import COLLECTION as TASKS
from chassis.receiving.versions import COLLECTION as VERSIONS
from chassis.running.runtime import Runtime
from chassis.testing.tally import Add
from tests.infrastructure import Infra
from tests.integration.kit import World, until
from tests.integration.test_hard_cases import record, sum_of

pytestmark = pytest.mark.integration
EVENTS = 1500


@pytest.fixture
def world(infra: Infra, tmp_path: Path) -> World:
    return World(infra, tmp_path)


@pytest.mark.guarantee("running")
async def test_a_command_costs_one_round_trip_where_its_stream_is_remembered_and_two_where_not(world: World) -> None:
    async with world.running(world.writer, role="api") as writer:
        await world.add(writer, "warm", 1)
        before = writer.database.round_trips.counts.copy()
        for n in range(10):
            await world.add(writer, f"thing{n % 3}", 1)
        asked = writer.database.round_trips.counts - before
        by_the_clock = {VERSIONS, MARKS, PARKED, TASKS, writer.inbox.collection}  # asked now and then, by no command
        spent = {what: n for what, n in asked.items() if what[1] not in by_the_clock}
        assert spent == {("find", JOURNAL): 3, ("insert", JOURNAL): 10}


@pytest.mark.guarantee("running")
async def test_relaying_and_projecting_cost_a_small_fraction_of_a_round_trip(world: World) -> None:
    async with world.running(world.writer, role="api") as writer:
        for n in range(EVENTS):
            origin = Origin(command_id(str(n)), "d", correlation="test")
            add = Add(program=world.program, amount=1)
            await writer.run(origin, On(world.totals, world.totals.stream(world.program, f"t{n // 3}"), add))
        relay: Relay = writer.relay
        before = writer.database.round_trips.total
        while await relay.sweep():
            pass
        asked = writer.database.round_trips.total - before
        await relay._disconnect()
        assert asked / EVENTS <= 0.01, f"{asked} round trips for {EVENTS} facts"
    async with world.running(world.hearer, role="worker") as hearer:
        await until(lambda: sum_of(world, hearer, f"t{EVENTS // 3 - 1}"), 30)
        await until(hearer.caught_up)
        assert sum(1 for _ in await hearer.inbox.reader.find(world.sums, world.program, {"amount": 3})) == EVENTS // 3


@pytest.mark.guarantee("running")
async def test_projecting_costs_less_than_a_fiftieth_of_a_round_trip(world: World) -> None:
    class Got:
        def __init__(self, n: int) -> None:
            made = record(world, f"t{n}", 1, 1)
            self.topic, self.partition, self.offset, self.timestamp = world.tally.topic, 0, n, 0
            self.key, self.value, self.headers = made.key, made.value, made.headers

    runtime = Runtime(world.hearer, world.settings(world.hearer))
    await runtime._prepare()
    inbox = runtime.inbox
    await inbox.take([(world.tally.topic or "", 0)])
    await inbox.apply([Got(0)])  # type: ignore[list-item]
    before = runtime.database.round_trips.total
    batches = [[Got(n) for n in range(1 + 500 * b, 501 + 500 * b)] for b in range(3)]
    for batch in batches:
        assert await inbox.apply(batch) == 500  # type: ignore[arg-type]
    asked = runtime.database.round_trips.total - before
    assert asked / 1500 <= 0.02, f"{asked} round trips for 1500 facts"
    await inbox.close()
    await runtime.database.close()
