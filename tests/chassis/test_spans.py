"""What a finished span is on a line of the local stack's file, and which process it says it comes from."""

import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.trace import Link, SpanKind, set_span_in_context

from chassis import RELEASE
from chassis.receiving.runner import _span
from chassis.running import spans
from chassis.running.spanfile import SpanFile, plain
from chassis.running.telemetry import resource_of
from tests.integration.spans import ABOVE, SAMPLED, TRACE, recorded

ROOT = Path(__file__).parents[2]


def test_a_line_says_whose_it_is_where_it_belongs_and_what_it_is_linked_to(tmp_path: Path) -> None:
    provider = TracerProvider(resource=resource_of("tally", "worker", "local"))
    provider.add_span_processor(SimpleSpanProcessor(SpanFile(tmp_path / "spans" / "tally.jsonl")))
    tracer = provider.get_tracer("test")
    other = tracer.start_span("other")
    above = tracer.start_span("above")
    below = tracer.start_span(
        "below",
        context=set_span_in_context(above),
        kind=SpanKind.CONSUMER,
        links=[Link(other.get_span_context())],
        attributes={"counterpoint.fact": "Counted"},
    )
    for span in (below, above, other):
        span.end()
    line = plain(below)  # type: ignore[arg-type]
    ids = {name: span.get_span_context() for name, span in (("above", above), ("below", below), ("other", other))}
    assert line["trace"] == format(ids["above"].trace_id, "032x")
    assert (line["span"], line["parent"]) == (
        format(ids["below"].span_id, "016x"),
        format(ids["above"].span_id, "016x"),
    )
    assert line["links"] == [
        {"trace": format(ids["other"].trace_id, "032x"), "span": format(ids["other"].span_id, "016x")}
    ]
    assert (line["service"], line["role"]) == ("counterpoint-tally", "worker")
    assert (line["name"], line["kind"], line["status"]) == ("below", "consumer", "unset")
    assert line["attributes"] == {"counterpoint.fact": "Counted"}
    assert 0 < line["start_ns"] <= line["end_ns"]
    assert plain(above)["parent"] is None  # type: ignore[arg-type]
    assert len((tmp_path / "spans" / "tally.jsonl").read_text().splitlines()) == 3


def test_telemetry_says_which_process_it_comes_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(
        "OTEL_RESOURCE_ATTRIBUTES", "k8s.pod.name=tally-0,service.instance.id=tally-0,service.name=other"
    )
    said = dict(resource_of("tally", "api", "production").attributes)
    assert {name: said[name] for name in said if not name.startswith("telemetry.")} == {
        "service.name": "counterpoint-tally",
        "service.namespace": "counterpoint",
        "service.version": RELEASE,
        "service.instance.id": "tally-0",
        "counterpoint.role": "api",
        "deployment.environment.name": "production",
        "k8s.pod.name": "tally-0",
    }
    monkeypatch.delenv("OTEL_RESOURCE_ATTRIBUTES")
    one, another = (resource_of("tally", "api", "production").attributes["service.instance.id"] for _ in range(2))
    assert one != another


def test_the_release_is_the_packages_version() -> None:
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"] == RELEASE


def row(said: datetime, due: datetime, traceparent: str | None) -> dict[str, object]:
    order = f"{said.timestamp():015.3f}|pr_x/tally/one|000000001"
    scope = "pr_" + "a" * 26
    return {"order": order, "due": due, "traceparent": traceparent, "task": "echo", "type": "Added", "scope": scope,
            "attempts": 2}  # fmt: skip


def test_what_has_waited_for_its_time_begins_a_trace_that_is_linked_to_the_one_it_comes_from(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said = datetime(2026, 3, 2, tzinfo=UTC)
    with recorded(monkeypatch) as kept:
        for due in (said, said + timedelta(seconds=10), said + timedelta(days=90)):
            found = _span(row(said, due, SAMPLED))
            assert found is not None
            found.end()
        assert _span(row(said, said, SAMPLED[:-1] + "0")) is None and _span(row(said, said, None)) is None
    soon, later, late = kept.all
    assert {soon["trace"], later["trace"]} == {TRACE} and {soon["parent"], later["parent"]} == {ABOVE}
    assert late["trace"] != TRACE and late["parent"] is None
    assert late["links"] == [{"trace": TRACE, "span": ABOVE}]
    assert late["attributes"] == {
        "counterpoint.task": "echo", "counterpoint.fact": "Added", "counterpoint.program": "pr_" + "a" * 26,
        "counterpoint.attempt": 3, "counterpoint.late": True,
    }  # fmt: skip


@pytest.mark.parametrize("flags", range(256))
def test_the_sampled_bit_is_read(flags: int) -> None:
    assert spans.is_sampled(f"00-{TRACE}-{ABOVE}-{flags:02x}") == bool(flags & 1)
    assert not spans.is_sampled(None) and not spans.is_sampled("")
