"""The real folding on a database in memory with snapshots and write conflicts, and an operator beside the owner."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from chassis.receiving.folding import Folding, NotDropped
from chassis.receiving.parking import from_row
from chassis.receiving.records import Heard, heard
from chassis.receiving.tasks import Task, Tasks
from chassis.receiving.views import Views
from chassis.running.mongo import Document
from chassis.testing.tally import TallyServices
from contracts.envelope import Envelope

NOW = datetime(2026, 3, 1, tzinfo=UTC)
PROGRAM = "pr_" + "a" * 26
SERVICES = TallyServices("t", echo=False)
FOLD, TASK = 1, 2
"""Where a fact is poison: in the fold of its view, or in saying which tasks come of it."""

Poison = dict[tuple[int, int], int]
"""Stream and version of each fact that is poison, and where."""


class Conflict(Exception):
    """Somebody else wrote what this transaction writes."""


class Parts:
    """One service that hears tallies; what is poison can be mended."""

    def __init__(self, poison: Poison) -> None:
        self.poison = poison
        self.services = SERVICES
        self.tasks = Tasks([Task("echo_it", self.services.Added, self._never, due=self._due)])
        nowhere: Any = SimpleNamespace(collection=lambda name: None)
        self.views = Views(nowhere, "views", [replace(self.services.sums, fold=self._fold)])

    @staticmethod
    async def _never(fact: Any, work: Any) -> None: ...

    def _fold(self, row: Any, fact: Any, at: datetime) -> Any:
        self._raise(fact.amount, FOLD)
        return self.services.sums.fold(row, fact, at)

    def _due(self, fact: Any, at: datetime) -> datetime:
        self._raise(fact.amount, TASK)
        return at

    def _raise(self, amount: int, where: int) -> None:
        if self.poison.get(divmod(amount, 100)) == where:
            raise RuntimeError(f"poison in {where}")

    def stream(self, number: int) -> str:
        return self.services.totals.stream(PROGRAM, f"s{number}")

    def fact(self, number: int, version: int, copy: int = 0) -> Heard:
        """Fact `version` of stream `number`; another `copy` is the same version with another digest."""
        amount = number * 100 + version
        raw = self.services.Added(program=PROGRAM, amount=amount).encode().encode()
        digest = f"{number}{version}{copy}".rjust(64, "0")[::-1]
        envelope = Envelope(
            service=self.services.writer.name,
            type="Added",
            v=1,
            stream=self.stream(number),
            version=version,
            at=NOW + timedelta(seconds=version),
            digest=digest,
            commit="c",
            first=version,
            last=version,
            command="x",
            correlation="y",
        )
        return heard(envelope, raw, self.services.catalog)

    def folding(self, documents: dict[str, Document], waiting: dict[str, list[Document]], tick: int) -> Folding:
        now = NOW + timedelta(hours=tick)
        return Folding(documents, waiting, self.views, self.tasks, {}, self.services.catalog, "t.inbox.v1", now)


class Transaction:
    """What one transaction saw when it began."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.at = store.clock
        self.documents = copy.deepcopy(store.documents)
        self.rows = dict(store.rows)
        self.tasks = dict(store.tasks)

    def waiting(self, stream: str) -> list[Document]:
        found = [row for row in self.rows.values() if row["stream"] == stream]
        return sorted(found, key=lambda row: int(row["version"]))


