"""The task runner: takes due rows, in order per key, and turns each into commands; retries, then parks."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from chassis.deciding.commands import Conflict, Origin, Outcome, Write, command_id
from chassis.deciding.decider import Aggregate, On, Refused, S
from chassis.receiving.tasks import COLLECTION, NotYet, Task
from chassis.receiving.views import Views
from chassis.running import allowed, spans
from chassis.running.logs import about
from chassis.running.metrics import METRICS
from chassis.running.mongo import ASCENDING, Document, IndexModel, PyMongoError, in_short, is_transient
from chassis.running.settings import Role
from contracts.catalog import NewerVersion
from contracts.envelope import Unreadable
from contracts.streams import parts

if TYPE_CHECKING:
    from chassis.running.runtime import Runtime

PAGE = 200
ATTEMPTS = 12
"""Tries of a task that fails for no business reason; after them, some minutes later, it is parked."""
OF_ITS_OWN = 300.0
"""Seconds after a fact from which on what is due because of it begins a trace of its own: no trace lasts for months."""
_LEASE = timedelta(seconds=10)
_FOR_A_RELEASE = timedelta(seconds=1)
"""How long a row stays with a process that has died. In real time, whatever the travelled clock says."""
_MILLISECOND = timedelta(milliseconds=1)
_CLOCK_CHECK = 5.0

_log = logging.getLogger("counterpoint.tasks")


@dataclass
class Doing:
    """A task in hand: its name, since when, and how many steps it says it has done."""

    task: str
    since: datetime
    done: int = 0


@dataclass
class _Work:
    """What one row's task may use."""

    runtime: Runtime
    row: Document
    traceparent: str | None

    def __post_init__(self) -> None:
        self.scope: str = self.row["scope"]
        self.event: str = self.row["event"]
        self.views: Views = self.runtime.inbox.reader
        self.documents = self.runtime.documents
        self.latest = self.runtime.latest
        self.erasing = self.runtime.erasing

    @property
    def contents(self) -> Any:
        return self.runtime.contents

    @property
    def origin(self) -> Origin:
        return Origin(
            command_id=command_id("task", self.row["_id"]),
            body_digest="task",
            correlation=self.row["correlation"],
            causation=self.event,
            traceparent=self.traceparent,
        )

    def keyed_hash(self, *parts: str) -> str:
        return self.runtime.keyed_hash(*parts)

    def now(self) -> datetime:
        return self.runtime.clock.now()

    def tell(self, done: int) -> None:
        if doing := self.runtime.runner.doing.get(self.row["_id"]):
            doing.done = done

    async def read(self, aggregate: Aggregate[S], stream: str) -> tuple[S, int]:
        return await self.runtime.commands.read(aggregate, stream)

    async def read_each(self, aggregate: Aggregate[S], streams: Sequence[str]) -> dict[str, S]:
        return await self.runtime.commands.read_each(aggregate, streams)

    async def scan(self, aggregate: Aggregate[S], scope: str, beginning: str = "") -> list[tuple[str, S]]:
        return await self.runtime.commands.scan(aggregate, scope, beginning)

    async def run(self, *on: On, step: str = "", also: Sequence[Write] = ()) -> Outcome:
        return await self.runtime.run(self.origin.step(step), *on, also=also)


