"""The alerts: they ask for what there is, come when they should and go, and each has a page that helps."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command

from chassis.running.metrics import METRICS
from cli.main import app
from local import monitoring
from tests.deploy.exported import PROCESS, asked, grouped, series
from tests.deploy.manifests import ROOT, of_kind, rendered

HERE = Path(__file__).parent
RUNBOOKS = ROOT / "docs/runbooks"
HEADINGS = ["What it means", "How to see it", "What to do", "How to know that it is over"]


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load(monitoring.RULES.read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def alerts() -> list[dict[str, Any]]:
    return [rule for rule in rules() if "alert" in rule]


def test_the_clusters_rules_are_made_from_these() -> None:
    assert monitoring.RESOURCE.read_text() == monitoring.resource(), "make monitoring"


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule.get("alert") or rule["record"])
def test_a_rule_asks_for_what_there_is(rule: dict[str, Any]) -> None:
    there, recorded = series(), {r["record"] for r in rules() if "record" in r}
    found = dict(asked(rule["expr"]))
    told_apart = PROCESS.union(*(there.get(name, set()) for name in found))
    assert found or recorded & set(re.findall(r"counterpoint:\w+:\w+", rule["expr"]))
    assert set(re.findall(r"counterpoint:\w+:\w+", rule["expr"])) <= recorded
    for name, labels in found.items():
        assert name in there and labels <= there[name], (name, labels)
    assert grouped(rule["expr"]) <= told_apart


@pytest.mark.parametrize("alert", alerts(), ids=lambda alert: alert["alert"])
def test_an_alert_says_what_it_is_and_has_a_page(alert: dict[str, Any]) -> None:
    assert alert["labels"]["severity"] in ("critical", "warning") and alert["for"]
    assert alert["annotations"].keys() == {"summary", "description", "runbook_url"}
    page = ROOT / alert["annotations"]["runbook_url"]
    assert page.parent == RUNBOOKS
    text = page.read_text()
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == HEADINGS
    assert alert["alert"] in text
    assert f"(runbooks/{page.name})" in (ROOT / "docs/operating.md").read_text()


def test_there_is_no_page_without_an_alert() -> None:
    assert {p.name for p in RUNBOOKS.glob("*.md")} == {
        Path(alert["annotations"]["runbook_url"]).name for alert in alerts()
    }


def test_every_alert_and_every_metric_is_in_the_tables_of_the_page_for_operators() -> None:
    page = (ROOT / "docs/operating.md").read_text()
    told = {name for row in re.findall(r"^\| (`Counterpoint.*?) \|", page, re.MULTILINE) for name in row.split(", ")}
    assert told == {f"`{alert['alert']}`" for alert in alerts()}
    metrics = page.partition("\n## Traces and metrics\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `([a-z_.]+)` \| (s?) ?\|", metrics, re.MULTILINE)
    assert sorted(rows) == sorted((m.name, "s" if m.unit == "s" else "") for m in METRICS.all)


def test_every_alert_is_tried_before_and_after_its_time() -> None:
    cases = yaml.safe_load((HERE / "alerts.yaml").read_text())["tests"]
    tried = [case for test in cases for case in test["alert_rule_test"]]
    comes = {case["alertname"] for case in tried if case["exp_alerts"]}
    stays = {case["alertname"] for case in tried if not case["exp_alerts"]}
    assert {alert["alert"] for alert in alerts()} == comes == stays


def test_alerts_come_when_they_should(tmp_path: Path) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("ALERTS ARE NOT TRIED: promtool is not on the PATH (Debian has it in the package prometheus)")
    shutil.copy(monitoring.RULES, tmp_path / "rules.yaml")
    shutil.copy(HERE / "alerts.yaml", tmp_path)
    for command in (["check", "rules", "rules.yaml"], ["test", "rules", "alerts.yaml"]):
        done = subprocess.run([promtool, *command], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_whatever_a_page_looks_at_in_a_cluster_is_there() -> None:
    there = {(o["kind"].lower(), o["metadata"]["name"]) for o in of_kind(rendered("prod"), "Deployment", "StatefulSet")}
    pages = "".join(page.read_text() for page in RUNBOOKS.glob("*.md"))
    asked_for = set(re.findall(r"\b(deployment|statefulset)[/ ]([a-z]+-[a-z]+)", pages))
    assert asked_for and asked_for <= there
    labels = {
        (key, value)
        for each in of_kind(rendered("prod"), "Deployment", "StatefulSet")
        for key, value in each["spec"]["template"]["metadata"]["labels"].items()
    } | {("app.kubernetes.io/name", "opentelemetry-collector")}
    assert set(re.findall(r"-l (app\.kubernetes\.io/\w+)=([\w-]+)", pages)) <= labels


def test_every_command_that_a_page_tells_exists() -> None:
    command = get_command(app)
    told = {
        found
        for page in RUNBOOKS.glob("*.md")
        for found in re.findall(r"counterpoint ([a-z]+(?: [a-z]+)?)(?=[ `])", page.read_text())
        if f"-n counterpoint {found}" not in page.read_text()
    }
    assert told
    for words in told:
        at: Any = command
        for word in words.split():
            if not hasattr(at, "commands"):
                break  # an argument
            assert word in at.commands, f"counterpoint {words}"
            at = at.commands[word]
