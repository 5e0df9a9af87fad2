"""A worker that has a name comes back to its partitions, and no other worker stops meanwhile."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from chassis.receiving.consumer import Consumer, _instance
from chassis.running.runtime import Runtime
from chassis.testing.tally import TOPIC_CONFIG
from local.topics import create_topics
from tests.infrastructure import Infra
from tests.integration.kit import PARTITIONS, World, until

pytestmark = pytest.mark.integration


def ready(worker: Runtime) -> frozenset[tuple[str, int]]:
    """The partitions that a worker has and works on."""
    return worker.following.consumer.ready if worker.following.consumer else frozenset()


async def restarted(world: World, monkeypatch: pytest.MonkeyPatch, named: bool) -> tuple[int, bool]:
    """How often the worker that stays was given partitions anew, and whether the other got its own back."""
    given: list[Consumer] = []
    take = Consumer.on_partitions_assigned

    async def noted(self: Consumer, assigned: object) -> None:
        given.append(self)
        await take(self, assigned)  # type: ignore[arg-type]

    monkeypatch.setattr(Consumer, "on_partitions_assigned", noted)
    async with AsyncExitStack() as stays:
        other = world.runtime_of(world.hearer, "worker", member="other" if named else None)
        other.start()
        staying = await stays.enter_async_context(
            world.running(world.hearer, role="worker", member="staying" if named else None)
        )
        every = PARTITIONS * len(staying.inbox.topics)
        await until(lambda: ready(other) and len(ready(staying)) + len(ready(other)) == every, 60)
        had, before = ready(other), given.count(staying.following.consumer)
        await other.stop()
        async with world.running(world.hearer, role="worker", member="other" if named else None) as again:
            await until(lambda: ready(again) and len(ready(staying)) + len(ready(again)) == every, 60)
            return given.count(staying.following.consumer) - before, ready(again) == had


@pytest.mark.guarantee("running")
async def test_a_worker_with_a_name_comes_back_to_its_partitions_while_the_others_go_on(
    infra: Infra, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await restarted(World(infra, tmp_path), monkeypatch, named=True) == (0, True)


@pytest.mark.guarantee("running")
async def test_without_a_name_everybody_stops_whenever_one_goes_or_comes(
    infra: Infra, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    times, _ = await restarted(World(infra, tmp_path), monkeypatch, named=False)
    assert times >= 1


@pytest.mark.guarantee("running")
async def test_workers_with_names_hear_another_generation_of_a_topic(infra: Infra, tmp_path: Path) -> None:
    world = World(infra, tmp_path)
    async with (
        world.running(world.hearer, role="worker", member="one") as one,
        world.running(world.hearer, role="worker", member="two") as two,
    ):
        (topic,) = one.inbox.facts
        await until(lambda: len(ready(one) | ready(two)) == PARTITIONS, 60)
        create_topics(infra.kafka, {f"{topic}.g2": TOPIC_CONFIG}, PARTITIONS)
        every = {(name, n) for name in (topic, f"{topic}.g2") for n in range(PARTITIONS)}
        await until(lambda: ready(one) | ready(two) == every and not ready(one) & ready(two), 60)


@pytest.mark.guarantee("running")
def test_whoever_hears_other_topics_is_another_member() -> None:
    """One that the group knows already would be given none of the new ones."""
    assert _instance("one", ["a"]) == _instance("one", ["a"])
    assert _instance("one", ["a"]) != _instance("one", ["a", "b"])
    assert _instance(None, ["a"]) is None
