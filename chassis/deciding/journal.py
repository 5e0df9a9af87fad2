"""The journal: one document per command and stream. It is the truth, and the relay's work list."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from chassis.distributing.slots import slot_of
from chassis.running.mongo import ASCENDING, MAJORITY_READ, Database, IndexModel, Session
from contracts.catalog import Catalog
from contracts.fact import Fact
from contracts.types import instant_text

COLLECTION = "journal"
GENESIS = "0" * 64
"""The digest before a stream's first commit."""
UNKNOWN_BODY = "unknown"
"""The body's digest of a commit that came back from Kafka: a repeat of its command is answered without comparing."""
LARGEST_COMMIT = 256 * 1024
"""Bytes of event data in one commit: what Kafka takes as one record must never be exceeded by a single fact."""


@dataclass(frozen=True, slots=True)
class Event:
    """One fact as it is stored: the JSON text is exactly what will be published."""

    type: str
    v: int
    data: str


@dataclass(frozen=True, slots=True)
class Meta:
    """Where a commit comes from. `actor` never leaves the journal."""

    correlation: str
    causation: str | None = None
    traceparent: str | None = None
    actor: str | None = None


@dataclass(frozen=True, slots=True)
class Commit:
    """All that one command added to one stream: versions `first` to `last`."""

    id: str
    stream: str
    first: int
    command_id: str
    body_digest: str
    previous: str
    at: datetime
    meta: Meta
    events: tuple[Event, ...]
    digest: str = field(default="")

    def __post_init__(self) -> None:
        if not self.digest:
            object.__setattr__(self, "digest", chain(self.previous, self.stream, self.first, self.at, self.events))

    @property
    def last(self) -> int:
        return self.first + len(self.events) - 1

    def document(self, *, pending: bool) -> dict[str, Any]:
        """As MongoDB keeps it. Sealed categories are never pending."""
        doc: dict[str, Any] = {
            "_id": self.id,
            "stream": self.stream,
            "from": self.first,
            "to": self.last,
            "slot": slot_of(self.stream),
            "command_id": self.command_id,
            "body_digest": self.body_digest,
            "previous": self.previous,
            "digest": self.digest,
            "at": self.at,
            "meta": {k: v for k in Meta.__slots__ if (v := getattr(self.meta, k)) is not None},
            "events": [{"type": e.type, "v": e.v, "data": e.data} for e in self.events],
        }
        if pending:
            doc["pending"] = True
        return doc

    @classmethod
    def from_document(cls, doc: dict[str, Any]) -> Commit:
        return cls(
            id=doc["_id"],
            stream=doc["stream"],
            first=doc["from"],
            command_id=doc["command_id"],
            body_digest=doc["body_digest"],
            previous=doc["previous"],
            at=doc["at"],
            meta=Meta(**doc["meta"]),
            events=tuple(Event(e["type"], e["v"], e["data"]) for e in doc["events"]),
            digest=doc["digest"],
        )

    def facts(self, catalog: Catalog) -> list[Fact]:
        """Its facts, in the newest models."""
        return [catalog.read(e.type, e.v, e.data) for e in self.events]


def chain(previous: str, stream: str, first: int, at: datetime, events: Iterable[Event]) -> str:
    """The digest of a commit: SHA-256 over the previous digest and everything of it that is published."""
    h = hashlib.sha256(f"{previous}\n{stream}\n{first}\n{instant_text(at)}\n".encode())
    for e in events:
        h.update(f"{e.type}:{e.v}:{e.data}\n".encode())
    return h.hexdigest()


class Journal:
    """Reads whole streams and appends commits. Every read is at majority: what it shows cannot be rolled back."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._collection = database.collection(COLLECTION, read_concern=MAJORITY_READ)

    async def prepare(self) -> None:
        """Create the indexes: optimistic concurrency, idempotency, and the relay's work list."""
        await self._database.index(
            COLLECTION,
            [
                IndexModel([("stream", ASCENDING), ("from", ASCENDING)], name="version", unique=True),
                IndexModel([("stream", ASCENDING), ("command_id", ASCENDING)], name="command", unique=True),
                IndexModel(
                    [("slot", ASCENDING), ("stream", ASCENDING), ("from", ASCENDING)],
                    name="pending",
                    partialFilterExpression={"pending": True},
                ),
            ],
        )

    async def load(self, streams: Sequence[str], session: Session | None = None) -> dict[str, list[Commit]]:
        """The commits of each stream, in order. One round trip for up to a few thousand commits."""
        which = {"stream": streams[0]} if len(streams) == 1 else {"stream": {"$in": list(streams)}}
        cursor = self._collection.find(which, session=session, batch_size=5000).sort([("stream", 1), ("from", 1)])
        found: dict[str, list[Commit]] = {stream: [] for stream in streams}
        for doc in await cursor.to_list(None):
            found[doc["stream"]].append(Commit.from_document(doc))
        return found

    async def scan(self, prefix: str) -> dict[str, list[Commit]]:
        """The commits of every stream whose name begins with `prefix` (a scope and a category), in order."""
        which = {"stream": {"$gte": prefix, "$lt": prefix + "\uffff"}}
        cursor = self._collection.find(which, batch_size=5000).sort([("stream", 1), ("from", 1)])
        found: dict[str, list[Commit]] = {}
        async for doc in cursor:
            found.setdefault(doc["stream"], []).append(Commit.from_document(doc))
        return found

    async def append(self, commit: Commit, *, pending: bool, session: Session | None = None) -> None:
        """Insert one commit. Raises `DuplicateKeyError` where the version or the command is there already."""
        await self._collection.insert_one(commit.document(pending=pending), session=session)

    async def append_all(self, commits: Iterable[tuple[Commit, bool]], session: Session) -> None:
        """Insert many commits, each with whether it is pending, in one round trip. Raises `WriteFailed` where a version
        or a command is there already."""
        documents = [commit.document(pending=pending) for commit, pending in commits]
        await self._database.insert(COLLECTION, documents, session)
