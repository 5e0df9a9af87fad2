"""One command is one trace through journal, relay, inbox and task; what comes again is marked and kept apart."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from chassis.deciding.commands import Origin, body_digest, command_id
from chassis.deciding.decider import On
from chassis.deciding.journal import COLLECTION
from chassis.distributing.republish import Republish
from chassis.receiving.rebuild import Rebuild
from chassis.receiving.tasks import Tasks
from chassis.running.logs import Lines
from chassis.running.runtime import Runtime
from chassis.testing.tally import Add
from tests.infrastructure import Infra
from tests.integration.kit import PARTITIONS, World, until
from tests.integration.spans import ABOVE, SAMPLED, TRACE, Spans, recorded

pytestmark = pytest.mark.integration


@pytest.fixture
def world(infra: Infra, tmp_path: Path) -> World:
    return World(infra, tmp_path)


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Iterator[Spans]:
    with recorded(monkeypatch) as found:
        yield found


async def say(world: World, runtime: Runtime, thing: str, times: int = 1, traceparent: str | None = SAMPLED) -> None:
    origin = Origin(command_id("test", thing), body_digest("1"), correlation="test", traceparent=traceparent)
    add = Add(program=world.program, amount=1, times=times)
    await runtime.run(origin, On(world.totals, world.totals.stream(world.program, thing), add))


def ids(lines: list[dict[str, Any]]) -> set[str]:
    return {line["span"] for line in lines}


def linked(line: dict[str, Any]) -> set[str]:
    return {link["span"] for link in line["links"]}


async def gone(world: World, topic: str) -> None:
    """Delete a topic, whose facts are on another generation of it."""
    admin = AIOKafkaAdminClient(bootstrap_servers=world.infra.kafka)
    await admin.start()
    try:
        await admin.delete_topics([topic])
        await until(partial(_lacks, admin, topic))
    finally:
        await admin.close()


async def _lacks(admin: AIOKafkaAdminClient, topic: str) -> bool:
    return topic not in await admin.list_topics()


async def echoed(spans: Spans, count: int = 1) -> None:
    """Wait for the facts that the hearer's tasks said to have been sent."""
    await until(lambda: len(spans.of("producer", counterpoint__fact="Echoed")) >= count)


@pytest.mark.guarantee("running")
async def test_every_hop_of_a_command_is_below_the_one_before(world: World, spans: Spans) -> None:
    async with world.running(world.writer) as writer, world.running(world.hearer):
        await say(world, writer, "one")
        await echoed(spans)
    steps = [
        spans.of("internal", "commit"),
        spans.of("producer", "create", counterpoint__fact="Added"),
        spans.of("consumer", "process", counterpoint__fact="Added"),
        spans.of("internal", "task echo_it"),
        spans.of("internal", "commit"),
        spans.of("producer", "create", counterpoint__fact="Echoed"),
    ]
    above = ABOVE
    for found in steps:
        (below,) = [line for line in found if line["parent"] == above]
        assert (below["trace"], below["status"]) == (TRACE, "unset")
        above = below["span"]
    commits = ids(spans.of("internal", "commit"))
    assert {s["name"] for s in spans.of("client", db__system__name="mongodb") if s["parent"] in commits} >= {
        f"insert {COLLECTION}",
        f"find {COLLECTION}",
    }


async def test_what_is_not_sampled_has_no_span_anywhere(world: World, spans: Spans) -> None:
    async with world.running(world.writer) as writer, world.running(world.hearer) as hearer:
        await say(world, writer, "none", traceparent=None)
        await say(world, writer, "off", traceparent=SAMPLED[:-1] + "0")

        async def heard() -> bool:
            found = await hearer.inbox.reader.find(world.sums, world.program)
            return len(found) == 2

        await until(heard)
    assert spans.all == []


@pytest.mark.guarantee("running")
async def test_a_batch_is_linked_to_all_it_holds(world: World, spans: Spans) -> None:
    many = 300  # more than the 128 that a span keeps by default
    async with world.running(world.writer) as writer:
        await say(world, writer, "many", times=many)
        await until(lambda: len(spans.of("producer", "create")) == many)
        created = ids(spans.of("producer", "create"))
        assert set().union(*map(linked, spans.of("client", "send"))) == created
    async with world.running(world.hearer):
        await until(lambda: len(spans.of("consumer", "process", counterpoint__fact="Added")) == many)
    heard = spans.of("consumer", "process", counterpoint__fact="Added")
    assert {line["parent"] for line in heard} == created
    batches = {s["span"]: s for s in spans.of("consumer", "process") if "counterpoint.fact" not in s["attributes"]}
    assert set().union(*map(linked, batches.values())) == created
    assert all(linked(line) <= batches.keys() and line["links"] for line in heard)
    assert all(line["parent"] is None and line["trace"] != TRACE for line in batches.values())


