"""Whatever goes wrong, in whatever order: the real parts of the chassis keep what they promise."""

from __future__ import annotations

import asyncio
import logging
import os
import random
from collections import Counter
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st

from chassis.testing.loop import run
from tests.chassis.memory_ground import MemoryGround
from tests.chassis.verdict import judge
from tests.chassis.world import KINDS, Services, Step, World

PACE = (0.0, 0.0005, 0.002, 0.01, 0.05, 0.6)
"""Seconds from one step to the next."""
PLANTED = bool(os.environ.get("COUNTERPOINT_TEST_PLANT"))
SEARCH = settings(
    max_examples=int(os.environ.get("COUNTERPOINT_TEST_EXAMPLES", "1000")),
    derandomize="COUNTERPOINT_TEST_EXAMPLES" not in os.environ,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.generate,) if PLANTED else (Phase.generate, Phase.shrink),
)
SERVICES = Services("m")
REACHED: Counter[str] = Counter()

STEPS = 50
drawn = st.binary(min_size=3 * STEPS, max_size=3 * STEPS)
"""Three bytes a step: far cheaper to draw than lists of tuples, of which a thousand cost as much as what they drive."""


def steps(told: bytes) -> list[Step]:
    """What happens, to whom, and how."""
    return [(KINDS[told[n] % len(KINDS)], told[n + 1], told[n + 2]) for n in range(0, len(told), 3)]


async def live(seed: int, todo: list[Step]) -> None:
    """One world, its steps, its rest, and the verdict."""
    ground = MemoryGround(seed, SERVICES.topics)
    world = World(ground, SERVICES, PACE)
    await world.begin()
    for step in todo:
        await world.step(*step)
    await world.rest()
    await judge(world)
    REACHED.update(world.seen + ground.counted() + SERVICES.stumbled)
    REACHED["worlds"] += 1


@pytest.fixture(autouse=True)
def quiet() -> object:
    """What goes wrong on purpose is not worth a line in a log."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.guarantee("G3")
def test_a_process_that_dies_keeps_its_task_for_seconds_whatever_its_clock_said() -> None:
    async def left_by_the_dead() -> list[object]:
        world = World(MemoryGround(0, SERVICES.topics), SERVICES, PACE)
        await world.begin()
        await world.step("command", 0, 1)
        await asyncio.sleep(0.1)
        await world.step("sweep", 0, 0)
        await asyncio.sleep(1)
        dies, lives = world.hearers
        row = await lives.database.collection("tasks").find_one({"state": "open"})
        await dies.do_tasks()
        dies.clock.wrong = timedelta(minutes=20)
        assert await dies.runner._claim(row)
        dies.link.kill()
        await asyncio.sleep(11)
        await lives.do_all_tasks()
        return list((await world.left())["tasks"])

    assert run(left_by_the_dead()) == []


@pytest.mark.guarantee("G1")
@pytest.mark.guarantee("G2")
@pytest.mark.guarantee("G3")
@pytest.mark.guarantee("G7")
def test_whatever_goes_wrong_everything_takes_effect_once_and_in_order() -> None:
    @SEARCH
    @given(st.integers(0, 2**16), drawn)
    def lives(seed: int, told: bytes) -> None:
        random.seed(seed)
        note(f"steps: {steps(told)}")
        run(live(seed, steps(told)))

    REACHED.clear()
    lives()
    wanted = (
        "deaths", "effects of the dead", "lost", "unanswered", "late", "half", "dies before", "dies after", "dies late",
        "pauses", "evictions", "rebalances", "stops", "write conflicts", "waits", "duplicates", "repeats on the log",
        "said again", "repeated commands", "folds", "tasks", "parked kept", "parked removed", "dropped",
    )  # fmt: skip
    assert not (never := [name for name in wanted if not REACHED[name]]), f"never seen: {never} in {REACHED}"
