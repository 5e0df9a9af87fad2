"""Traces: set up once per process, with the metrics; spans carry only attributes from the allow-list."""

from __future__ import annotations

import os
import uuid
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, ParentBased, TraceIdRatioBased
from opentelemetry.trace import Link, Span, SpanKind, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from chassis import RELEASE
from chassis.running.metrics import provide
from chassis.running.spanfile import SpanFile

ALLOWED = frozenset(
    {
        "http.request.method", "http.route", "http.response.status_code", "error.type",
        "messaging.system", "messaging.operation.type", "messaging.destination.name", "messaging.batch.message_count",
        "messaging.kafka.message.key", "messaging.kafka.offset", "messaging.consumer.group.name",
        "messaging.destination.partition.id", "counterpoint.fact", "counterpoint.stream", "counterpoint.version",
        "counterpoint.task", "counterpoint.repeat",
    }
)  # fmt: skip
"""Names of span attributes that may leave the process; none of them can hold a name, an address or a text."""

_PROPAGATOR = TraceContextTextMapPropagator()


def tracer() -> Tracer:
    """The tracer of everything that is ours."""
    return trace.get_tracer("counterpoint")


def resource_of(service: str, role: str, environment: str) -> Resource:
    """Which process all telemetry comes from. `OTEL_RESOURCE_ATTRIBUTES` adds where it runs (`k8s.*`), and may name the
    deployment and the instance otherwise."""
    told = OTELResourceDetector().detect()
    ours = {
        "service.namespace": "counterpoint",
        "service.version": RELEASE,
        "service.instance.id": str(uuid.uuid4()),
        "deployment.environment.name": environment,
    }
    fixed = {"service.name": f"counterpoint-{service}", "counterpoint.role": role}
    return Resource.create(ours | dict(told.attributes) | fixed)


def setup(resource: Resource, spans_file: Path | None) -> TracerProvider:
    """Install the providers. OTLP where `OTEL_EXPORTER_OTLP_ENDPOINT` says where to; a file in the local stack."""
    ratio = float(os.environ.get("OTEL_TRACES_SAMPLER_ARG", "0.05"))
    provider = TracerProvider(
        resource=resource, sampler=ParentBased(ALWAYS_ON if spans_file else TraceIdRatioBased(ratio))
    )
    if spans_file is not None:
        provider.add_span_processor(BatchSpanProcessor(SpanFile(spans_file), schedule_delay_millis=200))
    if os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT"):
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    provide(resource)
    return provider


def is_sampled(traceparent: str | None) -> bool:
    """Whether a `traceparent` asks for spans. Looked at first, because a span costs as much as the rest of an event."""
    if not traceparent:
        return False
    with suppress(ValueError):
        return bool(int(traceparent[-2:], 16) & 1)
    return False


def context_of(traceparent: str | None) -> Context | None:
    """The remote context that a `traceparent` names; None for none, so that the span begins a trace."""
    return _PROPAGATOR.extract({"traceparent": traceparent}) if traceparent else None


def traceparent_of(span: Span) -> str | None:
    """The header that makes others children of `span`."""
    carrier: dict[str, str] = {}
    _PROPAGATOR.inject(carrier, trace.set_span_in_context(span))
    return carrier.get("traceparent")


def start(
    name: str, kind: SpanKind, parent: str | None = None, links: Sequence[Link] = (), **attributes: str | int | bool
) -> Span:
    """Start a span below `parent` (a `traceparent`). Attribute names have `__` for a dot and are on the allow-list."""
    named = {k.replace("__", "."): v for k, v in attributes.items()}
    if not named.keys() <= ALLOWED:
        raise ValueError(f"not on the allow-list: {sorted(named.keys() - ALLOWED)}")
    context = context_of(parent) or Context()
    return tracer().start_span(name, context=context, kind=kind, links=links, attributes=named)