class Store:
    """Documents, parked rows and task rows. Writing what somebody wrote since a transaction began is a `Conflict`.

    As in MongoDB, writing a document that is as it was already is no write, and meets nobody.
    """

    def __init__(self) -> None:
        self.clock = 0
        self.documents: dict[str, Document] = {}
        self.rows: dict[str, Document] = {}
        self.tasks: dict[str, Document] = {}
        self.written: dict[tuple[str, str], int] = {}
        self.seen: Counter[str] = Counter()

    def commit(self, begun: Transaction, folding: Folding) -> None:
        """All of it or nothing. Inserting what was there already is no conflict but a fault, and an AssertionError."""
        changed = {id: folding.documents[id] for id in folding.changed}
        changed = {id: doc for id, doc in changed.items() if doc != begun.documents.get(id)}
        assert not {row["_id"] for row in folding.parked} & begun.rows.keys(), "a row is parked twice"
        assert not {row["_id"] for row in folding.rows} & begun.tasks.keys(), "a task is written twice"
        writes = [("document", id) for id in changed]
        writes += [("row", row["_id"]) for row in folding.parked] + [("row", id) for id in folding.drained]
        writes += [("task", row["_id"]) for row in folding.rows]
        if any(self.written.get(w, -1) > begun.at for w in writes):
            self.seen["conflicts"] += 1
            raise Conflict
        self.clock += 1
        self.written |= dict.fromkeys(writes, self.clock)
        self.documents |= copy.deepcopy(changed)
        self.rows |= {row["_id"]: row for row in folding.parked}
        for id in folding.drained:
            del self.rows[id]
        self.tasks |= {row["_id"]: row for row in folding.rows}
        self.seen["parked"] += len(folding.parked)
        self.seen["drained"] += len(folding.drained)
        self.seen["applied"] += folding.applied


Work = Callable[[Transaction], Folding]


class World:
    """One inbox: its owner applies batches, an operator tries again or drops, each in transactions of two halves."""

    def __init__(self, poison: Poison) -> None:
        self.parts = Parts(dict(poison))
        self.store = Store()
        self.dropped: list[tuple[str, int]] = []
        self._tick = 0

    def mend(self) -> None:
        """A release that can fold everything."""
        self.parts.poison.clear()

    def batch(self, facts: list[Heard]) -> Work:
        def work(begun: Transaction) -> Folding:
            streams = {h.envelope.stream for h in facts}
            documents = {s: begun.documents[s] for s in sorted(streams & begun.documents.keys())}
            documents = copy.deepcopy(documents)
            waiting = {s: begun.waiting(s) for s, doc in documents.items() if doc.get("parked")}
            folding = self._folding(documents, waiting)
            for fact in facts:
                folding.hear(fact)
            return folding

        return work

    def retry(self, number: int) -> Work:
        return lambda begun: self._operate(begun, number, lambda folding, stream: folding.retry(stream))

    def drop(self, number: int) -> Work:
        """Drop whatever the stream stopped at; nothing where it waits for a version."""

        def at_its_stop(folding: Folding, stream: str) -> None:
            version = folding.documents[stream]["parked"]["version"]
            try:
                rows = folding.drop(stream, version)
            except NotDropped:
                return
            self.dropped += [(stream, row["version"]) for row in rows]

        return lambda begun: self._operate(begun, number, at_its_stop)

    def _operate(self, begun: Transaction, number: int, do: Callable[[Folding, str], None]) -> Folding:
        stream = self.parts.stream(number)
        doc = copy.deepcopy(begun.documents.get(stream, {}))
        if not doc.get("parked"):
            return self._folding({}, {})
        folding = self._folding({stream: doc}, {stream: begun.waiting(stream)})
        do(folding, stream)
        return folding

    def _folding(self, documents: dict[str, Document], waiting: dict[str, list[Document]]) -> Folding:
        self._tick += 1
        return self.parts.folding(documents, waiting, self._tick)

    def now(self, work: Work) -> None:
        """A whole transaction with nobody beside it."""
        begun = Transaction(self.store)
        self.store.commit(begun, work(begun))

    def interleaved(self, ours: list[Work], theirs: list[Work], turns: list[bool]) -> None:
        """Two actors; each turn begins a transaction of one of them or commits it. Who meets a conflict tries again."""
        actors = {False: _Actor(self.store, ours), True: _Actor(self.store, theirs)}
        for turn in turns:
            actors[turn].step()
        for actor in actors.values():
            while actor.step():
                pass

    def check_counts(self) -> None:
        """What each document says of those that wait is so."""
        for stream, doc in self.store.documents.items():
            waiting = [row for row in self.store.rows.values() if row["stream"] == stream]
            assert (doc.get("parked") or {"waiting": 0})["waiting"] == len(waiting), doc
            assert bool(doc.get("parked")) == bool(waiting), "parked without waiting, or waiting without being parked"


