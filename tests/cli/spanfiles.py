"""Spans as services write them, made up for tests."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

TRACE = "ab" * 16
STREAM = "pr_a/pair/pa_b"


def span(id: str, parent: str | None, service: str, name: str, start_ms: float, **more: Any) -> dict[str, Any]:
    """One line of a file: a server span of two milliseconds unless `more` says otherwise."""
    took = more.pop("took_ms", 2)
    return {
        "trace": TRACE,
        "span": id,
        "parent": parent,
        "links": [],
        "service": f"counterpoint-{service}",
        "role": "all",
        "name": name,
        "kind": "server",
        "start_ns": int(start_ms * 1_000_000),
        "end_ns": int((start_ms + took) * 1_000_000),
        "status": "unset",
        "attributes": {},
        **more,
    }


def story(trace: str = TRACE, at_ms: float = 1_000, **request: Any) -> list[dict[str, Any]]:
    """A command of matching whose fact insights and scheduling hear; scheduling has a task, which says another fact."""
    about = {"messaging.destination.name": "counterpoint.matching.events", "kafka.message.key": STREAM}
    about |= {"counterpoint.fact": "PairFormed", "counterpoint.program": "pr_a"}
    batch = [{"trace": "cd" * 16, "span": "ba"}]
    process = {"kind": "consumer", "attributes": about, "links": batch}
    task = {"kind": "internal", "attributes": {"counterpoint.task": "open"}}
    spans = [
        span("01", None, "matching", "POST /programs/{program}/pairs", at_ms, took_ms=20, **request),
        span("02", "01", "matching", "commit", at_ms + 5, took_ms=10, kind="internal"),
        span("03", "02", "matching", "insert journal", at_ms + 7, kind="client", attributes={"db.namespace": "x"}),
        span(
            "04", "02", "matching", "create counterpoint.matching.events", at_ms + 30, kind="producer", attributes=about
        ),
        span("05", "04", "insights", "process counterpoint.matching.events", at_ms + 40, **process),
        span("06", "04", "scheduling", "process counterpoint.matching.events", at_ms + 42, **process),
        span("07", "06", "scheduling", "task open", at_ms + 50, **task),
    ]
    return [{**each, "trace": trace} for each in spans]


def write(file: Path, *spans: Mapping[str, Any], rest: str = "") -> None:
    """Add lines to a file, and perhaps the beginning of one more."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a") as lines:
        lines.write("".join(json.dumps(each) + "\n" for each in spans) + rest)
