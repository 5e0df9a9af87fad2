"""`counterpoint sandbox`: a Kafka of its own with one of every public fact on it, to try a subscriber against."""

import asyncio
import json
import signal
import tempfile
import threading
from itertools import groupby
from pathlib import Path
from typing import Annotated

import typer

from chassis.deciding.journal import GENESIS, Commit, Event, Meta
from chassis.distributing.producer import Outgoing, Producer
from chassis.distributing.relay import outgoing
from chassis.distributing.slots import partition_of
from cli.kept import Sample, samples
from cli.screen import err, out
from contracts.all import CATALOG
from contracts.envelope import Envelope, from_headers
from contracts.streams import Audience
from local import processes
from local.broker import Kafka
from local.processes import free_ports
from local.topics import PARTITIONS, SERVICES, create_topics, topic_configs


def sandbox(port: Annotated[int, typer.Option(help="Where Kafka listens; any free one by default.")] = 0) -> None:
    """Start a Kafka with one of every public fact on it; it ends with Ctrl-C, and nothing is left."""
    ended = threading.Event()
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, lambda *_: ended.set())
    with tempfile.TemporaryDirectory(prefix="counterpoint-sandbox-") as folder:
        listening, controller = free_ports(2)
        kafka = Kafka(Path(folder) / "kafka", Path(folder) / "kafka.log", port or listening, controller)
        try:
            kafka.spawn(lambda text: err.print(text, markup=False))
            kafka.wait()
            said = asyncio.run(fill(kafka.bootstrap))
            out.print(f"Kafka at {kafka.bootstrap} has one of every public fact: {said}.", markup=False)
            out.print(f"   python examples/subscribers/python/subscriber.py {kafka.bootstrap} my-group", markup=False)
            out.print("Ctrl-C ends it; nothing is left of it.")
            ended.wait()
        finally:
            processes.stop([kafka.child] if kafka.child else [], 15)


async def fill(bootstrap: str) -> int:
    """Make the public topics and say one of every public fact on them; answers how many that is."""
    names = [f"counterpoint.{service}.events" for service in SERVICES]
    create_topics(bootstrap, {name: topic_configs()[name] for name in names})
    producer = Producer(bootstrap)
    await producer.start()
    try:
        for topic, record in (said := records()):
            await producer.send(topic, partition_of(record.key.decode(), PARTITIONS), [record])
    finally:
        await producer.close()
    return len(said)


def records() -> list[tuple[str, Outgoing]]:
    """The record of every public fact, with its topic.

    The samples are about a few things only. So that each stream counts 1, 2, 3 as it should, they are put in the order
    in which they were decided and numbered again.
    """
    public = [f for f in CATALOG.facts.values() if f.category.audience is Audience.public]
    said = [(_envelope(sample), sample) for sample in (samples(f"{f.__name__}.v{f.v}")[0] for f in public)]
    said.sort(key=lambda each: (each[0].stream, each[0].at, each[0].version))
    made: list[tuple[str, Outgoing]] = []
    for stream, group in groupby(said, key=lambda each: each[0].stream):
        digest = GENESIS
        for version, (e, sample) in enumerate(group, 1):
            events = (Event(e.type, e.v, json.dumps(sample["data"], separators=(",", ":"), ensure_ascii=False)),)
            meta = Meta(e.correlation, e.causation, e.traceparent)
            commit = Commit(e.commit, stream, version, e.command, "", digest, e.at, meta, events)
            made += [(sample["topic"], record) for record in outgoing(e.service, commit)]
            digest = commit.digest
    return made


def _envelope(sample: Sample) -> Envelope:
    return from_headers([(name, value.encode()) for name, value in sample["headers"].items()])
