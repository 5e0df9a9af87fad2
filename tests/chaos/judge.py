"""Looks at everything afterwards, with other clients than the services': what was answered, said, kept and done."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import Consumer, TopicPartition
from pymongo.read_concern import ReadConcern

from chassis.deciding.journal import GENESIS, Commit, chain
from chassis.receiving.versions import CHECKPOINTS, collection_of
from chassis.running.service import Service
from chassis.testing.tally import Sum
from contracts.envelope import from_headers
from tests.chaos.child import identity
from tests.chaos.world import PARTITIONS, World

Journals = dict[str, list[Commit]]


@dataclass(frozen=True)
class Answered:
    """A command that was answered as done: what it asked for, and the versions that the answer named."""

    key: str
    things: tuple[str, ...]
    amount: int
    times: int
    after: tuple[str, ...]


@dataclass
class Verdict:
    """What was found amiss, and how much was looked at."""

    findings: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def find(self, amiss: bool, what: str) -> None:
        """Note it where it is amiss."""
        if amiss:
            self.findings.append(what)

    def __str__(self) -> str:
        more = f"\n... and {len(self.findings) - 20} more" if len(self.findings) > 20 else ""
        return f"{dict(self.counts)}\n" + "\n".join(self.findings[:20]) + more


def judge(world: World, answers: Iterable[Answered]) -> Verdict:
    """Compare answers, journals, topics, views and tasks of a world that is at rest."""
    verdict = Verdict()
    said = _journal(world, world.writer, verdict)
    echoed = _journal(world, world.hearer, verdict)
    _answers(world, said, answers, verdict)
    for service, journal in ((world.writer, said), (world.hearer, echoed)):
        _topics(world, service, journal, verdict)
    _views(world, said, verdict)
    _echoes(world, said, echoed, verdict)
    _nothing_left(world, verdict)
    return verdict


def at_rest(world: World) -> list[str]:
    """What still has to happen before the services are at rest; empty when they are."""
    waiting = []
    for service in (world.writer, world.hearer):
        pending = world.database(service).journal.count_documents({"pending": True})
        waiting += [f"{pending} commits of {service.name} are pending"] if pending else []
    hearer = world.database(world.hearer)
    if tasks := hearer.tasks.count_documents({"state": "open"}):
        waiting.append(f"{tasks} tasks are open")
    if waiting:
        return waiting
    reached = {d["_id"].split("|", 1)[1]: d["offset"] for d in hearer[CHECKPOINTS].find()}
    for partition, end in ends(world.servers.kafka, world.tally.topic or "").items():
        offset = reached.get(f"{world.tally.topic}|{partition}", 0)
        waiting += [f"partition {partition} is at {offset} of {end}"] if offset < end else []
    return waiting


def ends(bootstrap: str, topic: str) -> dict[int, int]:
    """Where each partition of a topic ends."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "judge"})
    try:
        places = [TopicPartition(topic, n) for n in range(PARTITIONS)]
        return {p.partition: consumer.get_watermark_offsets(p, timeout=30)[1] for p in places}
    finally:
        consumer.close()


def _journal(world: World, service: Service, verdict: Verdict) -> Journals:
    """A journal by streams, in order; its chain is whole."""
    collection = world.database(service).get_collection("journal", read_concern=ReadConcern("majority"))
    found: Journals = defaultdict(list)
    for doc in collection.find().sort([("stream", 1), ("from", 1)]):
        commit = Commit.from_document(doc)
        last = found[commit.stream][-1] if found[commit.stream] else None
        where = f"{commit.stream}@{commit.first}"
        verdict.find(commit.first != (last.last + 1 if last else 1), f"{where}: the journal has a gap before it")
        previous = last.digest if last else GENESIS
        digest = chain(previous, commit.stream, commit.first, commit.at, commit.events)
        verdict.find((commit.previous, commit.digest) != (previous, digest), f"{where}: the chain is broken")
        again = any(c.command_id == commit.command_id for c in found[commit.stream])
        verdict.find(again, f"{where}: its command took effect twice")
        found[commit.stream].append(commit)
        verdict.counts["facts"] += len(commit.events)
        verdict.counts["commits"] += 1
    return found


def _answers(world: World, said: Journals, answers: Iterable[Answered], verdict: Verdict) -> None:
    """Every command that was answered is in the journal, whole, once, at the versions of the answer."""
    by_command: dict[str, list[Commit]] = defaultdict(list)
    for commit in (c for commits in said.values() for c in commits):
        by_command[commit.command_id].append(commit)
    for answered in answers:
        verdict.counts["answers"] += 1
        commits = by_command.pop(identity(answered.key), [])
        wrote = {f"{c.stream}@{c.last}" for c in commits}
        verdict.find(wrote != set(answered.after), f"{answered.key}: answered {answered.after}, is {sorted(wrote)}")
        streams = {world.totals.stream(world.program, thing) for thing in answered.things}
        verdict.find(streams != {c.stream for c in commits}, f"{answered.key}: in part of its streams only")
        for commit in commits:
            amounts = [getattr(fact, "amount", None) for fact in commit.facts(world.catalog)]
            asked = [answered.amount] * answered.times
            verdict.find(amounts != asked, f"{answered.key}: asked {asked}, is {amounts}")
    verdict.counts["commands never answered"] += len(by_command)


