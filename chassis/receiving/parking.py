"""Parked: what waits for a missing version, or for somebody to look. Only that stream waits, nobody else."""

from __future__ import annotations

from datetime import datetime

from chassis.receiving.records import Heard, Record, heard
from chassis.running.mongo import Document
from contracts.catalog import Catalog
from contracts.envelope import from_headers, to_headers

PARKED = "parked"
DROPS = "drops"
"""What operators dropped: who, when, why. Rows are inserted and read, nothing else."""


def heard_row(inbox: str, fact: Heard, now: datetime) -> Document:
    """A fact that cannot be applied yet. A repeat meets its `_id`; the same version with other content has its own."""
    return {
        "_id": f"{inbox}|{fact.envelope.id}|{fact.envelope.digest[:16]}",
        "kind": "fact",
        "inbox": inbox,
        "stream": fact.envelope.stream,
        "version": fact.envelope.version,
        "headers": [[k, v] for k, v in to_headers(fact.envelope) if k != "traceparent" or fact.envelope.hop],
        "value": fact.raw,
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
    return heard(from_headers([(k, bytes(v)) for k, v in row["headers"]]), bytes(row["value"]), catalog)
