"""Changing over between two versions, step by step on a real database: as it is, and with each fault planted."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from math import inf
from pathlib import Path
from typing import Any

import pytest

from chassis.deciding.commands import Conflict
from chassis.distributing.producer import Outgoing
from chassis.receiving import rebuild
from chassis.receiving.inbox import Inbox, Lost
from chassis.receiving.rebuild import Cannot, Rebuild
from chassis.receiving.resuming import Resuming
from chassis.receiving.tasks import COLLECTION as TASKS
from chassis.receiving.versions import NotLive
from chassis.running.mongo import Document, PyMongoError
from chassis.running.runtime import Runtime
from tests.infrastructure import Infra
from tests.integration.kit import World
from tests.integration.test_hard_cases import record

pytestmark = pytest.mark.integration
SEEDS = (1, 2, 3)
MENDED, BROKEN = 666, 999
"""Amounts that only the version before, or only the new one, cannot fold."""


class Record:
    """A record as the consumer hands it over."""

    def __init__(self, world: World, made: Outgoing, partition: int, offset: int) -> None:
        self.topic, self.partition, self.offset, self.timestamp = world.tally.topic or "", partition, offset, 0
        self.key, self.value, self.headers = made.key, made.value, made.headers


def log_of(world: World, rng: random.Random) -> list[list[Record]]:
    """Two partitions of streams with repeats, a gap that heals, and one stream that each version stumbles over."""
    log = []
    for partition in (0, 1):
        facts = [(f"s{partition}{n}", v, n + v) for n in range(4) for v in range(1, 7)]
        facts += [(f"old{partition}", v, MENDED if v == 2 else v) for v in range(1, 5)]
        facts += [(f"new{partition}", v, BROKEN if v == 3 else v) for v in range(1, 5)]
        rng.shuffle(facts)
        said: Counter[str] = Counter()
        ordered = []
        for thing, _, _ in facts:
            said[thing] += 1
            ordered.append(next(f for f in facts if f[:2] == (thing, said[thing])))
        at = rng.randrange(len(ordered) - 1)
        ordered[at:at] = [rng.choice(ordered[:at]) for _ in range(3) if at]
        gap = next(i for i, f in enumerate(ordered) if f[:2] == (f"s{partition}0", 3))
        ordered.append(ordered.pop(gap))
        made = {f: record(world, *f) for f in ordered}  # once: a repeat is the same record at another place
        log.append([Record(world, made[f], partition, n) for n, f in enumerate(ordered)])
    return log


@dataclass
class Stage:
    """The inbox that is live and the one that is filled, in a database of their own, and what tasks were written."""

    world: World
    runtime: Runtime
    log: list[list[Record]]
    rng: random.Random
    tasks: Counter[str] = field(default_factory=Counter)

    async def apply(self, inbox: Inbox, most: int, cannot: int = 0) -> int:
        """Let an inbox take up to `most` records from each partition, as its consumer would; how many there were."""

        def poison(amount: int) -> None:
            if amount == cannot:
                raise ValueError("poison")

        limit = await inbox.limits()
        due: list[Record] = []
        for records in self.log:
            place = (records[0].topic, records[0].partition)
            start = inbox.offsets[place]
            due += [r for r in records[start : start + most] if r.offset < limit(place)]
        if due:
            self.world.poison = poison
            await inbox.apply(due)
        await self.collect()
        return len(due)

    async def collect(self) -> None:
        """Run the tasks: count them, and they are gone."""
        rows = await self.runtime.database.collection(TASKS).find().to_list(None)
        self.tasks.update(row["event"] for row in rows)
        await self.runtime.database.collection(TASKS).delete_many({"_id": {"$in": [r["_id"] for r in rows]}})

    async def play(self) -> dict[str, Document]:
        """Fill and change over under traffic; the new version's documents at the end."""
        places = [(records[0].topic, records[0].partition) for records in self.log]
        live = self.runtime.inbox
        await live.take(places)
        half = len(self.log[0]) // 2
        while live.offsets[places[0]] < half:
            await self.apply(live, self.rng.randint(1, 5), MENDED)
        work = Rebuild(self.runtime.database, self.runtime.versions, self.runtime.inbox_of, "")
        await work.versions.begin(2, await work.versions.pointer())
        filling = self.runtime.inbox_of(2, follows=1)
        await filling.prepare()
        await filling.take(places)
        while filling.offsets[places[0]] < half - 5:
            inbox, cannot = self.rng.choice(((live, MENDED), (filling, BROKEN)))
            await self.apply(inbox, 2, cannot)
            if live.offsets[places[0]] > half + 3:
                break
        await self._change_over(work, filling)
        return await self._afterwards(live, filling, places)

    async def _change_over(self, work: Rebuild, filling: Inbox) -> None:
        async def follow() -> None:
            await asyncio.sleep(0.1)  # so that there is something left to follow when the live version is held
            while True:
                if not await self.apply(filling, 3, BROKEN):
                    await asyncio.sleep(0.005)

        following = asyncio.create_task(follow())
        try:
            async with asyncio.timeout(4):
                while not await work._change_over(filling, await work.versions.pointer()):  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
        assert work.flips == 1

    async def _afterwards(self, live: Inbox, filling: Inbox, places: list[Any]) -> dict[str, Document]:
        """The old worker tries to go on, and the new version is heard to the end."""
        with pytest.raises((Lost, PyMongoError)):
            await self.apply(live, 1, MENDED)
        with pytest.raises(NotLive):
            await live.take(places)
        self.world.poison = lambda amount: None
        operator = Resuming(live)  # of a process that has not noticed
        for parked in (await operator.parked())["streams"]:
            with pytest.raises(Conflict):
                await operator.retry(parked["stream"])
        await self.collect()
        with suppress(Lost):
            assert await self.apply(filling, 1, BROKEN) == 0, "it passed the version it followed"
        new = self.runtime.inbox_of(2)
        await new.take(places)
        while await self.apply(new, self.rng.randint(1, 5), BROKEN):
            pass
        found = await self.runtime.database.collection(new.collection).find().to_list(None)
        for inbox in (live, filling, new):
            await inbox.close()
        return {d["_id"].rpartition("/")[2]: d for d in found}


