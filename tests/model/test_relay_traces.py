"""What the real relay does, on real servers and under planted faults, is what the model of it may do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from chassis.distributing import relay as relay_file
from chassis.distributing.relay import Relay
from chassis.running.mongo import Database
from tests.infrastructure import Infra
from tests.integration.kit import World
from tests.model.explore import accepts
from tests.model.recording import PAGE, Recording
from tests.planted.relaying import mark_first, take_silence_for_an_answer

pytestmark = pytest.mark.integration

SEEDS = range(8)
REACHED: Counter[str] = Counter()


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(relay_file, "PAGE", PAGE)
    yield


async def record(infra: Infra, folder: Path, seed: int) -> Recording:
    """One run of real relays."""
    world = World(infra, folder)
    settings = world.settings(world.writer)
    database = Database(str(settings.mongo_uri), settings.mongo_database)
    recording = Recording(world, database, seed)
    try:
        await recording.run()
    finally:
        await database.close()
    return recording


@pytest.mark.guarantee("G1", "G2")
@pytest.mark.usefixtures("small_pages")
@pytest.mark.parametrize("seed", SEEDS)
async def test_the_model_accepts_what_real_relays_do(infra: Infra, tmp_path: Path, seed: int) -> None:
    recording = await record(infra, tmp_path, seed)
    taken, why = accepts(recording.model, recording.model.start(), recording.trace)
    assert not why, f"step {taken} of {recording.trace}: {why}"
    topic = await _read(infra, recording.topic, recording.arrived)
    assert topic == recording.arrived_versions()
    REACHED["runs"] += 1
    REACHED.update(label[0] for label in recording.trace)
    REACHED["repeat"] += recording.repeats
    REACHED["came late"] += recording.came_late


def test_the_hard_cases_were_reached() -> None:
    if not REACHED["runs"]:
        pytest.skip("the runs above were not selected")
    for kind in ("lose", "crash", "mark", "repeat", "came late"):
        assert REACHED[kind] >= 3, REACHED
    assert REACHED["late"], REACHED  # and added what nobody had sent again by then


FAULTS = {"mark before the answer": mark_first, "take silence for an answer": take_silence_for_an_answer}


@pytest.mark.guarantee("G1", "G2")
@pytest.mark.usefixtures("small_pages")
@pytest.mark.parametrize("fault", FAULTS)
async def test_a_fault_planted_in_the_real_relay_is_not_accepted(
    infra: Infra, tmp_path: Path, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Relay, "_send", FAULTS[fault])
    recording = await record(infra, tmp_path, 0)
    _, why = accepts(recording.model, recording.model.start(), recording.trace)
    assert "cannot happen here" in why


async def _read(infra: Infra, topic: str, partitions: dict[int, Any]) -> dict[int, list[tuple[str, int]]]:
    """Stream and version of all that is on a topic, by partition."""
    consumer = AIOKafkaConsumer(bootstrap_servers=infra.kafka, auto_offset_reset="earliest", enable_auto_commit=False)
    await consumer.start()
    try:
        places = [TopicPartition(topic, p) for p in partitions]
        consumer.assign(places)
        ends = await consumer.end_offsets(places)
        found: dict[int, list[tuple[str, int]]] = {p: [] for p in partitions}
        for place in places:
            while await consumer.position(place) < ends[place]:
                for record in (await consumer.getmany(place, timeout_ms=500)).get(place, []):
                    version = next(value for name, value in record.headers if name == "ce_sequence")
                    found[place.partition].append((record.key.decode(), int(version)))
        return found
    finally:
        await consumer.stop()
