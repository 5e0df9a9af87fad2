"""What `deploy/otel` says is valid to a real collector, and lets out what the processes may send and no more."""

from __future__ import annotations

import os
import subprocess
from typing import Any

import pytest
import yaml

from chassis.running.allowed import SPANS
from chassis.running.metrics import METRICS
from tests.deploy import collector
from tests.deploy.collector import OTEL

RESOURCE = ("service.", "deployment.", "k8s.", "counterpoint.role")
SURROUNDINGS = {"SAMPLERS": "localhost", "TRACES": "http://localhost:4318"}


def told(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((OTEL / f"{name}.yaml").read_text())
    return found


def test_the_collector_lets_out_what_processes_may_send() -> None:
    let_out = {n for n in told("common")["processors"]["redaction"]["allowed_keys"] if not n.startswith(RESOURCE)}
    may_leave = SPANS.union(*(each.labels for each in METRICS.all))
    assert let_out == may_leave, "write the same names in deploy/otel/common.yaml as processes know"


@pytest.mark.parametrize("tier", ["single", "balancer", "sampler"])
def test_it_is_valid(tier: str) -> None:
    configs = [f"--config={OTEL / name}.yaml" for name in ("common", tier)]
    command = [collector.program(), "validate", *configs]
    done = subprocess.run(command, env={**os.environ, **SURROUNDINGS}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("tier", ["single", "balancer"])
def test_nothing_is_sent_on_unread(tier: str) -> None:
    for signal, pipeline in told(tier)["service"]["pipelines"].items():
        if "otlp" in pipeline["receivers"]:
            assert pipeline["processors"][:2] == ["memory_limiter", "redaction"], signal
            assert ("transform/words" in pipeline["processors"]) == signal.startswith("traces"), signal
