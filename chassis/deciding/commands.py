"""The command handler: decide, insert. One round trip where one stream is touched that is remembered, else two."""

from __future__ import annotations

import asyncio
import hashlib
import random
import secrets
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from chassis.deciding.decider import Aggregate, On, Refused, S
from chassis.deciding.journal import LARGEST_COMMIT, UNKNOWN_BODY, Commit, Event, Journal, Meta
from chassis.deciding.memory import Head, Memory
from chassis.running import allowed, spans
from chassis.running.metrics import METRICS
from chassis.running.mongo import Database, DuplicateKeyError, Session, WriteFailed, is_transient
from contracts.catalog import Catalog
from contracts.fact import Fact
from contracts.streams import Audience, parts

ATTEMPTS = 5
FEW = 8
"""Streams of one command whose commits are inserted one by one; of more, all in one round trip."""
PATIENCE = 0.2
"""Seconds that a write waits behind another's before it is asked whether that one still lives."""
_BASE32 = "abcdefghijklmnopqrstuvwxyz234567"

Write = Callable[[Session], Awaitable[None]]
"""Something written in the same transaction as the commits: a text, a state record."""


class Conflict(Exception):
    """Somebody else was quicker, five times in a row: try again."""


class Stale(Exception):
    """The caller saw another version than the stream has now (If-Match)."""

    def __init__(self, stream: str, expected: int, actual: int) -> None:
        super().__init__(f"{stream} is at version {actual}, not {expected}")
        self.actual = actual


class KeyReused(Exception):
    """The same idempotency key came with another body."""


@dataclass(frozen=True)
class Origin:
    """Who asks for what: the identity of a command, and where it came from.

    `command_id` is the same whenever the same caller repeats the same request; `body_digest` tells an honest repeat
    from a reused key. An `anonymous` commit knows its day and not its time, which an access log would join to somebody.
    """

    command_id: str
    body_digest: str
    correlation: str
    causation: str | None = None
    traceparent: str | None = None
    actor: str | None = None
    anonymous: bool = False

    def new_id(self, prefix: str, which: str = "") -> str:
        """The id of a thing this command creates: a repeated creation meets itself."""
        return derived_id(prefix, self.command_id, which)

    def step(self, which: str) -> Origin:
        """The origin of one of several commands that a task derives from one cause."""
        return Origin(
            command_id=command_id(self.command_id, which),
            body_digest=self.body_digest,
            correlation=self.correlation,
            causation=self.causation,
            traceparent=self.traceparent,
            actor=self.actor,
            anonymous=self.anonymous,
        )


def command_id(*parts_: str) -> str:
    """The identity of a command: a hash over the caller, the route and the key (any texts)."""
    return hashlib.sha256("\0".join(parts_).encode()).hexdigest()[:40]


def derived_id(prefix: str, *parts_: str) -> str:
    """`<prefix>_` and 26 characters of base32 (130 bits) of a hash over the parts."""
    n = int.from_bytes(hashlib.sha256("\0".join(parts_).encode()).digest()[:17], "big")
    return f"{prefix}_" + "".join(_BASE32[(n >> (5 * i)) & 31] for i in range(26))


def random_id(prefix: str) -> str:
    """A new id that nothing can foretell."""
    return derived_id(prefix, secrets.token_hex(32))


def new_commit_id() -> str:
    """Sortable by time, unique by chance: 48 bits of milliseconds and 80 of randomness, which need not be secret."""
    return f"{int(time.time() * 1000):012x}{random.getrandbits(80):020x}"


@dataclass(frozen=True)
class Outcome:
    """What a command did. `after` names the last version of each stream it wrote; empty where nothing was to do."""

    after: tuple[str, ...] = ()
    facts: tuple[Fact, ...] = ()
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class Made:
    """What a command makes of one stream: the commit, its facts, the head after it, and whether others hear of it."""

    commit: Commit
    facts: tuple[Fact, ...]
    head: Head
    pending: bool


