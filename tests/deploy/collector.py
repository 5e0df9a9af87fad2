"""OpenTelemetry collectors with the configuration of `deploy/otel`, on loopback, writing what they get to files."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from local import processes
from local.processes import Child, free_ports
from tests.deploy.manifests import ROOT

OTEL = ROOT / "deploy/otel"
Span = dict[str, Any]
"""A span of OTLP's JSON, with its resource's attributes under `resource`; attributes as a plain dict."""


def program() -> str:
    """The collector on this machine, named by `OTELCOL` or on the PATH; without one the test is skipped."""
    found = os.environ.get("OTELCOL") or shutil.which("otelcol-contrib") or shutil.which("otelcol")
    if found is None:
        pytest.skip(
            "NO COLLECTOR IS RUN: no otelcol on the PATH (or in OTELCOL), so what deploy/otel says is not tried"
        )
    return found


@dataclass(frozen=True)
class Tiers:
    """One balancer before two samplers. `endpoint` takes OTLP over HTTP."""

    endpoint: str
    metrics: str
    own: Sequence[str]
    heard: Path
    kept: Sequence[Path]
    pids: Sequence[int]

    def spans_heard(self) -> list[Span]:
        """Every span that the balancer sent on."""
        return list(read(self.heard))

    def spans_kept(self) -> list[list[Span]]:
        """The spans that each sampler kept."""
        return [list(read(path)) for path in self.kept]


@contextmanager
def tiers(folder: Path, environment: dict[str, str], wait: str = "2s") -> Iterator[Tiers]:
    """Both tiers as they are deployed, but for addresses, and for files where spans would go on; `wait` is how long
    after a trace's first span it is decided."""
    folder.mkdir(parents=True, exist_ok=True)
    grpc, http, shown = free_ports(2), free_ports(1)[0], free_ports(1)[0]
    heard, kept = folder / "heard.json", [folder / f"kept-{n}.json" for n in range(2)]
    with ExitStack() as stack:
        running = []
        for port, path in zip(grpc, kept, strict=True):
            more = {
                "receivers": {"otlp": {"protocols": {"grpc": {"endpoint": f"127.0.0.1:{port}"}}}},
                "processors": {"tail_sampling": {"decision_wait": wait}},
                "exporters": {"file": {"path": str(path)}},
                "service": {"pipelines": {"traces": {"exporters": ["file"]}}},
            }
            running.append(stack.enter_context(_run(folder, "sampler", more, {**environment, "TRACES": "http://-"})))
        there = [f"127.0.0.1:{port}" for port in grpc]
        more = {
            "receivers": {"otlp": {"protocols": {"http": {"endpoint": f"127.0.0.1:{http}"}}}},
            "connectors": {"spanmetrics": {"metrics_flush_interval": "1s"}},
            "exporters": {
                "file": {"path": str(heard)},
                "loadbalancing": {"resolver": {"dns": None, "static": {"hostnames": there}}},
                "prometheus": {"endpoint": f"127.0.0.1:{shown}"},
            },
            "service": {"pipelines": {"traces": {"exporters": ["spanmetrics", "loadbalancing", "file"]}}},
        }
        running.append(stack.enter_context(_run(folder, "balancer", more, {"SAMPLERS": "-"})))
        own = [url for url, _ in running]
        pids = [pid for _, pid in running]
        yield Tiers(f"http://127.0.0.1:{http}", f"http://127.0.0.1:{shown}/metrics", own, heard, kept, pids)


@contextmanager
def _run(folder: Path, tier: str, more: dict[str, Any], environment: dict[str, str]) -> Iterator[tuple[str, int]]:
    """One collector, ready; answers where its own metrics are, and its pid. `more` is said after its configuration."""
    health, own, unused = free_ports(3)
    exporter = {"prometheus": {"host": "127.0.0.1", "port": own}}
    loopback = {
        "receivers": {"otlp": {"protocols": {"http": {"endpoint": f"127.0.0.1:{unused}"}}}},
        "extensions": {"health_check": {"endpoint": f"127.0.0.1:{health}"}},
        "service": {"telemetry": {"metrics": {"readers": [{"pull": {"exporter": exporter}}]}}},
    }
    configs = [OTEL / "common.yaml", OTEL / f"{tier}.yaml"]
    for name, told in (("loopback", loopback), ("more", more)):
        configs.append(folder / f"{tier}-{own}-{name}.yaml")
        configs[-1].write_text(yaml.safe_dump(told))
    command = [program(), *(f"--config={path}" for path in configs)]
    child = Child(tier, command, folder / f"{tier}-{own}.log", {**os.environ, **environment})
    try:
        child.wait_until(lambda: _well(f"http://127.0.0.1:{health}"), 30, "ready")
        yield f"http://127.0.0.1:{own}/metrics", child.pid
    finally:
        processes.stop([child], 20)


def _well(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


def send(endpoint: str, spans: Iterable[Span], size: int = 500) -> int:
    """Hand spans to a collector by OTLP over HTTP, as JSON; answers how many there were."""
    count, batch = 0, list[Span]()
    with httpx.Client(timeout=30, trust_env=False) as http:
        for span in (*spans, None):
            if span is not None:
                batch.append(span)
                count += 1
            if batch and (span is None or len(batch) == size):
                answer = http.post(f"{endpoint}/v1/traces", json={"resourceSpans": [_wrapped(each) for each in batch]})
                answer.raise_for_status()
                batch = []
    return count


def _wrapped(span: Span) -> Span:
    inside = {**span, "attributes": _listed(span["attributes"])}
    resource = {"attributes": _listed(inside.pop("resource"))}
    return {"resource": resource, "scopeSpans": [{"scope": {"name": "counterpoint"}, "spans": [inside]}]}


def _listed(attributes: dict[str, Any]) -> list[Span]:
    return [{"key": name, "value": _typed(value)} for name, value in attributes.items()]


def _typed(value: Any) -> Span:
    if isinstance(value, bool):
        return {"boolValue": value}
    return {"intValue": str(value)} if isinstance(value, int) else {"stringValue": str(value)}


def read(path: Path) -> Iterator[Span]:
    """The spans in a file that a collector wrote."""
    for line in path.read_text().splitlines() if path.exists() else ():
        for each in json.loads(line)["resourceSpans"]:
            resource = _plain(each["resource"].get("attributes", ()))
            for scope in each["scopeSpans"]:
                for span in scope["spans"]:
                    yield {**span, "attributes": _plain(span.get("attributes", ())), "resource": resource}


def _plain(attributes: Iterable[Span]) -> dict[str, Any]:
    return {each["key"]: next(iter(each["value"].values())) for each in attributes}
