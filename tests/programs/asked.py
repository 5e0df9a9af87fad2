"""What services ask of their databases: every command of any client, kept as a few samples of each shape."""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pymongo.monitoring import CommandFailedEvent, CommandListener, CommandStartedEvent, CommandSucceededEvent

SAMPLES = 3
WRITE_CONFLICT, DUPLICATE_KEY = 112, 11000
Filter = Mapping[str, Any]
_KINDS = ("view", "kind")


@dataclass(frozen=True)
class Shape:
    """What two queries have in common: database, collection, the filter without its values, and the order."""

    database: str
    collection: str
    filter: str
    sort: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.database}.{self.collection} {self.filter}" + (f" by {', '.join(self.sort)}" if self.sort else "")


@dataclass(frozen=True)
class Query:
    """One query as it was asked: by find, count, aggregate, update, delete or findAndModify."""

    filter: Filter
    sort: Mapping[str, int]
    limit: int
    hint: Any = None


@dataclass
class Asked(CommandListener):
    """Notes queries by shape, while `listening`; and counts the conflicts that writers have met.

    What the test's own thread asks is not noted: the services live in others.
    """

    listening: bool = True
    times: Counter[Shape] = field(default_factory=Counter)
    samples: dict[Shape, list[Query]] = field(default_factory=lambda: defaultdict(list))
    conflicts: int = 0

    def started(self, event: CommandStartedEvent) -> None:
        own = threading.current_thread() is threading.main_thread()
        if self.listening and not own and event.database_name.startswith("counterpoint_"):
            for query in _queries(event.command_name, event.command):
                self._note(event.database_name, str(event.command[event.command_name]), query)

    def succeeded(self, event: CommandSucceededEvent) -> None:
        errors = event.reply.get("writeErrors", ()) if isinstance(event.reply, Mapping) else ()
        self.conflicts += sum(error.get("code") in (DUPLICATE_KEY, WRITE_CONFLICT) for error in errors)

    def failed(self, event: CommandFailedEvent) -> None:
        self.conflicts += event.failure.get("code") in (DUPLICATE_KEY, WRITE_CONFLICT)

    def _note(self, database: str, collection: str, query: Query) -> None:
        shape = Shape(database, collection, skeleton(query.filter), tuple(query.sort))
        self.times[shape] += 1
        kept = self.samples[shape]
        if len(kept) >= SAMPLES:  # the one with the longest lists, and the latest
            kept.remove(min(kept[:-1], key=lambda known: len(str(known.filter))))
        kept.append(query)


def skeleton(value: Any) -> str:
    """A filter without its values: `{stream: {$in: []}}`; which view or kind of thing it is about is left."""
    if isinstance(value, Mapping):
        inner = {key: inside if key in _KINDS else skeleton(inside) for key, inside in value.items()}
        return "{" + ", ".join(f"{key}: {inside}" for key, inside in inner.items()) + "}"
    if isinstance(value, list | tuple):
        kinds = dict.fromkeys(skeleton(item) for item in value)
        return "[" + ", ".join(kind for kind in kinds if kind != "_") + "]"
    return "_"


def _queries(name: str, command: Mapping[str, Any]) -> Iterator[Query]:
    match name:
        case "find":
            yield Query(
                command.get("filter", {}), command.get("sort", {}), command.get("limit", 0), command.get("hint")
            )
        case "aggregate" if isinstance(command["aggregate"], str):
            stages = [stage for stage in command["pipeline"] if "$changeStream" not in stage]
            if len(stages) == len(command["pipeline"]):
                yield Query(stages[0].get("$match", {}) if stages else {}, {}, 0, command.get("hint"))
        case "count" | "findAndModify":
            yield Query(command.get("query", {}), command.get("sort", {}), 0)
        case "update":
            yield from (Query(update["q"], {}, 0) for update in command["updates"])
        case "delete":
            yield from (Query(delete["q"], {}, 0) for delete in command["deletes"])
