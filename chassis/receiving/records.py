"""A record of Kafka becomes something heard, a state document, or the reason why it is neither."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from pydantic import BaseModel, ValidationError

from chassis.receiving.views import StateView
from contracts.catalog import Catalog, NewerVersion, UnknownType
from contracts.envelope import Envelope, Unreadable, from_headers
from contracts.fact import Fact
from contracts.streams import HEARTBEAT, topic_of


class Record(Protocol):
    """What we use of aiokafka's `ConsumerRecord`."""

    @property
    def topic(self) -> str: ...
    @property
    def partition(self) -> int: ...
    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Sequence[tuple[str, bytes]]: ...


@dataclass(frozen=True, slots=True)
class Heard:
    """One fact as it arrived. `fact` is None where its type is unknown (it still counts) or `trouble` says why not.

    `needs` is the `<fact>:<version>` that a newer release reads and this one does not.
    """

    envelope: Envelope
    raw: bytes
    fact: Fact | None
    trouble: str | None = None
    needs: str | None = None


@dataclass(frozen=True, slots=True)
class Latest:
    """One state document as it arrived; `doc` is None for a tombstone, whose revision is higher than any."""

    view: StateView[Any]
    key: str
    rev: int
    doc: BaseModel | None


@dataclass(frozen=True, slots=True)
class Foreign:
    """A record that is not ours, or that nobody can place: counted and kept, never in the way."""

    reason: str


TOMBSTONE = 2**62
"""The revision of a tombstone: nothing that was sent late may come after it."""


def read_fact(record: Record, catalog: Catalog, categories: frozenset[str]) -> Heard | Foreign | None:
    """The fact of a record; None where no view or task of this service hears its category."""
    try:
        e = from_headers(record.headers)
        if record.key != e.stream.encode():
            raise Unreadable(f"the key {record.key!r} is not the stream {e.stream!r}")
    except Unreadable as wrong:
        return Foreign(str(wrong))
    category = catalog.categories.get(e.category)
    if category is None:
        return Foreign(f"nobody knows the category {e.category!r}")
    if category.topic != topic_of(record.topic) or category.service != e.service:
        return Foreign(f"{e.category!r} facts do not travel on {record.topic}")
    if e.category not in categories:
        return None
    return heard(e, record.value or b"", catalog)


def heard(envelope: Envelope, value: bytes, catalog: Catalog) -> Heard:
    """The fact as this release reads it; with `trouble` where it cannot be read or is not where it belongs."""
    try:
        fact = catalog.read(envelope.type, envelope.v, value)
        if fact.category.name != envelope.category or fact.scope != envelope.scope:
            raise Unreadable(f"{envelope.type} does not belong on {envelope.stream}")
        return Heard(envelope, value, fact)
    except UnknownType:
        return Heard(envelope, value, None)
    except NewerVersion as newer:
        return Heard(envelope, value, None, str(newer), newer.needs)
    except Unreadable as wrong:
        return Heard(envelope, value, None, str(wrong))


def read_latest(record: Record, view: StateView[Any]) -> Latest | Foreign | None:
    """The state document of a record of a compacted topic; None where it says nothing."""
    if record.key is None:
        return Foreign("a record of a compacted topic without a key")
    key = record.key.decode(errors="replace")
    if key.startswith(HEARTBEAT):
        return None
    if record.value is None:
        return Latest(view, key, TOMBSTONE, None)
    try:
        fields = json.loads(record.value)
        return Latest(view, key, int(fields["rev"]), None if fields.get("erased") else view.model(**fields))
    except (ValueError, KeyError, TypeError, ValidationError) as wrong:
        return Foreign(f"not a document of {view.topic}: {type(wrong).__name__}")
