"""What a process remembers of a stream is never the last word: another process may have written it since."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from chassis.deciding.commands import Origin, Outcome, command_id
from chassis.deciding.decider import Aggregate, Command, On, Refused
from chassis.deciding.journal import COLLECTION as JOURNAL
from chassis.running.runtime import Runtime
from chassis.testing.tally import Add
from contracts.fact import Fact
from tests.infrastructure import Infra
from tests.integration.kit import World

pytestmark = [pytest.mark.integration, pytest.mark.guarantee("G2")]
ENOUGH = 5


class Two:
    """Two processes of one service, and a stream that both of them write."""

    def __init__(self, world: World, first: Runtime, second: Runtime) -> None:
        self.world, self.first, self.second = world, first, second
        self.stream = world.totals.stream(world.program, "one")

    async def add(
        self, runtime: Runtime, aggregate: Aggregate[Any] | None = None, expect: int | None = None
    ) -> Outcome:
        """Add one in one of the processes."""
        origin = Origin(command_id(secrets.token_hex(8)), "d", correlation="test")
        add = Add(program=self.world.program, amount=1)
        return await runtime.run(origin, On(aggregate or self.world.totals, self.stream, add, expect))

    async def total(self) -> tuple[int, int]:
        """What the journal says: the sum, and the version."""
        state, version = await self.first.commands.read(self.world.totals, self.stream)
        return state.amount, version


@pytest.fixture
async def two(infra: Infra, tmp_path: Path) -> AsyncIterator[Two]:
    world = World(infra, tmp_path)
    async with world.running(world.writer, role="api") as first, world.running(world.writer, role="api") as second:
        yield Two(world, first, second)


async def test_what_another_process_wrote_is_decided_upon(two: Two) -> None:
    for _ in range(6):
        await two.add(two.first)
        await two.add(two.second)
    assert await two.total() == (12, 12)
    tried = sum(runtime.database.round_trips.counts["insert", JOURNAL] for runtime in (two.first, two.second))
    assert tried > 12, "nobody decided on what was no longer so"


async def test_a_refusal_on_what_is_remembered_is_decided_again(two: Two) -> None:
    def decide(command: Command, state: Any, now: datetime) -> list[Fact]:
        if state.amount < ENOUGH:
            raise Refused("not-enough", "it is not enough yet")
        return two.world.totals.decide(command, state, now)

    await two.add(two.first)
    await _others_add(two)
    assert (await two.add(two.first, replace(two.world.totals, decide=decide))).after
    assert await two.total() == (ENOUGH + 2, ENOUGH + 2)


async def test_that_nothing_is_to_do_is_decided_again(two: Two) -> None:
    def decide(command: Command, state: Any, now: datetime) -> list[Fact]:
        return two.world.totals.decide(command, state, now) if state.amount >= ENOUGH else []

    await two.add(two.first)
    await _others_add(two)
    assert (await two.add(two.first, replace(two.world.totals, decide=decide))).after


async def test_the_version_a_caller_saw_elsewhere_is_known(two: Two) -> None:
    await two.add(two.first)
    seen = await two.add(two.second)
    assert seen.after == (f"{two.stream}@2",)
    assert (await two.add(two.first, expect=2)).after == (f"{two.stream}@3",)


async def _others_add(two: Two) -> None:
    for _ in range(ENOUGH):
        await two.add(two.second)
