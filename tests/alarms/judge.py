"""Which alerts recorded figures bring: promtool, with the rules as they are, says it; the phases follow one another."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from local.monitoring import RULES
from tests.alarms.receiver import Sample, Series

FIRING = 'group by (alertname, service_name) (ALERTS{alertstate="firing"})'
Alert = tuple[str, str]
"""The name of an alert without `Counterpoint`, and the service without `counterpoint-`."""


@dataclass
class Phase:
    """What was recorded at the beginning and at the end of a phase, and for how many minutes it is said to go on.

    A gauge stays as it was at the end. What only grows does so each minute as it did in the whole recorded phase.
    """

    minutes: int
    before: dict[Series, Sample]
    after: dict[Series, Sample]

    def values(self, series: Series, so_far: float) -> tuple[str, float]:
        """The samples, one a minute, in promtool's notation, and the last of them."""
        sample = self.after.get(series)
        if sample is None:
            return f"_x{self.minutes}", so_far
        if not sample.grows:
            return f"{sample.value}x{self.minutes - 1}", sample.value
        known = self.before.get(series)
        step = sample.value - (known.value if known else 0.0)
        return f"{so_far}+{step}x{self.minutes - 1}", so_far + step * (self.minutes - 1)


def judge(phases: list[Phase], expected: list[set[Alert]], folder: Path) -> None:
    """Fail unless at the end of each phase exactly those alerts fire that are expected."""
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("NO ALERT IS BROUGHT ABOUT: promtool is not on the PATH (Debian has it in the package prometheus)")
    shutil.copy(RULES, folder / "rules.yaml")
    test = {
        "interval": "1m",
        "input_series": [_recorded(series, phases) for series in sorted({s for p in phases for s in p.after})],
        "promql_expr_test": [
            {
                "expr": FIRING,
                "eval_time": f"{sum(p.minutes for p in phases[: n + 1]) - 1}m",
                "exp_samples": [_firing(*alert) for alert in sorted(expected[n])],
            }
            for n in range(len(phases))
        ],
    }
    told: dict[str, Any] = {"rule_files": ["rules.yaml"], "evaluation_interval": "1m", "tests": [test]}
    (folder / "recorded.yaml").write_text(yaml.safe_dump(told))
    command = [promtool, "test", "rules", "recorded.yaml"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr


def _recorded(series: Series, phases: list[Phase]) -> dict[str, str]:
    values, last = [], 0.0
    for phase in phases:
        text, last = phase.values(series, last)
        values.append(text)
    name, labels = series
    selector = ", ".join(f'{label}="{value}"' for label, value in labels)
    return {"series": f"{name}{{{selector}}}", "values": " ".join(values)}


def _firing(alert: str, service: str) -> dict[str, Any]:
    return {"labels": f'{{alertname="Counterpoint{alert}", service_name="counterpoint-{service}"}}', "value": 1}
