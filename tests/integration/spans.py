"""The spans that this process finished while a test ran, and how they hang together."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import DEFAULT_OFF, Sampler

from chassis.running.sampling import Programs
from chassis.running.spanfile import plain
from chassis.running.telemetry import MOST_LINKS

TRACE = "ab" * 16
ABOVE = "cd" * 8
SAMPLED = f"00-{TRACE}-{ABOVE}-01"
"""The context of a caller that is traced."""


@dataclass
class Spans:
    """Lines as the local stack's file has them (`chassis/running/spanfile.py`)."""

    exporter: InMemorySpanExporter = field(default_factory=InMemorySpanExporter)

    @property
    def all(self) -> list[dict[str, Any]]:
        return [plain(span) for span in self.exporter.get_finished_spans()]

    def of(self, kind: str, name: str = "", **attributes: Any) -> list[dict[str, Any]]:
        """Those of a kind whose name begins so, with these attributes (`__` for a dot)."""
        wanted = {k.replace("__", "."): v for k, v in attributes.items()}
        return [
            s
            for s in self.all
            if s["kind"] == kind
            and s["name"].startswith(name)
            and all(s["attributes"].get(k) == v for k, v in wanted.items())
        ]

    def clear(self) -> None:
        self.exporter.clear()


@contextmanager
def recorded(monkeypatch: pytest.MonkeyPatch, others: Sampler = DEFAULT_OFF) -> Iterator[Spans]:
    """Record what is sampled; by itself nothing is, so that everything that is has been asked for."""
    spans = Spans()
    provider = TracerProvider(
        sampler=Programs(others), span_limits=SpanLimits(max_links=MOST_LINKS), shutdown_on_exit=False
    )
    provider.add_span_processor(SimpleSpanProcessor(spans.exporter))
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", provider)
    yield spans
    provider.shutdown()