@dataclass
class Commands:
    """Runs commands of one service. `wake` is called after every commit so that the relay need not poll."""

    catalog: Catalog
    journal: Journal
    database: Database
    now: Callable[[], datetime]
    wake: Callable[[], None] = lambda: None
    _memory: Memory = field(default_factory=Memory)

    async def run(self, origin: Origin, *on: On, also: Sequence[Write] = ()) -> Outcome:
        """Decide each stream's command; write all or nothing.

        Raises `Refused` (a rule), `Stale` (If-Match), `KeyReused`, `Conflict` (after five attempts).
        `also` is written in the same transaction, and only where there are facts to write.
        """
        if not spans.is_sampled(origin.traceparent):
            return await self._tried(origin, on, also)
        span = _span(origin, on)
        with spans.entered(span, Refused, Stale, KeyReused):
            outcome = await self._tried(replace(origin, traceparent=spans.traceparent_of(span)), on, also)
            span.set_attribute("counterpoint.facts", len(outcome.facts))
            if outcome.repeated:
                span.set_attribute("counterpoint.repeat", True)
            return outcome

    async def _tried(self, origin: Origin, on: Sequence[On], also: Sequence[Write]) -> Outcome:
        for attempt in range(ATTEMPTS):
            try:
                return await self._attempt(origin, on, also)
            except (DuplicateKeyError, WriteFailed):
                METRICS.conflicts.add(1)
            except Exception as error:
                if not is_transient(error):
                    raise
                METRICS.conflicts.add(1)
                if attempt:  # it may be the dead who are in the way
                    await self.database.end_dead_transactions()
            await asyncio.sleep(random.uniform(0, 0.005 * 2**attempt))  # noqa: S311 - jitter
        raise Conflict(f"{on[0].stream}: others were quicker {ATTEMPTS} times; try again")

    async def read(self, aggregate: Aggregate[S], stream: str) -> tuple[S, int]:
        """The exact state of one thing and its version, from the journal (also while Kafka is down)."""
        commits = (await self.journal.load([stream]))[stream]
        return self._fold(aggregate, commits), commits[-1].last if commits else 0

    async def read_each(self, aggregate: Aggregate[S], streams: Sequence[str]) -> dict[str, S]:
        """The exact states of many things of one kind, in one round trip."""
        found = await self.journal.load(streams) if streams else {}
        return {stream: self._fold(aggregate, commits) for stream, commits in found.items()}

    async def scan(self, aggregate: Aggregate[S], scope: str, beginning: str = "") -> list[tuple[str, S]]:
        """Every stream of one kind in a scope, whose id begins so, with its state: for sealed facts, which no view has,
        and where a view is not exact enough."""
        found = await self.journal.scan(aggregate.category.stream(scope, beginning))
        return [(stream, self._fold(aggregate, commits)) for stream, commits in found.items()]

    def _fold(self, aggregate: Aggregate[S], commits: Sequence[Commit]) -> S:
        return aggregate.fold(fact for commit in commits for fact in commit.facts(self.catalog))

    async def _attempt(self, origin: Origin, on: Sequence[On], also: Sequence[Write]) -> Outcome:
        if len(on) == 1 and not also:
            outcome = await self._remembered(origin, on[0]) or await self._loaded(origin, on[0])
        else:
            outcome = await self._in_transaction(origin, on, also)
        if outcome.facts and not outcome.repeated:
            METRICS.commands.add(1)
            for name, n in Counter(type(f).__name__ for f in outcome.facts if f.category.topic).items():
                METRICS.facts.add(n, {"counterpoint.fact": name})
            self.wake()
        return outcome

    async def _remembered(self, origin: Origin, on: On) -> Outcome | None:
        """Decide on what is remembered of the stream; None where only the journal can answer."""
        head = self._memory.take(on.stream)
        if head is None:
            return None
        try:
            made = self._decided(origin, on, head, self.now())
        except Exception:  # a rule, or another version than the caller saw: perhaps no longer so
            return None
        if made is None:
            return None
        try:
            await self._append(made)
        except DuplicateKeyError:  # somebody wrote this stream, or this command was done before
            return None
        return self._written([made])

    async def _loaded(self, origin: Origin, on: On) -> Outcome:
        """Decide on what the journal says."""
        found = await self.journal.load([on.stream])
        if repeated := self._repeated(origin, found):
            return repeated
        made = self._decided(origin, on, self._head(on, found), self.now())
        if made is None:
            return Outcome()
        await self._append(made)
        return self._written([made])

    async def _append(self, made: Made) -> None:
        with self._patience():
            await self.journal.append(made.commit, pending=made.pending)

    async def _in_transaction(self, origin: Origin, on: Sequence[On], also: Sequence[Write]) -> Outcome:
        async with self.database.transaction() as session:
            found = await self.journal.load([o.stream for o in on], session)
            if repeated := self._repeated(origin, found):
                return repeated
            now = self.now()
            every = [made for o in on if (made := self._decided(origin, o, self._head(o, found), now))]
            if len(every) > FEW:
                await self.journal.append_all(((made.commit, made.pending) for made in every), session)
            else:
                for made in every:
                    await self.journal.append(made.commit, pending=made.pending, session=session)
            if every:
                for write in also:
                    await write(session)
        return self._written(every)

    def _written(self, every: Sequence[Made]) -> Outcome:
        """What was done, now that the journal has it."""
        for made in every:
            self._memory.put(made.commit.stream, made.head)
        return Outcome(
            tuple(f"{made.commit.stream}@{made.commit.last}" for made in every),
            tuple(fact for made in every for fact in made.facts),
        )

    @contextmanager
    def _patience(self) -> Iterator[None]:
        """A plain write waits behind another's open transaction: after a moment, see whether that one is dead."""
        loop = asyncio.get_running_loop()
        looks: list[asyncio.Task[int]] = []
        waiting = loop.call_later(
            PATIENCE, lambda: looks.append(loop.create_task(self.database.end_dead_transactions()))
        )
        try:
            yield
        finally:
            waiting.cancel()
            for look in looks:
                look.add_done_callback(lambda done: done.cancelled() or done.exception())

    def _repeated(self, origin: Origin, found: dict[str, list[Commit]]) -> Outcome | None:
        """What this command did when it came before; None where it did not."""
        commits = [c for stream in found.values() for c in stream if c.command_id == origin.command_id]
        if not commits:
            return None
        if any(c.body_digest not in (origin.body_digest, UNKNOWN_BODY) for c in commits):
            raise KeyReused("this idempotency key was used with another body")
        known = tuple(f for c in commits for f in c.facts(self.catalog))
        return Outcome(tuple(f"{c.stream}@{c.last}" for c in commits), known, repeated=True)

    def _head(self, on: On, found: dict[str, list[Commit]]) -> Head:
        commits = found[on.stream]
        return Head.of(commits, self._fold(on.aggregate, commits))

    @staticmethod
    def _decided(origin: Origin, on: On, head: Head, now: datetime) -> Made | None:
        """What follows from the command; None where nothing does."""
        if on.expect is not None and on.expect != head.version:
            raise Stale(on.stream, on.expect, head.version)
        facts = on.aggregate.decide(on.command, head.state, now)
        if not facts:
            return None
        commit = _commit(origin, on, facts, head, now)
        after = Head.of([commit], on.aggregate.fold(facts, head.state))
        return Made(commit, tuple(facts), after, on.aggregate.category.audience is not Audience.sealed)


