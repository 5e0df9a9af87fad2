"""What a task or a handler may use, in memory: streams that decide like the journal, and views folded from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, cast

from chassis.deciding.commands import Conflict, Outcome, Stale, Write
from chassis.deciding.decider import Aggregate, On, S
from chassis.receiving.views import Found, StateView, View
from chassis.running.http import Problem
from chassis.running.mongo import Session
from contracts.fact import Fact
from contracts.profiles import Profile
from tests.spec.matching.people import NOW, PROGRAM


class Views:
    """Rows folded from all facts of a stream."""

    def __init__(self, streams: dict[str, list[Fact]]) -> None:
        self._streams = streams
        self.profiles: dict[str, Profile] = {}

    async def get(self, view: View[Any], stream: str) -> Any:
        row = None
        for fact in self._streams.get(stream, ()):
            row = view.fold(row or view.row(), fact, NOW) if type(fact) in view.hears else row
        return row

    async def version(self, stream: str) -> int:
        return len(self._streams.get(stream, ()))

    async def latest(self, view: StateView[Any], key: str) -> Profile | None:
        return self.profiles.get(key)

    async def find_latest(self, view: StateView[Any], scope: str, **_: Any) -> list[Profile]:
        return list(self.profiles.values())

    async def find(
        self, view: View[Any], scope: str, where: Mapping[str, Any] | None = None, **_: Any
    ) -> list[Found[Any]]:
        prefix = view.category.stream(scope, "")
        found = []
        for stream in sorted(s for s in self._streams if s.startswith(prefix)):
            row = await self.get(view, stream)
            if all(getattr(row, k) == v for k, v in (where or {}).items()):
                found.append(Found(stream, len(self._streams[stream]), row, False))
        return found


class Documents:
    """Documents by kind and id."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], dict[str, Any]] = {}

    async def get(self, kind: str, scope: str, id: str) -> dict[str, Any] | None:
        return self.kept.get((kind, id))

    async def among(self, kind: str, scope: str, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        return {id: self.kept[kind, id] for id in ids if (kind, id) in self.kept}

    async def save(self, kind: str, scope: str, id: str, doc: dict[str, Any]) -> None:
        self.kept[kind, id] = doc

    async def amend(self, kind: str, scope: str, id: str, where: dict[str, Any], fields: dict[str, Any]) -> bool:
        doc = self.kept.get((kind, id))
        if doc is None or any(doc[k] != v for k, v in where.items()):
            return False
        self.kept[kind, id] = doc | fields
        return True

    def put(self, kind: str, scope: str, id: str, doc: dict[str, Any]) -> Write:
        async def write(session: Any) -> None:
            self.kept[kind, id] = doc

        return write

    def amended(self, kind: str, scope: str, id: str, where: dict[str, Any], fields: dict[str, Any]) -> Write:
        async def write(session: Any) -> None:
            if not await self.amend(kind, scope, id, where, fields):
                raise Conflict(kind)

        return write


class Work:
    """One task's work. `stop_after` lets the process die after that many commands; `before_run` is another writer."""

    scope = PROGRAM
    at = NOW

    def __init__(self, streams: dict[str, list[Fact]]) -> None:
        self.streams = streams
        self.views = Views(streams)
        self.documents = Documents()
        self.erasing = self
        self.commands = 0
        self.stop_after: int | None = None
        self.before_run: list[tuple[str, Fact]] = []

    def missing(self, what: str) -> Problem:
        return Problem(404, "not-found", what)

    def tell(self, done: int) -> None: ...

    def now(self) -> datetime:
        return self.at

    async def cut(self, person: str, scopes: Sequence[str], at: datetime) -> int:
        return 1

    async def read(self, aggregate: Aggregate[S], stream: str) -> tuple[S, int]:
        facts = self.streams.get(stream, [])
        return aggregate.fold(facts), len(facts)

    async def read_each(self, aggregate: Aggregate[S], streams: Sequence[str]) -> dict[str, S]:
        return {stream: (await self.read(aggregate, stream))[0] for stream in streams}

    async def scan(self, aggregate: Aggregate[S], scope: str, beginning: str = "") -> list[tuple[str, S]]:
        prefix = aggregate.category.stream(scope, beginning)
        return [(s, aggregate.fold(f)) for s, f in sorted(self.streams.items()) if s.startswith(prefix)]

    async def run(self, *on: On, step: str = "", also: Sequence[Write] = ()) -> Outcome:
        """All streams decide, or none."""
        for stream, fact in self.before_run:
            self.streams.setdefault(stream, []).append(fact)
        self.before_run = []
        if self.stop_after is not None and self.commands >= self.stop_after:
            raise ConnectionError("the process died")
        self.commands += 1
        made = []
        for o in on:
            state, version = await self.read(o.aggregate, o.stream)
            if o.expect is not None and o.expect != version:
                raise Stale(o.stream, o.expect, version)
            made.append((o.stream, o.aggregate.decide(o.command, state, NOW)))
        if any(facts for _, facts in made):
            for write in also:  # before the facts: what fails leaves nothing
                await write(cast(Session, None))
        for stream, facts in made:
            self.streams.setdefault(stream, []).extend(facts)
        return Outcome(facts=tuple(fact for _, facts in made for fact in facts))
