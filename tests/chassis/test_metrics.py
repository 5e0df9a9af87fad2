"""Metrics: what they are told apart by, what their buckets fit, which trace they lead to, and what gauges say when."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient
from opentelemetry import trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, Metric
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, ParentBased

from chassis.running import figures, problems, tracing
from chassis.running.figures import LOOK_SECONDS, Figures, Waiting
from chassis.running.metrics import SECONDS, Metrics
from chassis.running.problems import Problem
from chassis.running.settings import Role
from chassis.running.tracing import Tracing
from chassis.testing.tally import TallyServices

SAMPLED = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
NOT_SAMPLED = "00-1af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"


class Meter:
    """Instruments whose figures can be read at once."""

    def __init__(self) -> None:
        self.reader = InMemoryMetricReader()
        provider = MeterProvider([self.reader], views=Metrics().views)
        self.metrics = Metrics(provider.get_meter("counterpoint"))

    def read(self, name: str) -> list[Any]:
        """The points of a metric."""
        data = self.reader.get_metrics_data()
        found: list[Metric] = [
            m for r in (data.resource_metrics if data else ()) for s in r.scope_metrics for m in s.metrics
        ]
        return [point for metric in found if metric.name == name for point in metric.data.data_points]


@pytest.fixture
def meter(monkeypatch: pytest.MonkeyPatch) -> Iterator[Meter]:
    made = Meter()
    tracer = TracerProvider(sampler=ParentBased(ALWAYS_ON)).get_tracer("test")
    monkeypatch.setattr(tracing, "METRICS", made.metrics)
    monkeypatch.setattr("chassis.running.spans.tracer", lambda: tracer)
    yield made
    made.reader.shutdown()


async def ask(method: str, path: str, traceparent: str = SAMPLED) -> int:
    """The status of the answer of a small application that is traced as a service is."""
    app = FastAPI()
    problems.install(app)
    app.add_middleware(Tracing)

    @app.get("/things/{thing}")
    async def get(thing: str) -> str:
        if thing == "odd":
            raise Problem(409, "odd-thing", f"{thing} is odd")
        return thing

    async with AsyncClient(transport=ASGITransport(app), base_url="http://test") as client:
        return (await client.request(method, path, headers={"traceparent": traceparent})).status_code


async def test_a_request_is_counted_by_its_route_and_never_by_what_it_is_about(meter: Meter) -> None:
    for thing in ("Ada", "Grace"):
        assert await ask("GET", f"/things/{thing}") == 200
    (point,) = meter.read("http.server.request.duration")
    assert point.count == 2 and dict(point.attributes) == {
        "http.request.method": "GET",
        "http.route": "/things/{thing}",
        "http.response.status_code": 200,
        "url.scheme": "http",
    }


async def test_whatever_is_sent_as_a_method_is_one(meter: Meter) -> None:
    for method in ("PROPFIND", "ADA"):
        assert await ask(method, "/things/1") == 405
    (point,) = meter.read("http.server.request.duration")
    assert point.attributes["http.request.method"] == "_OTHER"


async def test_a_refusal_is_counted_by_its_type(meter: Meter) -> None:
    assert await ask("GET", "/things/odd") == 409
    assert await ask("GET", "/nothing") == 404
    assert await ask("GET", "/things/1") == 200
    told = {
        (p.attributes["counterpoint.problem"], p.attributes["http.route"]) for p in meter.read("counterpoint.problems")
    }
    assert told == {("odd-thing", "/things/{thing}"), ("not-found", "unmatched")}


async def test_an_exemplar_leads_to_a_trace_that_is_kept_and_to_no_other(meter: Meter) -> None:
    await ask("GET", "/things/1", NOT_SAMPLED)
    (point,) = meter.read("http.server.request.duration")
    assert not point.exemplars
    await ask("GET", "/things/1", SAMPLED)
    (point,) = meter.read("http.server.request.duration")
    assert {format(e.trace_id, "032x") for e in point.exemplars} == {SAMPLED.split("-")[1]}


@pytest.mark.guarantee("running")
def test_what_is_on_no_list_does_not_leave_the_process(meter: Meter) -> None:
    meter.metrics.commands.add(1, {"person": "Ada"})
    meter.metrics.facts.add(1, {"counterpoint.fact": "PairFormed", "counterpoint.stream": "pr_1/pair/p_2"})
    assert [dict(p.attributes) for p in meter.read("counterpoint.commands")] == [{}]
    assert [dict(p.attributes) for p in meter.read("counterpoint.facts")] == [{"counterpoint.fact": "PairFormed"}]


@pytest.mark.guarantee("running")
def test_no_list_has_who_or_what_it_is_about() -> None:
    labels = {label for each in Metrics().all for label in each.labels}
    assert not {label for label in labels if label.endswith((".id", ".key", ".stream", ".person", ".path", ".text"))}
    assert len(labels) <= 20


def test_buckets_are_in_seconds_and_fit_what_is_waited_for(meter: Meter) -> None:
    meter.metrics.http_duration.record(0.0007)
    (point,) = meter.read("http.server.request.duration")
    assert tuple(point.explicit_bounds) == SECONDS and (SECONDS[0], SECONDS[-1]) == (0.001, 10.0)
    assert point.bucket_counts[0] == 1


def test_a_gauge_says_what_is_so_when_it_is_asked_and_nothing_once_its_source_has_ended(meter: Meter) -> None:
    ages = [3.0]
    end = meter.metrics.watch(lambda: [("counterpoint.inbox.lag", ages[0], {"messaging.destination.name": "a"})])
    assert [p.value for p in meter.read("counterpoint.inbox.lag")] == [3.0]
    ages[0] = 4.5
    assert [p.value for p in meter.read("counterpoint.inbox.lag")] == [4.5]
    end()
    assert meter.read("counterpoint.inbox.lag") == []


def figures_of(role: Role) -> Figures:
    """The figures of a process of the writer of the tally services."""
    runtime: Any = SimpleNamespace(service=TallyServices("t").writer, settings=SimpleNamespace(role=role, kafka=""))
    return Figures(runtime)


def test_what_was_never_decided_is_counted_from_nothing_so_that_the_first_one_is_seen(
    meter: Meter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(figures, "METRICS", meter.metrics)
    figures_of(Role.api)._begin_counting()
    assert [(dict(p.attributes), p.value) for p in meter.read("counterpoint.facts")] == [
        ({"counterpoint.fact": "Added"}, 0)
    ]
    assert [p.value for p in meter.read("counterpoint.commands")] == [0]


def test_a_relay_alone_decides_nothing(meter: Meter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figures, "METRICS", meter.metrics)
    figures_of(Role.relay)._begin_counting()
    assert meter.read("counterpoint.facts") == []


def test_what_waits_for_a_moment_does_not_age_between_two_looks_but_does_when_none_succeeds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 100.0
    monkeypatch.setattr(figures.time, "monotonic", lambda: now)
    waiting = Waiting(count=1, seconds=0.2, at=now)
    now += LOOK_SECONDS
    assert waiting.age == 0.2
    now += 60
    assert waiting.age == pytest.approx(60.2 + LOOK_SECONDS)
    assert Waiting().age == 0.0


def test_a_name_is_one_instrument() -> None:
    names = [each.name for each in Metrics().all]
    assert len(names) == len(set(names))
    assert trace.get_current_span() is trace.INVALID_SPAN
