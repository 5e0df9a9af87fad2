"""The sandbox: one of every public fact on a Kafka of its own, that any subscriber hears; nothing is left of it."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections import defaultdict
from pathlib import Path

import pytest
from confluent_kafka import Consumer

from cli.sandbox import records
from contracts.all import CATALOG
from contracts.envelope import from_headers
from contracts.streams import Audience

PUBLIC = {f.__name__ for f in CATALOG.facts.values() if f.category.audience is Audience.public}


def test_each_public_fact_is_said_once_and_every_stream_counts_from_one() -> None:
    envelopes = [from_headers(record.headers) for _, record in records()]
    assert sorted(e.type for e in envelopes) == sorted(PUBLIC)
    streams: dict[str, list[int]] = defaultdict(list)
    for e in envelopes:
        streams[e.stream].append(e.version)
    assert all(versions == list(range(1, len(versions) + 1)) for versions in streams.values())
    assert {topic for topic, _ in records()} == {f"counterpoint.{s}.events" for s in
                                                 ("enrollment", "matching", "scheduling", "insights")}  # fmt: skip


@pytest.mark.integration
async def test_a_subscriber_hears_all_of_it_and_nothing_is_left(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "cli.main", "sandbox", stdout=asyncio.subprocess.PIPE,
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", "TMPDIR": str(tmp_path), "COLUMNS": "200"},
    )  # fmt: skip
    assert process.stdout is not None
    try:
        async with asyncio.timeout(120):
            line = (await process.stdout.readline()).decode()
        assert line.endswith(f"has one of every public fact: {len(PUBLIC)}.\n"), line
        heard = await asyncio.to_thread(_hear, line.split()[2], len(PUBLIC))
        assert sorted(heard) == sorted(PUBLIC)
    finally:
        process.send_signal(signal.SIGINT)
        async with asyncio.timeout(60):
            assert await process.wait() == 0
    assert not [path for path in tmp_path.iterdir() if path.name.startswith("counterpoint-sandbox-")]


def _hear(bootstrap: str, count: int) -> list[str]:
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "all", "auto.offset.reset": "earliest"})
    consumer.subscribe(["^counterpoint[.][a-z]+[.]events$"])
    heard: list[str] = []
    try:
        while len(heard) < count:
            found = consumer.consume(count - len(heard), 60)
            assert found, "waited too long"
            for record in found:
                assert record.error() is None and json.loads(record.value())
                heard.append(dict(record.headers())["ce_type"].decode().rpartition(".")[2])
    finally:
        consumer.close()
    return heard
