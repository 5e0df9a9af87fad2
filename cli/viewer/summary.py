"""What one line of a list says about a trace, and what each of its spans is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cli.viewer.spans import Span

PROGRAM = "counterpoint.program"
FACT = "counterpoint.fact"
TOPIC = "messaging.destination.name"
COUNT = "messaging.batch.message_count"
MARKS = {"counterpoint.replay": "replay", "counterpoint.repeat": "repeat"}
"""Attributes that say of a span that it is not the first to do this."""


def step(span: Span) -> str:
    """What a span is: request, commit, publish, hear, task, batch, database, call or work."""
    match span.kind:
        case "server":
            return "request"
        case "producer":
            return "publish"
        case "consumer":
            return "batch" if COUNT in span.attributes else "hear"
        case "client" if COUNT in span.attributes:
            return "batch"
        case "client":
            return "database" if any(name.startswith("db.") for name in span.attributes) else "call"
    if span.name == "commit":
        return "commit"
    return "task" if "counterpoint.task" in span.attributes else "work"


def mark(span: Span) -> str | None:
    """Why a span is not the first of its kind: repeat, or what kind of replay; None if it is the first."""
    for attribute, word in MARKS.items():
        if value := span.attributes.get(attribute):
            return value if isinstance(value, str) else word
    return None


@dataclass(slots=True)
class Summary:
    """One trace in short, as far as its spans have arrived. Times as in a span."""

    id: str
    name: str = ""
    service: str = ""
    start: int = 0
    end: int = 0
    spans: int = 0
    errors: int = 0
    marked: int = 0
    behind_the_scenes: bool = True
    program: str | None = None
    services: list[str] = field(default_factory=list)
    facts: list[str] = field(default_factory=list)
    revision: int = 0
    _root: tuple[bool, int] | None = None

    def add(self, span: Span) -> None:
        """Take in one more span, in whatever order they come."""
        root = (span.parent is not None, span.start)
        if self._root is None or root < self._root:
            self._root, self.name, self.service = root, span.name, span.service
        self.start = min(self.start or span.start, span.start)
        self.end = max(self.end, span.end)
        self.spans += 1
        self.errors += span.status == "error"
        self.marked += mark(span) is not None
        self.behind_the_scenes &= step(span) in ("batch", "database", "work")
        self.program = self.program or span.attributes.get(PROGRAM)
        for known, new in ((self.services, span.service), (self.facts, span.attributes.get(FACT))):
            if new and new not in known:
                known.append(str(new))

    def told(self) -> dict[str, Any]:
        """The summary for the page and for `--json`, all times in milliseconds; `start` is since the epoch."""
        return {
            "id": self.id,
            "name": self.name,
            "service": self.service,
            "start": round(self.start / 1e6, 3),
            "took": round((self.end - self.start) / 1e6, 3),
            "spans": self.spans,
            "errors": self.errors,
            "marked": self.marked,
            "behind_the_scenes": self.behind_the_scenes,
            "program": self.program,
            "services": self.services,
            "facts": self.facts,
        }
