"""A page of the feed is a JSON batch of CloudEvents, as the official SDK reads them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime

from cloudevents.http import from_json

from contracts.envelope import Envelope, Headers, to_headers
from outlet.batch import batch


@dataclass
class Sent:
    """A record as Kafka has it."""

    value: bytes
    headers: Headers
    topic: str = "counterpoint.matching.events"
    partition: int = 0
    offset: int = 0
    timestamp: int = 0
    key: bytes | None = None


def test_the_official_sdk_reads_what_is_handed_over() -> None:
    e = Envelope(
        service="matching", type="PairFormed", v=1, stream="pr_1/pair/pa_1", version=1,
        at=datetime(2026, 1, 1, 12, tzinfo=UTC), digest="d", commit="c", first=1, last=1, command="x",
        correlation="y", traceparent="00-" + "1" * 32 + "-" + "2" * 16 + "-01",
    )  # fmt: skip
    text = '{"program":"pr_1",  "word":"„ä“","of":1.50}'
    told = batch([Sent(text.encode(), to_headers(e)), Sent(b"{}", to_headers(e))])
    assert text.encode() in told  # the very bytes
    first, second = json.loads(told)
    event = from_json(json.dumps(first))
    assert (event["id"], event["type"], event["source"]) == (
        e.id,
        "counterpoint.matching.PairFormed",
        "/counterpoint/matching",
    )
    assert (event["sequence"], event["program"], event["traceparent"]) == ("1", "pr_1", e.traceparent)
    assert event["datacontenttype"] == "application/json" and event["specversion"] == "1.0"
    assert event.data == json.loads(text) and second["data"] == {}
    assert all(name.isalnum() and name == name.lower() for name in first)
