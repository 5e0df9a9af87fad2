"""Metrics: the instruments of a process, and where their figures go."""

from __future__ import annotations

import os

from opentelemetry import metrics
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricReader, PeriodicExportingMetricReader
from opentelemetry.sdk.metrics.view import ExplicitBucketHistogramAggregation, View
from opentelemetry.sdk.resources import Resource

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """The instruments of a process. Counters only grow; gauges are set from what was last seen."""

    def __init__(self) -> None:
        meter = metrics.get_meter("counterpoint")
        self.http_duration = meter.create_histogram("http.server.request.duration", "s", "time to answer a request")
        self.commands = meter.create_counter("counterpoint.commands", "1", "commands that wrote facts")
        self.conflicts = meter.create_counter("counterpoint.conflicts", "1", "attempts that met a quicker writer")
        self.pending = meter.create_gauge("counterpoint.relay.pending", "1", "commits that wait for the relay")
        self.pending_age = meter.create_gauge("counterpoint.relay.pending.age", "s", "age of the oldest of them")
        self.relayed = meter.create_counter("counterpoint.relay.relayed", "1", "facts acknowledged by Kafka")
        self.projected = meter.create_counter("counterpoint.inbox.projected", "1", "facts that took effect")
        self.repeats = meter.create_counter("counterpoint.inbox.repeats", "1", "facts seen before and skipped")
        self.foreign = meter.create_counter("counterpoint.inbox.foreign", "1", "records that are not ours, or unknown")
        self.lag = meter.create_gauge("counterpoint.inbox.lag", "s", "age of the oldest record not yet applied")
        self.parked = meter.create_gauge("counterpoint.inbox.parked", "1", "streams and records that wait for somebody")
        self.tasks_due = meter.create_gauge("counterpoint.tasks.due", "1", "tasks that could run now")
        self.tasks_late = meter.create_gauge("counterpoint.tasks.late", "s", "how long the oldest of them has waited")
        self.round_trips = meter.create_gauge("counterpoint.mongo.round_trips", "1", "database commands so far")


METRICS = Metrics()


def provide(resource: Resource) -> None:
    """Install the provider of this process. OTLP where `OTEL_EXPORTER_OTLP_ENDPOINT` says where to."""
    readers: list[MetricReader] = []
    if os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT"):
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter

        readers.append(PeriodicExportingMetricReader(OTLPMetricExporter()))
    view = View(instrument_name="*.duration", aggregation=ExplicitBucketHistogramAggregation(_SECONDS))
    metrics.set_meter_provider(MeterProvider(metric_readers=readers, resource=resource, views=[view]))
