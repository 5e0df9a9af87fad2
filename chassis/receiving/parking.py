"""Parked: what waits for a missing version, or for somebody to look. Only that stream waits, nobody else."""

from __future__ import annotations

from datetime import datetime

from chassis.receiving.records import Heard, Record
from chassis.running.mongo import Document
from contracts.catalog import Catalog, UnknownType
from contracts.envelope import Envelope, Unreadable, from_headers, to_headers

PARKED = "parked"


def heard_row(inbox: str, heard: Heard, now: datetime) -> Document:
    """A fact that cannot be applied yet. The first of a version is kept, later repeats meet it."""
    return {
        "_id": f"{inbox}|{heard.envelope.id}|{heard.envelope.digest[:16]}",
        "kind": "fact",
        "inbox": inbox,
        "stream": heard.envelope.stream,
        "version": heard.envelope.version,
        "headers": [[k, v] for k, v in to_headers(heard.envelope)],
        "value": heard.raw,
        "at": now,
    }


def foreign_row(inbox: str, record: Record, reason: str, now: datetime) -> Document:
    """A record nobody can place: where it is and why; its bytes stay in Kafka."""
    return {
        "_id": f"{inbox}|{record.topic}/{record.partition}@{record.offset}",
        "kind": "record",
        "inbox": inbox,
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "reason": reason[:500],
        "at": now,
    }


def from_row(row: Document, catalog: Catalog) -> Heard:
    """The fact of a parked row, read again: by now this release may know it."""
    envelope: Envelope = from_headers([(k, bytes(v)) for k, v in row["headers"]])
    value = bytes(row["value"])
    try:
        return Heard(envelope, value, catalog.read(envelope.type, envelope.v, value))
    except UnknownType:
        return Heard(envelope, value, None)
    except Unreadable as wrong:
        return Heard(envelope, value, None, str(wrong))
