"""`--topics` makes the topics that are missing as services want them, and changes none that is there."""

from __future__ import annotations

from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from chassis.distributing import topics
from chassis.distributing.topics import WrongTopic
from chassis.running.runtime import Runtime
from tests.infrastructure import Infra
from tests.integration.kit import PARTITIONS, World

pytestmark = pytest.mark.integration


@pytest.fixture
def world(infra: Infra, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """Services whose topics nobody has made yet."""
    monkeypatch.setattr("tests.integration.kit.create_topics", lambda *_: None)
    return World(infra, tmp_path)


async def make(world: World) -> list[str]:
    runtime = world.runtime_of(world.writer, "api")
    try:
        return await runtime.make_topics()
    finally:
        await runtime.database.close()


def own(runtime: Runtime) -> list[str]:
    """The topics that a service says facts on."""
    named = {c.topic for c in runtime.service.catalog.categories.values() if c.service == runtime.service.name}
    return sorted(name for name in named if name)


async def settings_of(kafka: str, topic: str) -> dict[str, str]:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        (answer,) = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])
        return {entry[0]: entry[1] for entry in answer.resources[0][4]}
    finally:
        await admin.close()


@pytest.mark.guarantee("running")
async def test_a_service_is_ready_with_the_topics_that_were_made_and_asking_again_makes_none(world: World) -> None:
    made = await make(world)
    assert made
    assert await make(world) == []
    async with world.running(world.writer) as runtime:
        assert made == own(runtime)


@pytest.mark.guarantee("running")
async def test_what_is_there_is_never_changed(world: World) -> None:
    topic = own(world.runtime_of(world.writer, "api"))[0]
    await topics.create(world.infra.kafka, topic, PARTITIONS * 2)
    with pytest.raises(WrongTopic, match=f"{topic} has {PARTITIONS * 2} partitions, and needs {PARTITIONS}"):
        await make(world)
    assert await topics.verify(world.infra.kafka, {topic: None}) == {topic: PARTITIONS * 2}


@pytest.mark.guarantee("running")
async def test_what_forgets_facts_or_keeps_what_was_replaced_is_refused(infra: Infra) -> None:
    short = infra.topic("short", PARTITIONS, {"retention.ms": "1000"})
    with pytest.raises(WrongTopic, match=f"{short} must keep facts for ever"):
        await topics.make(infra.kafka, {short: PARTITIONS}, (), PARTITIONS)
    assert (await settings_of(infra.kafka, short))["retention.ms"] == "1000"
    kept = infra.topic("kept", PARTITIONS, {"cleanup.policy": "delete"})
    with pytest.raises(WrongTopic, match=f"{kept} must forget"):
        await topics.make(infra.kafka, {}, [kept], PARTITIONS)
    assert await topics.make(infra.kafka, {}, [f"{kept}.new"], PARTITIONS) == [f"{kept}.new"]
    assert (await settings_of(infra.kafka, f"{kept}.new"))["cleanup.policy"] == "compact"
