"""Metrics: the instruments of a process, what each may be told apart by, and where their figures go."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

from opentelemetry import metrics
from opentelemetry.metrics import CallbackOptions, Counter, Histogram, Meter, Observation
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricReader, PeriodicExportingMetricReader
from opentelemetry.sdk.metrics.view import View
from opentelemetry.sdk.resources import Resource

EXPORT_SECONDS = 15.0
"""How often figures are sent where `OTEL_METRIC_EXPORT_INTERVAL` says nothing else."""
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Bounds of the buckets of what is waited for: from one read in the database to where a caller has given up."""
LONG = (0.01, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0)
"""The same of what may take long: a task, and how old a fact is when it takes effect."""

Figure = tuple[str, float, Mapping[str, str]]
"""The name of a gauge, its value, and what it is told apart by."""


@dataclass(frozen=True)
class Instrument:
    """One instrument: `unit` is a UCUM unit, or what is counted in braces; other `labels` never leave the process."""

    kind: Literal["counter", "gauge", "histogram"]
    name: str
    unit: str
    meaning: str
    labels: tuple[str, ...]


class Metrics:
    """The instruments of a process. Counters only grow; gauges are looked up at the moment they are sent."""

    def __init__(self, meter: Meter | None = None) -> None:
        self.all: list[Instrument] = []
        self._meter = meter or metrics.get_meter("counterpoint")
        self._sources: list[Callable[[], Iterable[Figure]]] = []
        self.http_duration = self._histogram(
            "http.server.request.duration", SECONDS, "time to answer a request",
            "http.request.method", "http.route", "http.response.status_code", "url.scheme",
        )  # fmt: skip
        self.problems = self._counter(
            "counterpoint.problems", "{problem}", "requests refused, or failed, by the type of problem",
            "http.request.method", "http.route", "http.response.status_code", "counterpoint.problem",
        )  # fmt: skip
        self.commands = self._counter("counterpoint.commands", "{command}", "commands that wrote facts")
        self.conflicts = self._counter("counterpoint.conflicts", "{try}", "tries that met a quicker writer")
        self.facts = self._counter(
            "counterpoint.facts", "{fact}", "facts decided, by type; sealed ones are not counted", "counterpoint.fact"
        )
        self.database_duration = self._histogram(
            "db.client.operation.duration", SECONDS, "time of a round trip to the database",
            "db.system.name", "db.operation.name", "db.collection.name", "error.type",
        )  # fmt: skip
        sending = ("messaging.system.name", "messaging.operation.name", "messaging.destination.name", "error.type")
        self.sent_duration = self._histogram(
            "messaging.client.operation.duration", SECONDS, "time until Kafka has acknowledged a batch", *sending
        )
        self.sent = self._counter("messaging.client.sent.messages", "{message}", "records sent to Kafka", *sending)
        hearing = ("messaging.system.name", "messaging.operation.name", "messaging.consumer.group.name", "error.type")
        self.batch_duration = self._histogram(
            "messaging.process.duration", SECONDS, "time until a batch has taken effect", *hearing
        )
        self.consumed = self._counter(
            "messaging.client.consumed.messages", "{message}", "records that came from Kafka", *hearing
        )
        self.projected = self._counter("counterpoint.inbox.projected", "{fact}", "facts that took effect")
        self.repeats = self._counter("counterpoint.inbox.repeats", "{fact}", "facts seen before and skipped")
        self.foreign = self._counter("counterpoint.inbox.foreign", "{record}", "records that are no fact of ours")
        self.delay = self._histogram(
            "counterpoint.inbox.delay", LONG, "age of the oldest record of a batch when it took effect"
        )
        self.task_duration = self._histogram(
            "counterpoint.task.duration", LONG, "time of one try of a task, and what came of it",
            "counterpoint.task", "counterpoint.outcome",
        )  # fmt: skip
        self._gauge(
            "counterpoint.relay.working", "{process}", "1 in the process that publishes, 0 in those that stand by"
        )
        self._gauge("counterpoint.relay.pending", "{commit}", "commits that wait to be published, up to 10,000")
        self._gauge("counterpoint.relay.pending.age", "s", "how long the oldest of them has waited")
        self._gauge(
            "counterpoint.inbox.lag", "s", "age of the oldest record not yet applied", "messaging.destination.name"
        )
        self._gauge("counterpoint.inbox.behind", "{record}", "records not yet applied", "messaging.destination.name")
        waiting = ("counterpoint.kind", "counterpoint.reason", "counterpoint.task")
        self._gauge("counterpoint.parked", "{thing}", "streams, records and tasks that wait for somebody", *waiting)
        self._gauge("counterpoint.parked.age", "s", "how long the longest of them has waited", *waiting)
        self._gauge("counterpoint.tasks.due", "{task}", "tasks that could run now and do not", "counterpoint.task")
        self._gauge("counterpoint.tasks.late", "s", "how long the oldest of them has waited", "counterpoint.task")
        self._gauge("counterpoint.tasks.running", "{task}", "tasks that this process is doing", "counterpoint.task")
        self._gauge("counterpoint.tasks.running.age", "s", "how long it has been at the longest", "counterpoint.task")
        self._gauge("counterpoint.tasks.running.done", "{step}", "steps that the longest has done", "counterpoint.task")
        self._gauge("counterpoint.process.waiting", "{part}", "1 for what is missing and needed", "counterpoint.part")

    @property
    def views(self) -> list[View]:
        """A view of each instrument, which leaves out whatever it is not told apart by."""
        return [View(instrument_name=each.name, attribute_keys=set(each.labels)) for each in self.all]

    def watch(self, source: Callable[[], Iterable[Figure]]) -> Callable[[], None]:
        """Have the gauges ask `source` whenever they are sent, in another thread; answers how to end that."""
        self._sources.append(source)
        return lambda: self._sources.remove(source)

    def _histogram(self, name: str, bounds: Sequence[float], meaning: str, *labels: str) -> Histogram:
        self.all.append(Instrument("histogram", name, "s", meaning, labels))
        return self._meter.create_histogram(name, "s", meaning, explicit_bucket_boundaries_advisory=bounds)

    def _counter(self, name: str, unit: str, meaning: str, *labels: str) -> Counter:
        self.all.append(Instrument("counter", name, unit, meaning, labels))
        return self._meter.create_counter(name, unit, meaning)

    def _gauge(self, name: str, unit: str, meaning: str, *labels: str) -> None:
        self.all.append(Instrument("gauge", name, unit, meaning, labels))
        self._meter.create_observable_gauge(name, [partial(self._seen, name)], unit, meaning)

    def _seen(self, wanted: str, _: CallbackOptions) -> list[Observation]:
        found = [figure for source in list(self._sources) for figure in source()]
        return [Observation(value, labels) for name, value, labels in found if name == wanted]


METRICS = Metrics()


def provide(resource: Resource, *readers: MetricReader) -> None:
    """Install the provider of this process. OTLP where `OTEL_EXPORTER_OTLP_ENDPOINT` says where to."""
    metrics.set_meter_provider(MeterProvider([*readers, *_exporting()], resource, views=METRICS.views))


def _exporting() -> list[MetricReader]:
    if not os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT"):
        return []
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter

    interval = None if os.environ.get("OTEL_METRIC_EXPORT_INTERVAL") else EXPORT_SECONDS * 1000
    return [PeriodicExportingMetricReader(OTLPMetricExporter(), export_interval_millis=interval)]


def flush() -> None:
    """Send what has been counted since the last time, and no more after it."""
    provider = metrics.get_meter_provider()
    if isinstance(provider, MeterProvider):
        provider.shutdown()
