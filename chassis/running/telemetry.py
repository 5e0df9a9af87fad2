"""Telemetry: the providers, set up once per process, and which process everything comes from."""

from __future__ import annotations

import os
import uuid
from pathlib import Path

from opentelemetry import trace
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import Sampler

from chassis import RELEASE
from chassis.running.allowed import SCHEMA
from chassis.running.metrics import provide
from chassis.running.spanfile import SpanFile

Provider = TracerProvider
MOST_LINKS = 5000
"""A batch keeps every link, however large it is allowed to be."""


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
    return Resource.create(ours | dict(told.attributes) | fixed, SCHEMA)


def setup(resource: Resource, sampler: Sampler, spans_file: Path | None) -> TracerProvider:
    """Install the providers. OTLP where `OTEL_EXPORTER_OTLP_ENDPOINT` says where to; a file in the local stack."""
    provider = TracerProvider(
        resource=resource,
        sampler=sampler,
        shutdown_on_exit=False,
        span_limits=SpanLimits(max_links=MOST_LINKS),
    )
    if spans_file is not None:
        provider.add_span_processor(BatchSpanProcessor(SpanFile(spans_file), schedule_delay_millis=200))
    if os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT"):
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    provide(resource)
    return provider
