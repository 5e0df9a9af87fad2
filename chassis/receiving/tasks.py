"""Tasks: reactions and timers are one mechanism. The inbox writes the row; the runner turns it into commands."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, Protocol, TypeVar

from chassis.deciding.commands import Origin, Outcome, Write
from chassis.deciding.contents import Contents
from chassis.deciding.decider import Aggregate, On, S
from chassis.deciding.documents import Documents
from chassis.distributing.latest import LatestStore
from chassis.receiving.erasing import Erasing
from chassis.receiving.records import Heard
from chassis.receiving.views import Views
from chassis.running.mongo import Document
from chassis.running.settings import Role
from contracts.catalog import Catalog
from contracts.fact import Fact
from contracts.streams import parts

COLLECTION = "tasks"

F = TypeVar("F", bound=Fact)


class NotYet(Exception):
    """A task is too early, which does not count as failing: something it needs has not been heard here, so try again in
    a moment; or, where `until` says so, it is not due before then."""

    def __init__(self, until: datetime | None = None) -> None:
        super().__init__()
        self.until = until


class Work(Protocol):
    """What a task may use: it reads views and streams, and runs commands; a step is done once, however often tried."""

    @property
    def scope(self) -> str:
        """The program the fact belongs to, or `org`."""
        ...

    @property
    def event(self) -> str:
        """`<stream>@<version>` of the fact."""
        ...

    @property
    def views(self) -> Views: ...

    @property
    def documents(self) -> Documents: ...

    @property
    def latest(self) -> LatestStore: ...

    @property
    def contents(self) -> Contents: ...

    @property
    def erasing(self) -> Erasing: ...

    @property
    def origin(self) -> Origin: ...

    def keyed_hash(self, *parts: str) -> str:
        """A hash (hex, 64 characters) that only this service can compute."""
        ...

    def now(self) -> datetime: ...

    def tell(self, done: int) -> None:
        """How far it is, in steps of its own, for the figures: a task whose steps become more does not hang."""
        ...

    async def read(self, aggregate: Aggregate[S], stream: str) -> tuple[S, int]:
        """The exact state of one of this service's own streams, and its version."""
        ...

    async def read_each(self, aggregate: Aggregate[S], streams: Sequence[str]) -> dict[str, S]:
        """The exact states of many of its own streams of one kind."""
        ...

    async def scan(self, aggregate: Aggregate[S], scope: str, beginning: str = "") -> list[tuple[str, S]]:
        """Every stream of one kind in a scope, whose id begins so, with its state."""
        ...

    async def run(self, *on: On, step: str = "", also: Sequence[Write] = ()) -> Outcome:
        """Run one command (over one or more streams). `step` names it where a task runs several."""
        ...


@dataclass(frozen=True)
class Task(Generic[F]):
    """On a fact, do something. A row of a service's table in `tasks.py`.

    `do(fact, work)` runs commands or nothing. `due(fact, at)` says when (None: at once; `at` is when the fact was
    said). Rows of one `key` run in order; its default is the fact's stream. `needs(fact)` are events that must have
    been seen here first. `refused` are the codes of refusals that mean "nothing to do any more"; any other refusal
    parks the row, and the rows of its key behind it, until somebody looks.

    `when` are the facts it is for, where not all are. Tasks that are told one `queue` share their keys: no two of their
    rows of one key run at a time. `role` is the kind of process that does it: a worker, or a solver for what keeps a
    processor busy for long.
    """

    name: str
    on: type[F]
    do: Callable[[F, Work], Awaitable[object]]
    due: Callable[[F, datetime], datetime] | None = None
    when: Callable[[F], bool] | None = None
    key: Callable[[F], str] | None = None
    queue: str | None = None
    role: Role = Role.worker
    needs: Callable[[F], Sequence[str]] | None = None
    refused: frozenset[str] = frozenset()


class Tasks:
    """The table of a service's tasks."""

    def __init__(self, tasks: Iterable[Task[Any]]) -> None:
        self.by_name = {t.name: t for t in tasks}
        self._by_fact: dict[str, list[Task[Any]]] = {}
        for task in self.by_name.values():
            self._by_fact.setdefault(task.on.__name__, []).append(task)

    @property
    def hears(self) -> frozenset[type[Fact]]:
        """The facts that any task is for."""
        return frozenset(t.on for t in self.by_name.values())

    def done_by(self, role: Role) -> Document:
        """The query for the rows that a process of this role does; those of an unknown task are a worker's."""
        if role.does(Role.worker):
            others = sorted(t.name for t in self.by_name.values() if not role.does(t.role))
            return {"task": {"$nin": others}} if others else {}
        return {"task": {"$in": sorted(t.name for t in self.by_name.values() if role.does(t.role))}}

    def rows(self, heard: Heard, traceparent: str | None) -> list[Document]:
        """The rows that a fact calls for, to be written in the transaction that gives it effect. Pure."""
        e, fact = heard.envelope, heard.fact
        if fact is None:
            return []
        return [
            {
                "_id": f"{task.name}:{e.id}",
                "task": task.name,
                "key": f"{task.queue or task.name}|{task.key(fact) if task.key else e.stream}",
                "scope": parts(e.stream)[0],
                "due": task.due(fact, e.at) if task.due else e.at,
                "order": f"{e.at.timestamp():015.3f}|{e.stream}|{e.version:09d}",
                "needs": list(task.needs(fact)) if task.needs else [],
                "event": e.id,
                "type": e.type,
                "v": e.v,
                "data": heard.raw.decode(),
                "correlation": e.correlation,
                "traceparent": traceparent,
                "state": "open",
                "attempts": 0,
            }
            for task in self._by_fact.get(e.type, ())
            if task.when is None or task.when(fact)
        ]

    def fact(self, row: Document, catalog: Catalog) -> Fact:
        """The fact that a row was written for."""
        return catalog.read(row["type"], row["v"], row["data"])
