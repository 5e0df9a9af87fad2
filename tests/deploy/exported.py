"""Our metrics as Prometheus knows them: the names and labels that the collector's exporter makes of ours."""

from __future__ import annotations

import re
from collections.abc import Iterator

from chassis.running.metrics import METRICS, Instrument

PROCESS = {"service_name", "service_namespace", "service_instance_id", "counterpoint_role", "instance", "job"}
"""What tells processes apart: their resource attributes."""
_SERIES = re.compile(r"(?<![\w:])((?:counterpoint|http|db|messaging)_\w+)(?![\w:])(?:\{([^}]*)\})?")
_GROUPING = re.compile(r"\b(?:by|on|without|ignoring|group_left|group_right)\s*\(([^)]*)\)")


def names_of(each: Instrument) -> set[str]:
    """The names of the series of one instrument."""
    name = each.name.replace(".", "_") + {"s": "_seconds"}.get(each.unit, "")
    match each.kind:
        case "histogram":
            return {f"{name}_{part}" for part in ("count", "sum", "bucket")}
        case "counter":
            return {f"{name}_total"}
        case "gauge":
            return {name}


def series() -> dict[str, set[str]]:
    """The labels of every series that there can be, by its name."""
    found = {}
    for each in METRICS.all:
        for name in names_of(each):
            labels = {label.replace(".", "_") for label in each.labels}
            found[name] = PROCESS | labels | ({"le"} if name.endswith("_bucket") else set())
    return found


def asked(expression: str) -> Iterator[tuple[str, set[str]]]:
    """Each series that an expression of PromQL asks for, with the labels that it selects by."""
    for name, selector in _SERIES.findall(_GROUPING.sub("", expression)):
        yield name, set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", selector))


def grouped(expression: str) -> set[str]:
    """The labels by which an expression groups or joins."""
    lists = _GROUPING.findall(expression)
    return {label.strip() for each in lists for label in each.split(",") if label.strip()}
