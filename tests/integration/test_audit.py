"""Nobody rewrites history unseen: an untouched journal is found whole, and each kind of tampering is found."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient

from chassis.deciding.journal import COLLECTION, GENESIS, Commit, Event, Meta
from chassis.distributing import auditing
from chassis.distributing.auditing import Audit, Report
from chassis.distributing.producer import Outgoing, Producer
from chassis.distributing.relay import Relay, outgoing
from chassis.distributing.slots import partition_of
from chassis.running import once
from chassis.running.runtime import Runtime
from contracts.streams import Audience
from tests.infrastructure import Infra
from tests.integration.kit import PARTITIONS, World, now, until

pytestmark = pytest.mark.integration

THINGS, EACH = 6, 5
Journal = Any
"""The collection, as a user who may do everything."""


@pytest.fixture
def world(infra: Infra, tmp_path: Path) -> World:
    return World(infra, tmp_path)


async def tell(world: World) -> None:
    """Let the writer say a few things, and have them all published."""
    async with world.running(world.writer) as writer:
        for n in range(THINGS * EACH):
            await world.add(writer, f"t{n % THINGS}", n + 1)
        journal = writer.database.collection(COLLECTION)

        async def marked() -> bool:
            return not await journal.count_documents({"pending": True})

        await until(marked)


async def audited(world: World) -> Report:
    """The report on the writer's journal."""
    runtime = world.runtime_of(world.writer)
    try:
        return await Audit(world.writer.name, world.catalog, runtime.database).run(world.infra.kafka)
    finally:
        await runtime.database.close()


@contextlib.contextmanager
def journal_of(world: World) -> Any:
    """The writer's journal for somebody with every right."""
    with MongoClient[dict[str, Any]](world.infra.mongo, tz_aware=True) as client:
        yield client[world._databases[world.writer.name].name][COLLECTION]


def stream(world: World, n: int = 0) -> str:
    return world.totals.stream(world.program, f"t{n}")


@pytest.mark.guarantee("G12")
async def test_a_journal_that_nobody_touched_is_whole(world: World) -> None:
    await tell(world)
    report = await audited(world)
    assert report.findings == []
    assert (report.streams, report.commits, report.records) == (THINGS, THINGS * EACH, THINGS * EACH)


@pytest.mark.guarantee("G12")
async def test_what_is_inserted_and_published_meanwhile_is_no_finding(world: World) -> None:
    async with world.running(world.writer) as writer:
        done = asyncio.Event()
        said = 0

        async def traffic() -> None:
            nonlocal said
            while not done.is_set():
                await world.add(writer, f"t{said % THINGS}", 1)
                said += 1

        adding = asyncio.create_task(traffic())
        await until(lambda: said > 20)
        looked = 0
        for _ in range(5):
            before = said
            report = await audited(world)
            assert report.findings == []
            looked += report.commits
            assert said > before, "nothing happened meanwhile: the hard case was not reached"
        done.set()
        await adding
    assert looked > 100


async def test_repeats_of_the_same_record_are_no_finding(world: World) -> None:
    await tell(world)
    with journal_of(world) as journal:
        journal.update_many({}, {"$set": {"pending": True}})
    await tell(world)
    report = await audited(world)
    assert report.findings == []
    assert report.records > report.commits


def _first(journal: Journal, world: World, version: int = 3) -> dict[str, Any]:
    found = journal.find_one({"stream": stream(world), "from": version})
    assert found is not None
    return dict(found)


def _set(**fields: Any) -> Callable[[Journal, World], None]:
    def tamper(journal: Journal, world: World) -> None:
        assert journal.update_one({"_id": _first(journal, world)["_id"]}, {"$set": fields}).modified_count == 1

    return tamper


def _rewrite_the_rest(journal: Journal, world: World) -> None:
    """The clever one: change a fact, and make every digest from there on fit again."""
    previous = None
    for doc in list(journal.find({"stream": stream(world), "from": {"$gte": 3}}).sort("from", 1)):
        commit = Commit.from_document(doc)
        if previous is None:
            event = replace(commit.events[0], data=commit.events[0].data.replace('"amount":', '"amount":9'))
            commit = replace(commit, events=(event,), digest="")
        else:
            commit = replace(commit, previous=previous, digest="")
        previous = commit.digest
        journal.replace_one({"_id": commit.id}, commit.document(pending=False))


def _other_fact_with_its_digest(journal: Journal, world: World) -> None:
    commit = Commit.from_document(_first(journal, world, EACH))
    event = replace(commit.events[0], data=commit.events[0].data.replace('"amount":', '"amount":9'))
    journal.replace_one({"_id": commit.id}, replace(commit, events=(event,), digest="").document(pending=False))


def _insert_between(journal: Journal, world: World) -> None:
    commit = Commit.from_document(_first(journal, world, EACH))
    added = replace(commit, id="planted", first=EACH + 1, previous=commit.digest, command_id="planted", digest="")
    journal.insert_one(added.document(pending=False))


