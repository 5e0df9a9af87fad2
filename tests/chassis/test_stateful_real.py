"""The same worlds, fewer and shorter, on the real mongod and the real Kafka."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import Counter
from collections.abc import Iterator
from random import Random

import pytest

from chassis.testing.tally import TOPIC_CONFIG
from local.topics import create_topics
from tests.chassis.process import PARTITIONS
from tests.chassis.real_ground import RealGround
from tests.chassis.verdict import judge
from tests.chassis.world import KINDS, Services, World
from tests.infrastructure import Infra

pytestmark = [pytest.mark.integration, pytest.mark.guarantee("G1"), pytest.mark.guarantee("G3")]
LIVES, STEPS = 3, 30
PACE = (0.0, 0.002, 0.005, 0.01, 0.03, 0.15)


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """What goes wrong on purpose is not worth a line in a log."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


async def live(infra: Infra, seed: int) -> Counter[str]:
    """One world, its steps, its rest, and the verdict; answers what happened."""
    services = Services("r" + secrets.token_hex(4))
    create_topics(infra.kafka, dict.fromkeys(services.topics, TOPIC_CONFIG), PARTITIONS)
    ground = RealGround(infra, services.topics)
    world = World(ground, services, PACE)
    chance = Random(seed)
    try:
        await world.begin()
        await asyncio.sleep(0.5)
        for _ in range(STEPS):
            await world.step(chance.choice(KINDS), chance.randrange(256), chance.randrange(256))
        await world.rest(rounds=200)
        await judge(world)
    finally:
        await ground.close()
    return world.seen + ground.counted() + services.stumbled


async def test_the_same_worlds_on_the_real_servers(infra: Infra) -> None:
    reached: Counter[str] = Counter()
    for seed in range(LIVES):
        reached += await live(infra, seed)
    assert min(reached["deaths"], reached["events"], reached["tasks"], reached["repeated commands"]) > 0, reached