def _topics(world: World, service: Service, journal: Journals, verdict: Verdict) -> None:
    """Kafka has every fact, first occurrences in order, each as the journal has it, and nothing else."""
    facts = {
        f"{stream}@{commit.first + n}": (commit, event)
        for stream, commits in journal.items()
        for commit in commits
        for n, event in enumerate(commit.events)
    }
    reached: Counter[str] = Counter()
    for topic in world.topics:
        if not topic.startswith(f"counterpoint.{service.name}."):
            continue
        for record in records(world.servers.kafka, topic):
            e = from_headers(record.headers())
            verdict.counts["records"] += 1
            known = facts.get(e.id)
            if known is None:
                verdict.findings.append(f"{e.id}: on Kafka, and not in the journal")
                continue
            commit, event = known
            same = (e.digest, e.commit, e.command, record.value().decode(), record.key().decode())
            is_ = (commit.digest, commit.id, commit.command_id, event.data, commit.stream)
            verdict.find(same != is_, f"{e.id}: Kafka has {same}, the journal {is_}")
            if e.version <= reached[e.stream]:
                verdict.counts["repeats on Kafka"] += 1
                continue
            verdict.find(e.version != reached[e.stream] + 1, f"{e.id}: out of order, after {reached[e.stream]}")
            reached[e.stream] = e.version
    for stream, commits in journal.items():
        last = commits[-1].last
        verdict.find(reached[stream] != last, f"{stream}: Kafka has it up to {reached[stream]}, the journal to {last}")


def records(bootstrap: str, topic: str, seconds: float = 120) -> Iterator[Any]:
    """Every record of a topic up to its present end, partition by partition."""
    consumer = Consumer(
        {"bootstrap.servers": bootstrap, "group.id": "judge", "enable.auto.commit": False, "auto.offset.reset": "error"}
    )
    deadline = time.monotonic() + seconds
    try:
        for partition, end in ends(bootstrap, topic).items():
            if not end:
                continue
            consumer.assign([TopicPartition(topic, partition, 0)])
            at = 0
            while at < end:
                assert time.monotonic() < deadline, f"{topic}/{partition} was read up to {at} of {end} only"
                for record in consumer.consume(1000, timeout=1):
                    assert record.error() is None, record.error()
                    at = (record.offset() or 0) + 1
                    yield record
    finally:
        consumer.close()


def _views(world: World, said: Journals, verdict: Verdict) -> None:
    """Every view is the fold of its stream, and none is missing or one too many."""
    kept = {d["_id"]: d for d in world.database(world.hearer)[collection_of(1)].find({"view": "sums"})}
    verdict.find(kept.keys() != said.keys(), f"views and streams differ: {sorted(kept.keys() ^ said.keys())[:5]}")
    for stream, commits in said.items():
        row = Sum()
        for commit in commits:
            for fact in commit.facts(world.catalog):
                row = world.sums.fold(row, fact, commit.at)
        doc = kept.get(stream, {})
        is_ = (doc.get("v"), doc.get("digest"), doc.get("doc"), doc.get("parked"))
        folded = (commits[-1].last, commits[-1].digest, row.model_dump(mode="json"), None)
        verdict.find(is_ != folded, f"{stream}: the view is {is_}, the journal folds to {folded}")
        verdict.counts["views"] += 1


def _echoes(world: World, said: Journals, echoed: Journals, verdict: Verdict) -> None:
    """Every fact caused its task's command once."""
    if not world.hearer.tasks.hears:
        return
    wanted = Counter(
        (f"{stream}@{commit.first + n}", fact.amount)  # type: ignore[attr-defined]
        for stream, commits in said.items()
        for commit in commits
        for n, fact in enumerate(commit.facts(world.catalog))
    )
    done = Counter(
        (commit.meta.causation or "", fact.amount)  # type: ignore[attr-defined]
        for commits in echoed.values()
        for commit in commits
        for fact in commit.facts(world.catalog)
    )
    verdict.counts["echoes"] += done.total()
    for what, times in (wanted - done).items():
        verdict.findings.append(f"{what}: its task was not done ({times})")
    for what, times in (done - wanted).items():
        verdict.findings.append(f"{what}: its task was done {times} times too often")


def _nothing_left(world: World, verdict: Verdict) -> None:
    hearer = world.database(world.hearer)
    verdict.findings += [f"parked: {row['_id']}: {row.get('reason')}" for row in hearer.parked.find()]
    verdict.findings += [f"task {row['_id']}: {row['state']}, {row.get('error')}" for row in hearer.tasks.find()]
