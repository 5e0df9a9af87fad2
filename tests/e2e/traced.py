"""What the services of a stack have appended to their spans files, and what each kind of span has to have."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chassis.running.allowed import SPANS

Line = dict[str, Any]
KAFKA = {"messaging.system.name", "messaging.operation.name", "messaging.operation.type"}
LANE = KAFKA | {"messaging.destination.name", "messaging.destination.partition.id"}
REQUIRED: dict[str, set[str]] = {
    "server": {"http.request.method", "url.scheme", "http.response.status_code"},
    "database": {"db.system.name", "db.namespace", "db.operation.name", "server.address"},
    "send": LANE | {"messaging.batch.message_count"},
    "create": LANE | {"kafka.message.key"},
    "batch": KAFKA | {"messaging.consumer.group.name", "messaging.batch.message_count"},
    "process": LANE | {"messaging.consumer.group.name", "kafka.message.key", "kafka.offset"},
    "task": {"counterpoint.task", "counterpoint.fact"},
    "commit": {"counterpoint.facts"},
}
"""By kind, the attributes that the semantic conventions 1.45.0 require or recommend and that apply here, and ours."""


def kind_of(line: Line) -> str:
    """Which row of the table a span is judged by."""
    said = line["attributes"]
    match line["kind"]:
        case "producer":
            return "create"
        case "consumer":
            return "batch" if "messaging.batch.message_count" in said else "process"
        case "client":
            return "database" if "db.system.name" in said else "send"
        case "internal":
            return "task" if "counterpoint.task" in said else "commit"
    return str(line["kind"])


def name_of(line: Line) -> str:
    """The name that a span of this kind must have, from its attributes."""
    said, kind = line["attributes"], kind_of(line)
    match kind:
        case "server":
            return f"{said['http.request.method'].replace('_OTHER', 'HTTP')} {said.get('http.route', '')}".rstrip()
        case "database":
            return f"{said['db.operation.name']} {said.get('db.collection.name', said['db.namespace'])}"
        case "task":
            return f"task {said['counterpoint.task']}"
        case "commit":
            return "commit"
    return f"{said['messaging.operation.name']} {said.get('messaging.destination.name', '')}".rstrip()


def faults(line: Line) -> Iterator[str]:
    """What is wrong with a span by the conventions and by the allow-list."""
    said, kind = line["attributes"], kind_of(line)
    if missing := REQUIRED[kind] - said.keys() - ({"counterpoint.facts"} if line["status"] == "error" else set()):
        yield f"a {kind} span has no {', '.join(sorted(missing))}"
    if more := said.keys() - SPANS:
        yield f"{', '.join(sorted(more))} must not be told"
    if line["name"] != name_of(line):
        yield f"it is called {line['name']!r}, not {name_of(line)!r}"
    if (line["status"] == "error") != ("error.type" in said):
        yield f"its status is {line['status']}, and its error.type {said.get('error.type')}"
    if kind in ("send", "batch") and not line["links"]:
        yield "a batch is linked to nothing"


@dataclass
class Traced:
    """The spans of a stack, as its files have them now."""

    folder: Path

    def __post_init__(self) -> None:
        texts = [line for file in sorted(self.folder.glob("*.jsonl")) for line in file.open()]
        self.lines: list[Line] = [json.loads(text) for text in texts if text.endswith("\n")]
        self.by_id = {line["span"]: line for line in self.lines}

    def of(self, kind: str) -> list[Line]:
        return [line for line in self.lines if kind_of(line) == kind]

    def above(self, line: Line) -> Iterator[Line]:
        """What a span hangs on: its parents, and where a trace begins, what it is linked to."""
        while line is not None:
            causes = [line["parent"]] if line["parent"] else [link["span"] for link in line["links"]]
            line = next((self.by_id[cause] for cause in causes if cause in self.by_id), None)  # type: ignore[assignment]
            if line is not None:
                yield line