@pytest.mark.guarantee("running")
async def test_a_repeated_record_is_a_marked_link_and_no_part_of_the_trace(world: World, spans: Spans) -> None:
    async with world.running(world.writer) as writer, world.running(world.hearer):
        await say(world, writer, "one")
        await echoed(spans)
        before = len([s for s in spans.all if s["trace"] == TRACE and s["kind"] == "consumer"])
        await writer.database.collection(COLLECTION).update_many({}, {"$set": {"pending": True}})
        writer.relay.wake()
        await until(lambda: spans.of("consumer", "process", counterpoint__repeats=1))
        await say(world, writer, "two")
        await echoed(spans, 2)
    (again,) = spans.of("consumer", "process", counterpoint__repeats=1)
    resent = spans.of("producer", "create", counterpoint__fact="Added")[1]
    assert linked(again) == {resent["span"]} and again["trace"] != TRACE
    one = [s for s in spans.all if s["trace"] == TRACE and s["kind"] == "consumer"]
    assert len(one) == before + 1  # that of the second command


@pytest.mark.guarantee("running")
async def test_a_rebuild_is_marked_and_no_part_of_any_trace(world: World, spans: Spans) -> None:
    async with world.running(world.writer) as writer, world.running(world.hearer) as hearer:
        await say(world, writer, "one")
        await echoed(spans)
        live = [s for s in spans.all if s["trace"] == TRACE]
        rebuild = Rebuild(hearer.database, hearer.versions, hearer.inbox_of, world.infra.kafka)
        assert await rebuild.forward() == 2
    rebuilt = spans.of("consumer", "process", counterpoint__replay="rebuilt")
    assert rebuilt and all(s["trace"] != TRACE for s in rebuilt)
    assert set().union(*map(linked, rebuilt)) == ids(spans.of("producer", "create", counterpoint__fact="Added"))
    assert [s for s in spans.all if s["trace"] == TRACE] == live


@pytest.mark.guarantee("running")
async def test_what_a_topic_is_filled_with_again_is_heard_in_a_trace_of_its_own(world: World, spans: Spans) -> None:
    """Somebody who never heard it before works with it, long after; that is linked and marked."""
    topic = f"counterpoint.{world.writer.name}.events"
    async with world.running(world.writer) as writer:
        await say(world, writer, "one")
        await until(lambda: spans.of("client", "send"))
        filled = await Republish(
            world.writer.name, world.catalog, writer.database, world.infra.kafka, topic, PARTITIONS
        ).run()
    await gone(world, topic)
    async with world.running(world.hearer):
        await echoed(spans)
    (heard,) = spans.of("consumer", "process", counterpoint__fact="Added")
    (commit,) = [s for s in spans.of("internal", "commit") if s["trace"] == TRACE]
    assert heard["attributes"]["messaging.destination.name"] == filled.name
    assert heard["attributes"]["counterpoint.replay"] == "republished"
    assert heard["trace"] != TRACE and commit["span"] in linked(heard)
    (task,) = spans.of("internal", "task")
    assert task["parent"] == heard["span"]


@pytest.mark.guarantee("people")
async def test_what_a_fold_or_a_task_says_when_it_fails_is_told_nowhere(world: World, spans: Spans) -> None:
    """A fact whose fold raises, and a task that raises, with a name in what they say: their kind is told."""
    name, out = "Wilhelmina", io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(Lines("tally", "all"))

    def poison(amount: int) -> None:
        raise ValueError(name)

    async def fail(fact: object, work: object) -> None:
        raise RuntimeError(name)

    (echo,) = world.hearer.tasks.by_name.values()
    failing = replace(world.hearer, tasks=Tasks([replace(echo, do=fail)]))
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        async with world.running(world.writer) as writer, world.running(failing):
            await say(world, writer, "one")
            await until(lambda: spans.of("internal", "task echo_it", error__type="RuntimeError"))
            world.poison = poison
            await say(world, writer, "two")
            await until(lambda: spans.of("consumer", "process", counterpoint__parked="failed", error__type="failed"))
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
    everything = out.getvalue() + "".join(span.to_json() for span in spans.exporter.get_finished_spans())
    assert "a task is tried again" in everything and name not in everything
