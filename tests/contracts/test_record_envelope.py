"""The envelope is CloudEvents in Kafka's binary mode, as the official SDK reads it; what is not whole is refused."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from cloudevents.kafka import KafkaMessage, from_binary, to_binary
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.envelope import Envelope, Headers, Unreadable, from_headers, to_headers

word = st.text("abcdefghijklmnopqrstuvwxyz0123456789-", min_size=1, max_size=30)
hexadecimal = st.text("0123456789abcdef", min_size=64, max_size=64)
traceparents = st.from_regex(r"00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]", fullmatch=True)


def _milliseconds(at: datetime) -> datetime:
    return at.replace(microsecond=at.microsecond // 1000 * 1000)


@st.composite
def envelopes(draw: st.DrawFn) -> Envelope:
    first, version, last = sorted(draw(st.lists(st.integers(1, 2**53), min_size=3, max_size=3)))
    return Envelope(
        service=draw(word),
        type=draw(st.from_regex(r"[A-Z][A-Za-z]{2,20}", fullmatch=True)),
        v=draw(st.integers(1, 99)),
        stream="/".join(draw(st.lists(word, min_size=3, max_size=3))),
        version=version,
        at=draw(st.datetimes(min_value=datetime(1970, 1, 1), timezones=st.just(UTC)).map(_milliseconds)),  # noqa: DTZ001
        digest=draw(hexadecimal),
        commit=draw(word),
        first=first,
        last=last,
        command=draw(word),
        correlation=draw(word),
        causation=draw(st.none() | word),
        traceparent=draw(st.none() | traceparents),
    )


@given(envelopes())
def test_an_envelope_comes_back_from_its_headers(envelope: Envelope) -> None:
    assert from_headers(to_headers(envelope)) == envelope


@pytest.mark.guarantee("running")
@given(envelopes(), st.dictionaries(word, st.integers()))
def test_the_official_sdk_reads_what_we_write(envelope: Envelope, data: dict[str, int]) -> None:
    headers = dict(to_headers(envelope))
    event = from_binary(KafkaMessage(headers, envelope.stream, json.dumps(data).encode()))
    assert event.data == data
    assert event["id"] == f"{envelope.stream}@{envelope.version}"
    assert event["source"] == f"/counterpoint/{envelope.service}"
    assert event["type"] == f"counterpoint.{envelope.service}.{envelope.type}"
    assert event["subject"] == event["partitionkey"] == envelope.stream
    assert event["specversion"] == "1.0"
    assert event["datacontenttype"] == "application/json"
    assert datetime.fromisoformat(event["time"]) == envelope.at
    assert event["sequence"] == str(envelope.version)
    assert event.get("traceparent") == envelope.traceparent


@given(envelopes())
def test_we_read_what_the_official_sdk_writes(envelope: Envelope) -> None:
    event = from_binary(KafkaMessage(dict(to_headers(envelope)), envelope.stream, b"{}"))
    written = to_binary(event)
    assert from_headers([*written.headers.items(), ("content-type", b"application/json")]) == envelope


@given(envelopes())
def test_attribute_names_are_legal(envelope: Envelope) -> None:
    for name, _ in to_headers(envelope):
        assert name in ("content-type", "traceparent") or name.removeprefix("ce_").isalnum()
        assert name == name.lower()


ONE = Envelope(
    service="matching",
    type="PairFormed",
    v=1,
    stream="pr_a/pair/pa_b",
    version=2,
    at=datetime(2027, 1, 1, tzinfo=UTC),
    digest="0" * 64,
    commit="c",
    first=1,
    last=3,
    command="k",
    correlation="r",
)


def with_header(name: str, value: bytes | None) -> Headers:
    """ONE's headers with another value of one; without it where the value is None."""
    kept = [(k, v) for k, v in to_headers(ONE) if k != name]
    return kept if value is None else [*kept, (name, value)]


NEEDED = [name for name, _ in to_headers(ONE) if name not in ("content-type", "ce_id", "ce_source", "ce_program")]


@pytest.mark.parametrize("name", [*NEEDED, "ce_id"])
def test_a_missing_header_is_named(name: str) -> None:
    with pytest.raises(Unreadable, match=name):
        from_headers(with_header(name, None))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ce_specversion", b"0.3"),
        ("ce_type", b"someone.matching.PairFormed"),
        ("ce_type", b"PairFormed"),
        ("ce_dataschema", b"urn:elsewhere:PairFormed:1"),
        ("ce_dataschema", b"urn:counterpoint:schema:PairFormed:one"),
        ("ce_subject", b"pair/pa_b"),
        ("ce_sequence", b"4"),
        ("ce_id", b"pr_a/pair/pa_b@3"),
        ("ce_range", b"3-1"),
        ("ce_range", b"2"),
        ("ce_time", b"yesterday"),
        ("ce_time", b"2027-01-01T00:00:00"),
        ("ce_correlation", b"\xff"),
    ],
)
def test_a_wrong_header_is_refused(name: str, value: bytes) -> None:
    with pytest.raises(Unreadable):
        from_headers(with_header(name, value))


def test_a_header_without_a_value_is_refused() -> None:
    with pytest.raises(Unreadable, match="ce_command"):
        from_headers([*with_header("ce_command", None), ("ce_command", None)])  # type: ignore[list-item]


@settings(max_examples=300)
@given(st.sampled_from([name for name, _ in to_headers(ONE)]), st.binary(max_size=40))
def test_a_damaged_header_is_refused_or_harmless_but_never_a_crash(name: str, value: bytes) -> None:
    with suppress(Unreadable):
        assert from_headers(with_header(name, value)).at.tzinfo is not None


@given(st.lists(st.tuples(st.text(max_size=20), st.binary(max_size=20)), max_size=10))
def test_a_foreign_record_is_refused(headers: Headers) -> None:
    with pytest.raises(Unreadable):
        from_headers(headers)