def _span(origin: Origin, on: Sequence[On]) -> spans.Span:
    """The span of a command: what it asks of the database is inside, and what follows from its facts below."""
    program = allowed.program_of(parts(on[0].stream)[0]) if on else None
    return spans.begin("commit", spans.SpanKind.INTERNAL, {"counterpoint.program": program}, below=origin.traceparent)


def _commit(origin: Origin, on: On, facts: Sequence[Fact], head: Head, now: datetime) -> Commit:
    scope = parts(on.stream)[0]
    for fact in facts:
        if fact.category != on.aggregate.category or fact.scope != scope:
            raise TypeError(f"{type(fact).__name__} does not belong on {on.stream}")
    events = tuple(Event(type(f).__name__, f.v, f.encode()) for f in facts)
    if sum(len(e.data) for e in events) > LARGEST_COMMIT:
        raise ValueError(f"a commit on {on.stream} would be larger than {LARGEST_COMMIT} bytes")
    at = now.replace(microsecond=now.microsecond // 1000 * 1000)
    if origin.anonymous:
        at = at.replace(hour=0, minute=0, second=0, microsecond=0)
    return Commit(
        id=secrets.token_hex(16) if origin.anonymous else new_commit_id(),
        stream=on.stream,
        first=head.version + 1,
        command_id=origin.command_id,
        body_digest=origin.body_digest,
        previous=head.digest,
        at=max(at, head.at) if head.at else at,
        meta=Meta(origin.correlation, origin.causation, origin.traceparent, origin.actor),
        events=events,
    )


def body_digest(body: Any) -> str:
    """The digest of a request's body (bytes or text): tells a repeat from a reused key."""
    return hashlib.sha256(body if isinstance(body, bytes) else str(body).encode()).hexdigest()