class Runner:
    """Runs one service's tasks. Several processes may: a row is leased, and each of its commands is idempotent."""

    def __init__(
        self, runtime: Runtime, *, role: Role = Role.all, sweep_seconds: float = 0.25, concurrency: int = 16
    ) -> None:
        self._runtime = runtime
        self._tasks = runtime.service.tasks
        self._ours = self._tasks.done_by(role)
        self._collection = runtime.database.collection(COLLECTION)
        self._sweep_seconds = sweep_seconds
        self._gate = asyncio.Semaphore(concurrency)
        self._owner = secrets.token_hex(8)
        self._woken = asyncio.Event()
        self._jobs: dict[str, asyncio.Task[None]] = {}
        self.doing: dict[str, Doing] = {}
        self._skew = timedelta(0)
        self._skew_at = -_CLOCK_CHECK
        self._finishing = False
        self.attempted = 0.0

    @property
    def ours(self) -> list[str]:
        """The names of the tasks that this process does."""
        role = self._runtime.settings.role
        return sorted(t.name for t in self._tasks.by_name.values() if role.does(t.role))

    def wake(self) -> None:
        """Rows were written in this process."""
        self._woken.set()

    def finish(self) -> None:
        """Let `run` end by itself, when the tasks in hand are done."""
        self._finishing = True
        self._woken.set()

    async def prepare(self) -> None:
        """Create the indexes."""
        await self._runtime.database.index(
            COLLECTION,
            [
                IndexModel([("state", ASCENDING), ("due", ASCENDING), ("order", ASCENDING)], name="due"),
                IndexModel([("state", ASCENDING), ("not_before", ASCENDING)], name="waiting"),
            ],
        )

    async def run(self) -> None:
        """Run tasks until told to finish; cancel to stop at once. A task that takes long holds up only its own key."""
        try:
            while not self._finishing:
                self.attempted = asyncio.get_running_loop().time()
                self._woken.clear()
                await self.sweep()
                # Not wait_for: before Python 3.12 it swallows a cancellation that meets the event.
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._sweep_seconds):
                        await self._woken.wait()
            await asyncio.gather(*self._jobs.values(), return_exceptions=True)
        finally:
            for job in self._jobs.values():
                job.cancel()
            await asyncio.gather(*self._jobs.values(), return_exceptions=True)

    async def sweep(self) -> int:
        """Start the first due row of each key that has none running; answers how many were started."""
        now = await self._now()
        ready = self._ours | {
            "state": "open",
            "due": {"$lte": now},
            "key": {"$nin": list(self._jobs)},
            "$or": [{"not_before": None}, {"not_before": {"$lte": now}}],
        }
        rows = await self._collection.find(ready).sort([("due", 1), ("order", 1)]).limit(PAGE).to_list(None)
        if not rows:
            return 0
        blocked = await self._blocked(now)
        first: dict[str, Document] = {}
        for row in rows:
            if row["key"] not in first and not any(b < _place(row) for b in blocked.get(row["key"], ())):
                first[row["key"]] = row
        for key, row in first.items():
            self._jobs[key] = asyncio.create_task(self._guarded(row, now), name=row["_id"])
        return len(first)

    async def _blocked(self, now: datetime) -> dict[str, list[tuple[datetime, str]]]:
        """Rows that wait for a later try or for somebody: the rows of their key behind them wait as well."""
        cursor = self._collection.find(
            {"$or": [{"state": "parked"}, {"state": "open", "not_before": {"$gt": now}}]},
            {"key": 1, "due": 1, "order": 1},
        )
        blocked: dict[str, list[tuple[datetime, str]]] = {}
        async for row in cursor:
            blocked.setdefault(row["key"], []).append(_place(row))
        return blocked

    async def _guarded(self, row: Document, now: datetime) -> None:
        finished = False
        try:
            async with self._gate:
                finished = await self._one(row, now)
        except PyMongoError as error:
            _log.warning("a task goes back", extra=_about(error, row))
        finally:
            del self._jobs[row["key"]]
            if finished:
                self._woken.set()  # the next row of its key need not wait for the sweep

    async def _one(self, row: Document, now: datetime) -> bool:
        if not await self._seen(row["needs"]):
            await self._set(row, {"not_before": now + timedelta(milliseconds=100)})
            return False
        if not await self._claim(row):
            return False
        span, outcome, began = _span(row), "done", time.monotonic()
        self.doing[row["_id"]] = Doing(row["task"], self._runtime.clock.now())
        try:
            async with self._leasing(row):
                with spans.entered(span, NotYet, NewerVersion):
                    await self._do(row, spans.traceparent_of(span) if span else row["traceparent"])
        except NotYet as early:
            outcome = "early"
            later = {"due": early.until} if early.until else {"not_before": now + timedelta(milliseconds=200)}
            await self._set(row, later | {"leased": None})
            return False
        except NewerVersion as newer:  # a newer release runs beside this one and will do it
            outcome = "newer"
            await self._set(row, {"not_before": now + _FOR_A_RELEASE, "leased": None, "error": str(newer)[:500]})
            return False
        except Exception as error:
            outcome = "failed"
            if is_transient(error):
                raise  # the database's trouble is none of the task's: it costs no try
            await self._failed(row, error, now)
            return False
        finally:
            del self.doing[row["_id"]]
            told = {"counterpoint.task": row["task"], "counterpoint.outcome": outcome}
            with spans.inside(span):  # it is over, and the figure leads to it
                METRICS.task_duration.record(time.monotonic() - began, told)
        await self._collection.delete_one({"_id": row["_id"]})
        return True

    async def _claim(self, row: Document) -> bool:
        # By the database's clock alone: a process whose own is set, and which then dies, must not keep a row for hours.
        free = [{"owner": self._owner}, {"$expr": {"$lt": ["$leased", "$$NOW"]}}]
        until = {"$dateAdd": {"startDate": "$$NOW", "unit": "millisecond", "amount": int(_LEASE / _MILLISECOND)}}
        claimed = await self._collection.update_one(
            {"_id": row["_id"], "state": "open", "$or": free},
            [{"$set": {"owner": self._owner, "leased": until}}],
        )
        return bool(claimed.matched_count)

    @contextlib.asynccontextmanager
    async def _leasing(self, row: Document) -> AsyncIterator[None]:
        """Renew the lease for as long as the task takes."""

        async def renew() -> None:
            while True:
                await asyncio.sleep(_LEASE.total_seconds() / 3)
                with contextlib.suppress(PyMongoError):
                    await self._claim(row)

        renewing = asyncio.create_task(renew())
        try:
            yield
        finally:
            renewing.cancel()

    async def _do(self, row: Document, traceparent: str | None) -> None:
        task: Task[Any] = self._tasks.by_name[row["task"]]
        fact = self._tasks.fact(row, self._runtime.service.catalog)
        try:
            await task.do(fact, _Work(self._runtime, row, traceparent))
        except Refused as refusal:
            if refusal.code not in task.refused:
                raise

    async def _failed(self, row: Document, error: Exception, now: datetime) -> None:
        attempts = row["attempts"] + 1
        final = isinstance(error, Refused | Unreadable | KeyError) or attempts >= ATTEMPTS
        change: Document = {"attempts": attempts, "leased": None, "error": in_short(error)}
        if final:
            change |= {"state": "parked", "parked_at": now}
            _log.error("a task is parked", extra=_about(error, row))
        else:
            change["not_before"] = now + timedelta(seconds=min(60.0, 0.05 * 2**attempts))
            level = logging.DEBUG if isinstance(error, Conflict) else logging.WARNING
            _log.log(level, "a task is tried again", extra=_about(error, row))
        await self._set(row, change)

    async def _set(self, row: Document, change: Document) -> None:
        await self._collection.update_one({"_id": row["_id"]}, {"$set": change})

    async def _seen(self, needs: Sequence[str]) -> bool:
        for need in needs:
            stream, _, version = need.rpartition("@")
            heard = parts(stream)[1] in self._runtime.inbox.categories
            if heard and await self._runtime.inbox.reader.version(stream) < int(version):
                return False
        return True

    async def _now(self) -> datetime:
        """The database's clock, so that all processes agree, plus what the local stack has travelled."""
        clock = self._runtime.clock
        real = clock.now() - clock.offset
        if self.attempted - self._skew_at >= _CLOCK_CHECK or self._skew_at < 0:
            self._skew = await self._runtime.database.now() - real
            self._skew_at = self.attempted
        return real + self._skew + clock.offset

    async def figures(self) -> dict[str, Any]:
        """How many rows are due and parked, and how many seconds late the oldest is."""
        now = await self._now()
        due = {"state": "open", "due": {"$lte": now}}
        oldest = await self._collection.find(due, {"due": 1}).sort("due", 1).limit(1).to_list(None)
        return {
            "due": await self._collection.count_documents(due),
            "parked": await self._collection.count_documents({"state": "parked"}),
            "late_seconds": round((now - oldest[0]["due"]).total_seconds(), 3) if oldest else 0.0,
        }


def _about(error: Exception, row: Document) -> dict[str, str | int | float]:
    stream, _, version = row["event"].rpartition("@")
    return about(error, task=row["task"], event=allowed.stream(stream), version=int(version))


def _place(row: Document) -> tuple[datetime, str]:
    return row["due"], row["order"]


def _span(row: Document) -> spans.Span | None:
    """The span of one try. What has waited for its time has a trace of its own, linked to the one it comes from."""
    said, traceparent = float(row["order"].partition("|")[0]), row["traceparent"]
    if not spans.is_sampled(traceparent):
        return None
    late = row["due"].timestamp() - said > OF_ITS_OWN
    about = {
        "counterpoint.task": row["task"],
        "counterpoint.fact": row["type"],
        "counterpoint.program": allowed.program_of(row["scope"]),
        "counterpoint.attempt": row["attempts"] + 1 if row["attempts"] else None,
        "counterpoint.late": late or None,
    }
    links = [spans.link(traceparent)] if late else []
    below = None if late else traceparent
    return spans.begin(f"task {row['task']}", spans.SpanKind.INTERNAL, about, below=below, links=links)
