"""The envelope: CloudEvents 1.0 in Kafka's binary mode, written and read by hand because it is on the hot path."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from contracts.streams import parts
from contracts.types import instant_text

Headers = list[tuple[str, bytes]]

SCHEMA_URN = "urn:counterpoint:schema:"
_STATIC: Headers = [("ce_specversion", b"1.0"), ("content-type", b"application/json")]


class Unreadable(ValueError):
    """A record that is not one of our envelopes, or not a whole one."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """Everything about one published fact but the fact itself.

    `commit`, `first` and `last` name the commit it was decided in and that commit's first and last version; `command`
    is the id of the command; `digest` is the commit's link in the stream's chain. With them a journal can be
    restored from Kafka alone. Who acted is in none of them. `traceparent` is the trace the fact was decided in; `hop`,
    of the record and not of the fact, the span it was sent in: None where it was sent again from the journal.
    """

    service: str
    type: str
    v: int
    stream: str
    version: int
    at: datetime
    digest: str
    commit: str
    first: int
    last: int
    command: str
    correlation: str
    causation: str | None = None
    traceparent: str | None = None
    hop: str | None = field(default=None, compare=False)

    @property
    def id(self) -> str:
        """`<stream>@<version>`: the same on every repeat."""
        return f"{self.stream}@{self.version}"

    @property
    def scope(self) -> str:
        return parts(self.stream)[0]

    @property
    def category(self) -> str:
        return parts(self.stream)[1]


def to_headers(e: Envelope) -> Headers:
    """The headers of a record. The record's key is the stream, its value the fact's JSON."""
    headers = [
        *_STATIC,
        ("ce_id", e.id.encode()),
        ("ce_source", f"/counterpoint/{e.service}".encode()),
        ("ce_type", f"counterpoint.{e.service}.{e.type}".encode()),
        ("ce_subject", e.stream.encode()),
        ("ce_time", instant_text(e.at).encode()),
        ("ce_dataschema", f"{SCHEMA_URN}{e.type}:{e.v}".encode()),
        ("ce_sequence", str(e.version).encode()),
        ("ce_program", e.scope.encode()),
        ("ce_digest", e.digest.encode()),
        ("ce_commit", e.commit.encode()),
        ("ce_range", f"{e.first}-{e.last}".encode()),
        ("ce_command", e.command.encode()),
        ("ce_correlation", e.correlation.encode()),
    ]
    if e.causation:
        headers.append(("ce_causation", e.causation.encode()))
    if e.traceparent:
        headers.append(("ce_traceparent", e.traceparent.encode()))
        headers.append(("traceparent", (e.hop or e.traceparent).encode()))
    return headers


def from_headers(headers: Sequence[tuple[str, bytes]]) -> Envelope:
    """The envelope of a record. Raises `Unreadable`, naming the header that is missing or wrong."""
    h = {name: value for name, value in headers if value is not None}  # Kafka allows a header without a value
    try:
        if h["ce_specversion"] != b"1.0":
            raise Unreadable(f"ce_specversion is {h['ce_specversion']!r}, not 1.0")
        prefix, service, type_ = h["ce_type"].decode().split(".")
        schema = h["ce_dataschema"].decode()
        first, _, last = h["ce_range"].decode().partition("-")
        stream = h["ce_subject"].decode()
        parts(stream)
        at = datetime.fromisoformat(h["ce_time"].decode())
        if at.tzinfo is None:
            raise Unreadable(f"ce_time {at} has no zone")
        envelope = Envelope(
            service=service,
            type=type_,
            v=int(schema.rpartition(":")[2]),
            stream=stream,
            version=int(h["ce_sequence"]),
            at=at,
            digest=h["ce_digest"].decode(),
            commit=h["ce_commit"].decode(),
            first=int(first),
            last=int(last),
            command=h["ce_command"].decode(),
            correlation=h["ce_correlation"].decode(),
            causation=_text(h.get("ce_causation")),
            traceparent=_text(h.get("ce_traceparent")),
            hop=_text(h.get("traceparent")),
        )
    except KeyError as missing:
        raise Unreadable(f"the record has no header {missing.args[0]}") from None
    except (ValueError, UnicodeDecodeError) as wrong:
        raise Unreadable(str(wrong)) from None
    if prefix != "counterpoint" or schema != f"{SCHEMA_URN}{type_}:{envelope.v}":
        raise Unreadable(f"ce_type {h['ce_type']!r} and ce_dataschema {schema!r} are not ours")
    if h.get("ce_id") != envelope.id.encode():
        raise Unreadable(f"ce_id {h.get('ce_id')!r} is not {envelope.id!r}")
    if not 1 <= envelope.first <= envelope.version <= envelope.last:
        raise Unreadable(f"version {envelope.version} is outside its commit {first}-{last}")
    return envelope


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode()
