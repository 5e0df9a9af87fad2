"""What must be so once a simulated world has come to rest, whatever happened in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from chassis.deciding.journal import COLLECTION as JOURNAL
from chassis.deciding.journal import Commit
from chassis.distributing.auditing import check_stream
from chassis.receiving.parking import DROPS
from chassis.receiving.records import Record
from contracts.envelope import Envelope, from_headers
from tests.chassis.process import Process
from tests.chassis.world import World

Journal = dict[str, list[Commit]]


async def judge(world: World) -> None:
    """Fails with what is wrong."""
    writer, hearer = world.watchers
    said = await _journal(writer)
    echoed = await _journal(hearer)
    _every_answer_is_kept(world, said)
    _commands_are_whole(world, said)
    heard = _heard([r for kept in (await world.ground.records()).values() for r in kept])
    for journal in (said, echoed):
        _everything_is_said_in_order(journal, heard, world)
    left_out = await _dropped(world, hearer)
    await _views_are_folds(world, hearer, said, left_out)
    _tasks_took_effect_once(world, said, echoed, left_out)


async def _journal(process: Process) -> Journal:
    found: Journal = {}
    docs = await process.database.collection(JOURNAL).find({}).sort([("stream", 1), ("from", 1)]).to_list(None)
    by_stream: dict[str, list[dict[str, Any]]] = {}
    for doc in docs:
        by_stream.setdefault(doc["stream"], []).append(doc)
    for stream, these in by_stream.items():
        assert not check_stream(stream, these, process.service.catalog), check_stream(
            stream, these, process.service.catalog
        )
        found[stream] = [Commit.from_document(doc) for doc in these]
    return found


def _every_answer_is_kept(world: World, said: Journal) -> None:
    for key, after in world.answered.items():
        for version in after:
            stream, _, last = version.rpartition("@")
            made = [c for c in said.get(stream, ()) if c.last == int(last)]
            assert [c.command_id for c in made] == [world.asked[key].id], f"{version} was answered and is not there"


def _commands_are_whole(world: World, said: Journal) -> None:
    """Each command is on all of its streams or on none, once."""
    found = Counter((c.command_id, stream) for stream, commits in said.items() for c in commits)
    assert max(found.values(), default=1) == 1, found
    for asked in world.asked.values():
        on = {stream for stream in asked.streams if (asked.id, stream) in found}
        assert on in (set(), set(asked.streams)), f"{asked} is on {on} only"


def _heard(records: Sequence[Record]) -> dict[str, list[tuple[Envelope, bytes]]]:
    """What is on the log of each stream, in the order of its partition, with all repeats."""
    heard: dict[str, list[tuple[Envelope, bytes]]] = {}
    places: dict[str, set[tuple[str, int]]] = {}
    for record in records:
        envelope = from_headers(record.headers)
        assert record.key == envelope.stream.encode()
        heard.setdefault(envelope.stream, []).append((envelope, record.value or b""))
        places.setdefault(envelope.stream, set()).add((record.topic, record.partition))
    assert all(len(these) == 1 for these in places.values()), places
    return heard


def _everything_is_said_in_order(
    journal: Journal, heard: dict[str, list[tuple[Envelope, bytes]]], world: World
) -> None:
    for stream, commits in journal.items():
        told = heard.get(stream, [])
        firsts = list(dict.fromkeys(e.version for e, _ in told))
        assert firsts == list(range(1, commits[-1].last + 1)), f"{stream} was said in the order {firsts}"
        wanted = {
            commit.first + n: (commit.id, commit.digest, event.data.encode())
            for commit in commits
            for n, event in enumerate(commit.events)
        }
        for e, value in told:
            assert (e.commit, e.digest, value) == wanted[e.version], f"{e.id} was said and is not in the journal"
        world.seen["repeats on the log"] += len(told) - len(firsts)


async def _dropped(world: World, hearer: Process) -> set[str]:
    """The events that an operator left out, and those of the tasks."""
    drops = await hearer.database.collection(DROPS).find({}).to_list(None)
    world.seen["dropped"] += len(drops)
    return {d["what"] for d in drops}


async def _views_are_folds(world: World, hearer: Process, said: Journal, left_out: set[str]) -> None:
    docs = await hearer.database.collection(hearer.inbox.collection).find({}).to_list(None)
    assert {d["_id"] for d in docs} == said.keys()
    for doc in docs:
        commits = said[doc["_id"]]
        facts = [
            (f"{doc['_id']}@{c.first + n}", f) for c in commits for n, f in enumerate(c.facts(world.services.catalog))
        ]
        amounts = [f.amount for event, f in facts if event not in left_out]  # type: ignore[attr-defined]
        assert "parked" not in doc, doc
        found = (doc["v"], doc["digest"], doc["doc"]["amount"], doc["doc"]["facts"])
        assert found == (commits[-1].last, commits[-1].digest, sum(amounts), len(amounts)), (doc, amounts)
        world.seen["events"] += len(facts)


def _tasks_took_effect_once(world: World, said: Journal, echoed: Journal, left_out: set[str]) -> None:
    for stream, commits in said.items():
        events = [f"{stream}@{v}" for v in range(1, commits[-1].last + 1)]
        may = {e for e in events if f"echo_it:{e}" in left_out}  # what was dropped may have taken effect before
        thing = stream.rpartition("/")[2]
        echo = world.services.echoes.stream(stream.partition("/")[0], thing)
        causes = [c.meta.causation for c in echoed.get(echo, ())]
        wanted = [e for e in events if e not in left_out and (e not in may or e in causes)]
        assert sorted(causes, key=str) == sorted(wanted), f"tasks of {stream}: {causes}, wanted {wanted}"
        assert causes == wanted, f"tasks of {stream} took effect out of order: {causes}"
        world.seen["tasks"] += len(causes)
