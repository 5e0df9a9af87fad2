"""What the gauges of a process show: looked up every few seconds; where that fails, ages go on from what was seen."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from chassis.deciding.journal import COLLECTION as JOURNAL
from chassis.receiving.folding import REASONS
from chassis.receiving.outside import Outside
from chassis.receiving.parking import PARKED
from chassis.receiving.tasks import COLLECTION as TASKS
from chassis.receiving.views import PARKED_STREAM
from chassis.running.logs import about
from chassis.running.metrics import METRICS, Figure
from chassis.running.mongo import MAJORITY_READ, Document, within
from chassis.running.settings import Role

if TYPE_CHECKING:
    from chassis.running.runtime import Runtime

LOOK_SECONDS = 5.0
ANSWER_SECONDS = 4.0
MOST = 10_000
"""Of what waits, at most so much is looked at: after an outage there may be very much."""

_log = logging.getLogger("counterpoint.figures")

Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Waiting:
    """How many there are of something, how old the oldest was when it was looked at, and when that was."""

    count: int = 0
    seconds: float = 0.0
    at: float = 0.0

    @property
    def age(self) -> float:
        """Its age. What waited for a moment only is gone by now, so nothing is added before the next look is late."""
        since = time.monotonic() - self.at
        return self.seconds + (since if since > 2 * LOOK_SECONDS else 0.0) if self.count else 0.0


class Figures:
    """The figures of one process. What the database knows is the whole service's, whoever does its work.

    While a server is away they are those of before, and their ages go on. What has been told of once is told of as
    nothing afterwards: whoever keeps the last value of a series would keep showing it.
    """

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        tasks = [(("counterpoint.task", name),) for name in runtime.service.tasks.by_name]
        streams = [(("counterpoint.kind", "stream"), ("counterpoint.reason", reason)) for reason in REASONS]
        kinds = [*streams, (("counterpoint.kind", "record"),), *((("counterpoint.kind", "task"), *t) for t in tasks)]
        self._pending: dict[Labels, Waiting] = {(): Waiting()}
        self._parked: dict[Labels, Waiting] = dict.fromkeys(kinds, Waiting())
        self._due: dict[Labels, Waiting] = dict.fromkeys(tasks, Waiting())
        self._lag: dict[str, Waiting] = {}
        self._outside = Outside(runtime.settings.kafka)
        self._missing: set[str] = set()

    async def run(self) -> None:
        """Look again and again, and be asked by the gauges meanwhile; cancel to stop."""
        self._begin_counting()
        end = METRICS.watch(self.now)
        try:
            while True:
                role = self._runtime.settings.role
                looks = [self._look_pending()]
                if role is not Role.relay:
                    looks += [self._look_parked(), self._look_due(), self._look_lag()]
                for found in await asyncio.gather(*looks, return_exceptions=True):
                    if isinstance(found, BaseException):
                        _log.debug("a figure is not looked up", extra=about(found))
                await asyncio.sleep(LOOK_SECONDS)
        finally:
            end()
            await self._outside.close()

    def _begin_counting(self) -> None:
        """From nothing: how much a counter grew is known only since it was first told of."""
        service = self._runtime.service
        if self._runtime.settings.role is not Role.relay:
            METRICS.commands.add(0)
            METRICS.conflicts.add(0)
            for name, fact in service.catalog.facts.items():
                if fact.category.service == service.name and fact.category.topic:
                    METRICS.facts.add(0, {"counterpoint.fact": name})

    # -- looking ----------------------------------------------------------------------------------------------------

    async def _look_pending(self) -> None:
        among: list[Document] = [{"$match": {"pending": True}}, {"$limit": MOST}]
        self._pending = await self._grouped(JOURNAL, among, "$at", {}, self._pending, index="pending")

    async def _look_parked(self) -> None:
        inbox = self._runtime.inbox
        streams: list[Document] = [{"$match": PARKED_STREAM}, {"$limit": MOST}]
        records: list[Document] = [{"$match": {"kind": "record", "inbox": inbox.name}}, {"$limit": MOST}]
        tasks: list[Document] = [{"$match": {"state": "parked"}}, {"$limit": MOST}]
        kind = {kind: {"counterpoint.kind": {"$literal": kind}} for kind in ("stream", "record", "task")}
        by_reason, by_task = {"counterpoint.reason": "$parked.reason"}, {"counterpoint.task": "$task"}
        found = await asyncio.gather(
            self._grouped(inbox.collection, streams, "$parked.since", {**kind["stream"], **by_reason}),
            self._grouped(PARKED, records, "$at", kind["record"]),
            self._grouped(TASKS, tasks, "$parked_at", {**kind["task"], **by_task}),
        )
        before = dict.fromkeys(self._parked, Waiting())
        self._parked = before | found[0] | found[1] | found[2]

    async def _look_due(self) -> None:
        """Those that nobody is doing: what takes long is not late."""
        free = {"$expr": {"$lt": ["$leased", "$$NOW"]}}
        ready = {"state": "open", "due": {"$lte": self._runtime.clock.now()}, **free}
        among: list[Document] = [{"$match": ready}, {"$limit": MOST}]
        self._due = await self._grouped(TASKS, among, "$due", {"counterpoint.task": "$task"}, self._due)

    async def _grouped(
        self,
        collection: str,
        stages: list[Document],
        since: str,
        by: Mapping[str, Any],
        before: Mapping[Labels, Waiting] | None = None,
        index: str | None = None,
    ) -> dict[Labels, Waiting]:
        """How many there are, and the oldest, by labels; nothing of those that there were `before`."""
        which = {label.replace(".", "_"): value for label, value in by.items()}
        group = {"$group": {"_id": which, "count": {"$sum": 1}, "oldest": {"$min": since}}}
        with within(ANSWER_SECONDS):
            cursor = await self._runtime.database.aggregate(collection, [*stages, group], MAJORITY_READ, index)
            docs = await cursor.to_list(None)
        labels, now = {label.replace(".", "_"): label for label in by}, self._runtime.clock.now()
        found = {tuple((labels[k], str(v)) for k, v in d["_id"].items()): _waiting(d, now) for d in docs}
        return dict.fromkeys(before or (), Waiting()) | found

    async def _look_lag(self) -> None:
        runtime = self._runtime
        if runtime.settings.role is Role.solver or not runtime.inbox.topics or "kafka" in runtime.missing():
            return
        consumer = runtime.following.consumer
        feeds = consumer is not None and consumer.assigned
        with within(ANSWER_SECONDS):
            lag = await runtime.lag() if feeds else await self._outside.lag(runtime.inbox)
        at, found = time.monotonic(), dict.fromkeys(self._lag, Waiting())
        for each in lag:
            known = found.get(each.topic, Waiting())
            found[each.topic] = Waiting(known.count + each.behind, max(known.seconds, each.seconds), at)
        self._lag = found

    # -- telling ----------------------------------------------------------------------------------------------------

    def now(self) -> Iterator[Figure]:
        """What the gauges show at this moment. Called in the thread that sends: it only reads."""
        runtime = self._runtime
        if runtime.settings.role.does(Role.relay):
            yield "counterpoint.relay.working", float(runtime.relay.working), {}
        yield from self._aged("counterpoint.relay.pending", "counterpoint.relay.pending.age", self._pending)
        missing = runtime.missing()
        self._missing |= missing
        for part in sorted(self._missing):
            yield "counterpoint.process.waiting", float(part in missing), {"counterpoint.part": part}
        if runtime.settings.role is Role.relay:
            return
        yield from self._aged("counterpoint.parked", "counterpoint.parked.age", self._parked)
        yield from self._aged("counterpoint.tasks.due", "counterpoint.tasks.late", self._due)
        lag: dict[Labels, Waiting] = {(("messaging.destination.name", topic),): w for topic, w in self._lag.items()}
        yield from self._aged("counterpoint.inbox.behind", "counterpoint.inbox.lag", lag)
        yield from self._running()

    @staticmethod
    def _aged(count: str, age: str, found: Mapping[Labels, Waiting]) -> Iterator[Figure]:
        for labels, waiting in found.items():
            yield count, float(waiting.count), dict(labels)
            yield age, waiting.age, dict(labels)

    def _running(self) -> Iterator[Figure]:
        runner, now = self._runtime.runner, self._runtime.clock.now()
        doing = list(runner.doing.values())
        for task in runner.ours:
            these = sorted((each for each in doing if each.task == task), key=lambda each: each.since)
            age = (now - these[0].since).total_seconds() if these else 0.0
            yield "counterpoint.tasks.running", float(len(these)), {"counterpoint.task": task}
            yield "counterpoint.tasks.running.age", age, {"counterpoint.task": task}
            yield "counterpoint.tasks.running.done", float(these[0].done if these else 0), {"counterpoint.task": task}


def _waiting(doc: Document, now: datetime) -> Waiting:
    oldest = doc["oldest"]
    since = datetime.fromisoformat(oldest) if isinstance(oldest, str) else oldest or now
    return Waiting(doc["count"], max(0.0, (now - since).total_seconds()), time.monotonic())