async def prove(world: World, seed: int) -> Counter[str]:
    """One run; what of the hard cases it reached. AssertionError where a promise is broken."""
    rng = random.Random(seed)
    runtime = world.runtime_of(world.hearer, "api")
    await runtime._prepare()
    stage = Stage(world, runtime, log_of(world, rng), rng)
    documents = await stage.play()
    said = {(r.key or b"").decode() + "@" + dict(r.headers)["ce_sequence"].decode() for p in stage.log for r in p}
    waits = {event for event in said if "/new" in event and not event.endswith(("@1", "@2"))}
    told = stage.tasks.keys() & waits
    assert set(stage.tasks) == said - (waits - told), "a task was missed"
    assert set(stage.tasks.values()) == {1}, "a task was written twice"
    for thing, doc in documents.items():
        if thing.startswith("new"):
            assert doc["v"] == 2 and doc["parked"]["reason"] == "failed"
            known = {int(event.rpartition("@")[2]) for event in told if f"/{thing}@" in event}
            assert doc.get("tasked", 2) == max(known, default=2), "it is not known which tasks were written"
        else:
            amounts = {v: MENDED if (thing[:3], v) == ("old", 2) else v for v in range(1, doc["v"] + 1)}
            expected = sum(amounts.values()) + (0 if thing[:3] == "old" else int(thing[2]) * doc["v"])
            assert (doc["v"], doc["doc"]["amount"]) == (4 if thing[:3] == "old" else 6, expected), thing
            assert "parked" not in doc
    await runtime.database.close()
    return Counter(told=len(told), caught_up=sum("/old" in e and not e.endswith("@1") for e in stage.tasks))


@pytest.mark.guarantee("G5")
@pytest.mark.parametrize("seed", SEEDS)
async def test_every_task_is_written_once_whoever_stumbled_over_what(infra: Infra, tmp_path: Path, seed: int) -> None:
    reached = await prove(World(infra, tmp_path), seed)
    assert reached["caught_up"], "no stream waited in one version and went on in the other"


@contextmanager
def planted(monkeypatch: pytest.MonkeyPatch, change: Callable[[pytest.MonkeyPatch], None]) -> Iterator[None]:
    with monkeypatch.context() as patch:
        change(patch)
        yield


async def _anywhere(self: Inbox) -> Callable[[Any], float]:
    return lambda place: inf


async def _nothing(*_: Any) -> None: ...


def writes_tasks_while_filling(patch: pytest.MonkeyPatch) -> None:
    write = Inbox.write

    async def always(self: Inbox, *rest: Any) -> None:
        await write(as_if_live(self), *rest)

    patch.setattr(Inbox, "write", always)


def as_if_live(inbox: Inbox) -> Inbox:
    """The same inbox as if it were the live one; its session stays where it is."""
    return replace(inbox, follows=None)


def changes_over_wherever_it_stands(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Rebuild, "_level", lambda *_: True)


def passes_the_live_version(patch: pytest.MonkeyPatch) -> None:
    def at_least(self: Rebuild, inbox: Inbox, held: Any, filled: Any) -> bool:
        return all(filled.get(p, -1) >= end for p, end in held.items())

    patch.setattr(Inbox, "limits", _anywhere)
    patch.setattr(Rebuild, "_level", at_least)


def forgets_what_waited(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Rebuild, "_settle", _nothing)


def operators_may_change_what_is_not_live(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Inbox, "stay_live", _nothing)


def leaves_the_old_one_open(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(rebuild, "CLOSED", rebuild.LIVE)


FAULTS = {
    writes_tasks_while_filling: "written twice|duplicate key",
    changes_over_wherever_it_stands: "written twice",
    passes_the_live_version: "was missed|not all since",
    forgets_what_waited: "was missed|not known which",
    leaves_the_old_one_open: "DID NOT RAISE",
    operators_may_change_what_is_not_live: "DID NOT RAISE",
}


@pytest.mark.guarantee("G5")
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
async def test_a_planted_fault_is_found(
    infra: Infra, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: Callable[[pytest.MonkeyPatch], None]
) -> None:
    found = (AssertionError, pytest.fail.Exception, Cannot, PyMongoError)
    with planted(monkeypatch, fault), pytest.raises(found, match=FAULTS[fault]):
        for seed in SEEDS:
            await prove(World(infra, tmp_path), seed)