class _Actor:
    def __init__(self, store: Store, works: list[Work]) -> None:
        self._store = store
        self._works = list(works)
        self._open: tuple[Transaction, Folding] | None = None

    def step(self) -> bool:
        """Begin the next transaction, or commit the open one; False where nothing is left."""
        if self._open is None:
            if not self._works:
                return False
            begun = Transaction(self._store)
            self._open = begun, self._works[0](begun)
            return True
        begun, folding = self._open
        self._open = None
        try:
            self._store.commit(begun, folding)
        except Conflict:
            return True
        self._works.pop(0)
        return True


def never_parked(facts: set[tuple[int, int]]) -> Store:
    """What comes of facts (stream, version) where nothing is poison: each applied alone, in the order of versions."""
    world = World({})
    for fact in sorted(facts):
        world.now(world.batch([world.parts.fact(*fact)]))
    return world.store


# -- planted faults ------------------------------------------------------------------------------------------------


def _park_without_writing_the_document(self: Folding, heard: Heard, doc: Document) -> None:
    before = self.changed.copy()
    parked = copy.deepcopy(doc.get("parked"))
    _PARK(self, heard, doc)
    if parked:
        self.changed = before
        doc["parked"] = parked


def _drain_and_forget_first(self: Folding, doc: Document) -> None:
    for row in self._in_order(doc["_id"]):
        if row["version"] > doc["v"] + 1:
            return self._await_next(doc)
        self._forget(row)
        if row["version"] > doc["v"] and not self._apply(from_row(row, self._catalog), doc):
            return None
    doc.pop("parked", None)
    self.changed[doc["_id"]] = None
    return None


def _drain_past_what_fails(self: Folding, doc: Document) -> None:
    for row in self._in_order(doc["_id"]):
        if row["version"] > doc["v"] and not self._apply(from_row(row, self._catalog), doc):
            doc["v"] = row["version"]
        self._forget(row)
    doc.pop("parked", None)
    self.changed[doc["_id"]] = None


def _apply_what_comes_while_parked(self: Folding, heard: Heard) -> None:
    doc = self.documents.get(heard.envelope.stream)
    if doc and doc.get("parked") and heard.envelope.version > doc["v"]:
        doc["v"] = heard.envelope.version - 1
        self._apply(heard, doc)
        return
    _HEAR(self, heard)


def _let_a_fold_raise(self: Folding, heard: Heard, doc: Document) -> bool:
    applied = _APPLY(self, heard, doc)
    if not applied:
        raise RuntimeError(doc["parked"]["detail"])
    return applied


def _stop_every_stream(self: Folding, doc: Document, reason: str, version: int, detail: str) -> None:
    for other in self.documents.values():
        if reason != "gap" and other is not doc and not other.get("parked"):
            other["parked"] = {"reason": reason, "version": other["v"] + 1, "since": "", "waiting": 0, "detail": ""}
    _STOP(self, doc, reason, version, detail)


def _see_no_conflict(self: Store, begun: Transaction, folding: Folding) -> None:
    begun.at = self.clock
    begun.documents = {}
    _COMMIT(self, begun, folding)


_PARK, _HEAR, _APPLY, _STOP, _COMMIT = Folding._park, Folding.hear, Folding._apply, Folding._stop, Store.commit

FAULTS: dict[str, tuple[type[Any], str, Any]] = {
    "parking does not write the document": (Folding, "_park", _park_without_writing_the_document),
    "draining forgets a row before it is applied": (Folding, "_drain", _drain_and_forget_first),
    "draining goes on past what fails": (Folding, "_drain", _drain_past_what_fails),
    "what comes to a parked stream is applied": (Folding, "hear", _apply_what_comes_while_parked),
    "a fold that raises fails its batch": (Folding, "_apply", _let_a_fold_raise),
    "poison parks the streams of its batch": (Folding, "_stop", _stop_every_stream),
    "conflicts are not seen": (Store, "commit", _see_no_conflict),
}


@contextmanager
def planted(fault: str) -> Iterator[None]:
    """The code with one of the `FAULTS` in it."""
    owner, name, wrong = FAULTS[fault]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(owner, name, wrong)
        yield
