"""Every record that the relay can send, read from a real Kafka by the official CloudEvents SDKs of two languages."""

from __future__ import annotations

import json
import re
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from cloudevents.kafka import KafkaMessage, from_binary
from confluent_kafka import Consumer

from chassis.deciding.journal import GENESIS, Commit, Event, Meta
from chassis.distributing.producer import Outgoing, Producer
from chassis.distributing.relay import outgoing
from chassis.distributing.slots import partition_of
from cli import kept
from contracts.all import CATALOG
from contracts.envelope import from_headers
from tests.contracts.node.packages import installed, node
from tests.infrastructure import Infra
from tests.integration.kit import World

pytestmark = [pytest.mark.integration, pytest.mark.guarantee("running")]

Sent = dict[str, Any]
PARTITIONS = 4
CHECKS = Path(__file__).parents[1] / "contracts" / "node"
HOP = "00-11111111111111111111111111111111-2222222222222222-01"
CONTEXT = {"id", "source", "type", "subject", "time", "specversion", "datacontenttype", "dataschema"}


def said() -> list[tuple[Outgoing, Sent]]:
    """The relay's record of every sample of a fact, sampled or not, and what an SDK should make of it."""
    made = []
    for stem, samples in kept.today().samples.items():
        for sample in samples:
            if stem.partition(".")[0] not in CATALOG.facts or "headers" not in sample:
                continue
            e = from_headers([(name, value.encode()) for name, value in sample["headers"].items()])
            text = json.dumps(sample["data"], separators=(",", ":"), ensure_ascii=False)
            meta = Meta(e.correlation, e.causation, e.traceparent)
            events = (Event(e.type, e.v, text),)
            commit = Commit(e.commit, e.stream, e.version, e.command, "", GENESIS, e.at, meta, events, e.digest)
            (record,) = outgoing(e.service, commit, [HOP] if e.traceparent else None)
            hop = dict(record.headers).get("traceparent")
            assert hop == (HOP.encode() if e.traceparent else None), (
                "beside the envelope, whose own stays the command's"
            )
            wanted = {n.removeprefix("ce_"): v for n, v in sample["headers"].items() if n.startswith("ce_")}
            assert all(re.fullmatch("[a-z0-9]{1,20}", name) for name in wanted), "what CloudEvents calls an attribute"
            wanted["datacontenttype"] = sample["headers"]["content-type"]
            made.append((record, wanted | {"data": sample["data"], "partitionkey": e.stream}))
    return made


def states(world: World) -> list[tuple[Outgoing, Sent]]:
    """The relay's record of a state, and what an SDK should make of it."""
    relay = world.runtime_of(world.writer).relay
    doc = {"topic": "counterpoint.enrollment.reference", "key": "pr_a/tag/tools", "rev": 7, "value": '{"rev":7}'}
    record = relay._state(doc)
    time = dict(record.headers)["ce_time"].decode()
    wanted = {"specversion": "1.0", "id": "pr_a/tag/tools@7", "source": f"/counterpoint/{world.writer.name}"}
    wanted |= {"type": doc["topic"], "subject": doc["key"], "time": time, "datacontenttype": "application/json"}
    return [(record, wanted | {"data": {"rev": 7}, "partitionkey": doc["key"]})]


async def test_the_sdks_of_two_languages_read_every_record(infra: Infra, tmp_path: Path) -> None:
    records = said() + states(World(infra, tmp_path))
    topic = infra.topic(partitions=PARTITIONS)
    producer = Producer(infra.kafka)
    await producer.start()
    for record, _ in records:
        await producer.send(topic, partition_of(record.key.decode(), PARTITIONS), [record])
    await producer.close()

    wanted = sorted((expected for _, expected in records), key=_order)
    assert len(wanted) > 100 and any(w.get("traceparent") for w in wanted) and any(w.get("causation") for w in wanted)
    assert sorted(_python(infra.kafka, topic, len(wanted)), key=_order) == wanted
    lines = node(installed(CHECKS), "cloudevents.mjs", infra.kafka, topic, str(len(wanted))).splitlines()
    assert sorted((json.loads(line) for line in lines), key=_order) == wanted


def _order(event: Sent) -> tuple[str, str, str]:
    return event["id"], event["type"], event.get("dataschema", "")


def _python(bootstrap: str, topic: str, count: int) -> list[Sent]:
    """What the Python SDK makes of the first records of a topic."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": topic, "auto.offset.reset": "earliest"})
    consumer.subscribe([topic])
    events: list[Sent] = []
    try:
        while len(events) < count:
            for record in consumer.consume(count - len(events), 30):
                assert record.error() is None
                message = KafkaMessage(dict(record.headers()), record.key().decode(), record.value())
                event = from_binary(message)
                assert datetime.fromisoformat(event["time"]).tzinfo is not None
                assert CONTEXT - {"dataschema"} <= event.get_attributes().keys()
                events.append({**event.get_attributes(), "data": event.get_data()})
    finally:
        consumer.close()
    return events
