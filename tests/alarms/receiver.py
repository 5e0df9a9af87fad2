"""Hears metrics by OTLP over HTTP, and keeps them as Prometheus would know them behind the collector's exporter."""

from __future__ import annotations

import gzip
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

Series = tuple[str, tuple[tuple[str, str], ...]]
"""A name and its labels, sorted."""


@dataclass
class Sample:
    """The last value of a series, which process told it and when (monotonic seconds), and whether it only grows."""

    value: float
    instance: str
    at: float
    grows: bool


@dataclass
class Receiver:
    """A context manager that listens on a free port of 127.0.0.1."""

    samples: dict[Series, Sample] = field(default_factory=dict)
    exemplars: set[str] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def url(self) -> str:
        """What `OTEL_EXPORTER_OTLP_ENDPOINT` is set to."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Receiver:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                if self.path == "/v1/metrics":
                    receiver.take(ExportMetricsServiceRequest.FromString(body))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def take(self, request: ExportMetricsServiceRequest) -> None:
        """Keep what one process sent."""
        with self._lock:
            for resource in request.resource_metrics:
                process = _labels(resource.resource.attributes)
                for scope in resource.scope_metrics:
                    for metric in scope.metrics:
                        self._keep(metric, process)

    def _keep(self, metric: Any, process: dict[str, str]) -> None:
        kind = metric.WhichOneof("data")
        name = metric.name.replace(".", "_") + ("_seconds" if metric.unit == "s" else "")
        name += {"sum": "_total", "histogram": "_count"}.get(kind, "")
        now = time.monotonic()
        for point in getattr(metric, kind).data_points:
            labels = process | _labels(point.attributes)
            value = point.count if kind == "histogram" else point.as_double or point.as_int
            series = (name, tuple(sorted(labels.items())))
            self.samples[series] = Sample(float(value), process["service_instance_id"], now, kind != "gauge")
            if kind == "histogram":
                self.exemplars |= {exemplar.trace_id.hex() for exemplar in point.exemplars}

    def since(self, at: float) -> dict[Series, Sample]:
        """The series that were told of after that moment."""
        with self._lock:
            return {series: sample for series, sample in self.samples.items() if sample.at > at}

    def worst(self, at: float, name: str, service: str, **labels: str) -> float:
        """The highest value that any process has told of such a series after that moment; -1 where none has."""
        wanted = {"service_name": f"counterpoint-{service}", **labels}.items()
        told = self.since(at).items()
        return max((s.value for (n, of), s in told if n == name and wanted <= dict(of).items()), default=-1.0)


def _labels(attributes: Any) -> dict[str, str]:
    told = {}
    for each in attributes:
        kind = each.value.WhichOneof("value")
        told[each.key.replace(".", "_")] = str(getattr(each.value, kind))
    return told
