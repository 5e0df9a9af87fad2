"""What no schema judges in the components: names of metrics, of services and of paths, and when an alert comes."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from chassis.running.metrics import Metrics
from chassis.running.telemetry import ALLOWED
from local.topics import SERVICES
from tests.deploy.manifests import ROOT, WORKLOADS, environment, named, of_kind, rendered

HERE = Path(__file__).parent
PAGE = ROOT / "docs/operating.md"
LABELS = {"service_name", *(name.replace(".", "_") for name in ALLOWED)}
"""What a metric is told apart by: who says it, and the attributes that may leave a process."""


class Named:
    """A meter that notes what is made of it."""

    def __init__(self) -> None:
        self.made: list[tuple[str, str, str]] = []

    def __getattr__(self, making: str) -> Callable[..., None]:
        return lambda name, unit, _: self.made.append((making.removeprefix("create_"), name, unit))


@pytest.fixture
def exported(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The names under which the collector's Prometheus exporter offers the metrics that there are."""
    meter = Named()
    monkeypatch.setattr("chassis.running.metrics.metrics.get_meter", lambda _: meter)
    Metrics()
    found = set()
    for kind, name, unit in meter.made:
        name = name.replace(".", "_") + {"s": "_seconds", "1": ""}[unit]
        match kind:
            case "histogram":
                found |= {f"{name}_{part}" for part in ("count", "sum", "bucket")}
            case "counter":
                found.add(f"{name}_total")
            case "gauge":
                found.add(f"{name}_ratio" if unit == "1" else name)
    return found


def alerts() -> list[dict[str, str]]:
    (rule,) = of_kind(rendered("prod"), "PrometheusRule")
    return [alert for group in rule["spec"]["groups"] for alert in group["rules"]]


def test_what_is_asked_of_prometheus_is_there(exported: set[str]) -> None:
    asked = [alert["expr"] for alert in alerts()]
    asked += [t["metadata"]["query"] for s in of_kind(rendered("prod"), "ScaledObject") for t in s["spec"]["triggers"]]
    assert len(asked) == 6 + len(SERVICES)
    for expression in asked:
        names = set(re.findall(r"\b(?:counterpoint|http)_\w+\b(?=[{)\[])", expression))
        assert names and names <= exported, expression
        labels = set(re.findall(r"(\w+)=~?\"", expression)) | set(re.findall(r"by \((\w+)\)", expression))
        assert labels and labels <= LABELS, expression


def test_every_alert_is_explained_and_tested() -> None:
    names = {alert["alert"] for alert in alerts()}
    told = set(re.findall(r"^\| `(Counterpoint\w+)` \|", PAGE.read_text(), re.MULTILINE))
    cases = yaml.safe_load((HERE / "alerts.yaml").read_text())["tests"]
    comes = {case["alertname"] for test in cases for case in test["alert_rule_test"] if case["exp_alerts"]}
    stays = {case["alertname"] for test in cases for case in test["alert_rule_test"] if not case["exp_alerts"]}
    assert names == told == comes == stays


def test_alerts_come_when_they_should(tmp_path: Path) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("ALERTS ARE NOT TRIED: promtool is not on the PATH (Debian has it in the package prometheus)")
    (rule,) = of_kind(rendered("prod"), "PrometheusRule")
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(rule["spec"]))
    shutil.copy(HERE / "alerts.yaml", tmp_path)
    for command in (["check", "rules", "rules.yaml"], ["test", "rules", "alerts.yaml"]):
        done = subprocess.run([promtool, *command], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_scalers_scale_what_there_is_and_workers_to_no_more_than_partitions() -> None:
    objects = rendered("prod")
    partitions = {int(environment(w, objects)["COUNTERPOINT_PARTITIONS"]) for w in of_kind(objects, *WORKLOADS)}
    assert partitions == {topic["spec"]["partitions"] for topic in of_kind(objects, "KafkaTopic")}
    for service in SERVICES:
        worker, api = (
            named(objects, "StatefulSet", f"{service}-worker"),
            named(objects, "Deployment", f"{service}-api"),
        )
        assert "replicas" not in worker["spec"] and "replicas" not in api["spec"], "its scaler says how many"
        scaled = named(objects, "ScaledObject", f"{service}-worker")["spec"]
        assert scaled["scaleTargetRef"]["name"] == f"{service}-worker"
        assert {scaled["maxReplicaCount"]} == partitions
        assert f'"counterpoint-{service}"' in scaled["triggers"][0]["metadata"]["query"]
        assert scaled["triggers"][0]["metadata"].keys() == {"serverAddress", "query", "threshold"}
        assert (
            named(objects, "HorizontalPodAutoscaler", f"{service}-api")["spec"]["scaleTargetRef"]["name"]
            == f"{service}-api"
        )


def test_the_route_leads_to_every_service_and_shows_nothing_else() -> None:
    objects = rendered("prod")
    (route,) = of_kind(objects, "HTTPRoute")
    leads = {}
    for rule in route["spec"]["rules"]:
        (match,), (backend,) = rule["matches"], rule["backendRefs"]
        assert match["path"]["type"] == "PathPrefix"
        leads[match["path"]["value"]] = backend["name"]
        ports = {port["port"] for port in named(objects, "Service", backend["name"])["spec"]["ports"]}
        assert {backend["port"]} == ports
    assert leads == {f"/{service}/v1": f"{service}-api" for service in SERVICES}