TAMPERING: dict[str, tuple[Callable[[Journal, World], object], set[str]]] = {
    "a changed fact": (_set(**{"events.0.data": '{"program":"x","amount":1}'}), {"changed", "told-otherwise"}),
    "a changed time": (lambda j, w: _set(at=_first(j, w, 1)["at"].replace(year=2001))(j, w), {"changed"}),
    "a changed digest": (_set(digest="f" * 64), {"changed", "broken-chain", "told-otherwise"}),
    "a changed link": (_set(previous="f" * 64), {"changed", "broken-chain"}),
    "a changed cause": (_set(**{"meta.correlation": "other"}), {"told-otherwise"}),
    "a changed command": (_set(command_id="other"), {"told-otherwise"}),
    "a wrong slot": (_set(slot=5000), {"malformed"}),
    "a removed commit": (
        lambda j, w: j.delete_one({"_id": _first(j, w)["_id"]}),
        {"gap", "broken-chain", "not-in-journal"},
    ),
    "a removed end": (lambda j, w: j.delete_one({"_id": _first(j, w, EACH)["_id"]}), {"not-in-journal"}),
    "a removed stream": (lambda j, w: j.delete_many({"stream": stream(w)}), {"not-in-journal"}),
    "a field too few": (
        lambda j, w: j.update_one({"_id": _first(j, w)["_id"]}, {"$unset": {"digest": 1}}),
        {"malformed", "not-in-journal"},
    ),
    "a stream nobody has": (_set(stream="x/unknown/y"), {"stray", "gap", "not-in-journal"}),
    "a rewritten rest": (_rewrite_the_rest, {"told-otherwise", "not-on-kafka"}),
    "the last version again, with another digest": (
        _other_fact_with_its_digest,
        {"told-otherwise", "not-on-kafka"},
    ),
    "a planted commit": (_insert_between, {"not-on-kafka"}),
}


@pytest.mark.guarantee("G12")
@pytest.mark.parametrize("name", TAMPERING)
async def test_tampering_is_found(world: World, name: str) -> None:
    tamper, kinds = TAMPERING[name]
    await tell(world)
    with journal_of(world) as journal:
        await asyncio.to_thread(tamper, journal, world)
    report = await audited(world)
    assert {f.kind for f in report.findings} >= kinds, report.findings
    elsewhere = {f.where for f in report.findings if stream(world) not in f.where}
    assert elsewhere <= {"x/unknown/y"}, "other streams are as they were"


def _said_again(world: World, change: Callable[[Outgoing], Outgoing]) -> Callable[[], Awaitable[None]]:
    async def send() -> None:
        runtime = world.runtime_of(world.writer)
        (commits,) = (await runtime.journal.load([stream(world)])).values()
        (record,) = outgoing(runtime.service.name, commits[2])
        await runtime.database.close()
        producer = Producer(world.infra.kafka)
        await producer.start()
        await producer.send(world.tally.topic or "", partition_of(stream(world), PARTITIONS), [change(record)])
        await producer.close()

    return send


def _header(name: str, value: bytes) -> Callable[[Outgoing], Outgoing]:
    return lambda r: replace(r, headers=[(k, value if k == name else v) for k, v in r.headers])


ON_KAFKA: dict[str, tuple[Callable[[Outgoing], Outgoing], set[str]]] = {
    "a repeated version with another digest": (_header("ce_digest", b"f" * 64), {"told-otherwise"}),
    "a repeated version with another fact": (lambda r: replace(r, value=b'{"amount":1}'), {"told-otherwise"}),
    "another commit for the same version": (_header("ce_commit", b"another"), {"not-in-journal"}),
    "a record that is no fact": (lambda r: replace(r, headers=[]), {"foreign"}),
}


@pytest.mark.guarantee("G12")
@pytest.mark.parametrize("name", ON_KAFKA)
async def test_what_the_journal_never_said_is_found_on_kafka(world: World, name: str) -> None:
    change, kinds = ON_KAFKA[name]
    await tell(world)
    await _said_again(world, change)()
    assert {f.kind for f in (await audited(world)).findings} == kinds


@pytest.mark.guarantee("G12")
async def test_what_was_marked_and_never_sent_is_found(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A planted relay that marks without sending."""
    real = Relay._send

    async def sends_nothing_of_one(self: Relay, producer: Producer, lane: Any, commits: list[Commit]) -> int:
        return await real(self, producer, lane, [c for c in commits if c.stream != stream(world)])

    monkeypatch.setattr(Relay, "_send", sends_nothing_of_one)
    await tell(world)
    findings = (await audited(world)).findings
    assert {f.kind for f in findings} == {"not-on-kafka"} and len(findings) == EACH


def test_a_sealed_fact_that_waits_to_be_published_is_found(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(world.catalog.categories, "tally", replace(world.tally, audience=Audience.sealed))
    fact = world.Added(program=world.program, amount=1)
    commit = Commit("c", stream(world), 1, "x", "y", GENESIS, now(), Meta("z"), (Event("Added", 1, fact.encode()),))
    for pending, kinds in ((False, []), (True, ["sealed-pending"])):
        docs = [commit.document(pending=pending)]
        assert [f.kind for f in auditing.check_stream(stream(world), docs, world.catalog)] == kinds


async def test_the_program_reports_and_ends_with_1(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    await tell(world)
    settings = world.settings(world.writer, "api")

    async def ask() -> tuple[int, dict[str, Any]]:
        code = await asyncio.to_thread(once.main, lambda: Runtime(world.writer, settings), ["--audit"])
        return code, json.loads(capsys.readouterr().out)

    code, found = await ask()
    assert (code, found["findings"], found["commits"]) == (0, [], THINGS * EACH)
    with journal_of(world) as journal:
        journal.delete_one({"stream": stream(world), "from": EACH})
    code, found = await ask()
    assert code == once.FAILED and found["findings"][0]["kind"] == "not-in-journal"
