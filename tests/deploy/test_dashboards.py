"""The dashboards: they are what is made, fit Grafana's schema, and ask only for what processes tell."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from contracts import enrollment, insights, matching, scheduling
from contracts.fact import Fact
from local import dashboards
from tests.deploy.exported import PROCESS, asked, grouped, series

FILES = sorted(dashboards.FOLDER.glob("*.json"))
VARIABLES = {"$__rate_interval": "5m", "$__range": "7d", "$service": "counterpoint-matching", "${datasource}": "p"}
OF_RULES = {"ALERTS": {"alertname", "alertstate", "service_name"}}


def told(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def panels(path: Path) -> list[dict[str, Any]]:
    return [panel for panel in told(path)["panels"] if panel["type"] != "row"]


def expressions(path: Path) -> list[str]:
    return [target["expr"] for panel in panels(path) for target in panel["targets"]]


def test_they_are_what_is_made() -> None:
    assert {path.name: path.read_text() for path in FILES} == dashboards.boards(), "make monitoring"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_it_fits_grafanas_schema_and_needs_no_plugin(path: Path) -> None:
    read = json.loads(json.dumps(Dashboard.from_json(told(path)), cls=JSONEncoder))
    assert read == told(path)
    assert {panel["type"] for panel in panels(path)} <= {"timeseries", "stat"}
    assert told(path)["templating"]["list"][0]["type"] == "datasource"
    for panel in panels(path):
        assert panel["title"] and panel["description"]
        assert {t["datasource"]["uid"] for t in panel["targets"]} == {panel["datasource"]["uid"]} == {"${datasource}"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_it_asks_for_what_processes_tell(path: Path) -> None:
    there = series()
    for expression in expressions(path):
        found = dict(asked(expression))
        assert found or "ALERTS{" in expression, expression
        for name, labels in found.items():
            assert name in there and labels <= there[name], expression
        assert grouped(expression) <= PROCESS.union(*(there[name] for name in found), *OF_RULES.values()), expression
        assert set(re.findall(r"\$\{?\w+\}?", expression)) <= VARIABLES.keys(), expression


def test_every_instrument_is_on_a_dashboard() -> None:
    shown = {name for path in FILES for expression in expressions(path) for name, _ in asked(expression)}
    told_apart = {re.sub(r"_(count|sum|bucket)$", "", name) for name in shown}
    every = {re.sub(r"_(count|sum|bucket)$", "", name) for name in series()}
    assert every - told_apart == {"counterpoint_parked_age_seconds"}, "that one is an alert's"


def test_what_is_counted_of_programs_are_facts_that_others_hear() -> None:
    said = {name for facts in dashboards.NUMBERS.values() for name in facts.split("|")}
    every = [each for module in (enrollment, insights, matching, scheduling) for each in vars(module).values()]
    facts = [each for each in every if isinstance(each, type) and issubclass(each, Fact) and each is not Fact]
    assert said <= {fact.__name__ for fact in facts if fact.category.topic}


def test_promtool_reads_every_expression(tmp_path: Path) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("NO DASHBOARD'S PROMQL IS READ: promtool is not on the PATH (Debian: prometheus)")
    rules = []
    for path in FILES:
        for n, expression in enumerate(expressions(path)):
            for name, value in VARIABLES.items():
                expression = expression.replace(name, value)
            rules.append({"record": f"dashboard:{path.stem}:{n}", "expr": expression})
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump({"groups": [{"name": "read", "rules": rules}]}))
    done = subprocess.run([promtool, "check", "rules", "rules.yaml"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0 and f"{len(rules)} rules found" in done.stdout, done.stdout + done.stderr
