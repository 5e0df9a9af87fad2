"""What may leave a process as telemetry: the names of attributes, and the form of those that callers have a hand in."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from contracts.streams import ORG

SCHEMA = "https://opentelemetry.io/schemas/1.45.0"
"""The semantic conventions that names follow: of HTTP and databases they are stable, of messaging in development."""

SPANS = frozenset(
    {
        "http.request.method", "http.route", "http.response.status_code", "url.scheme", "error.type",
        "server.address", "server.port",
        "messaging.system.name", "messaging.operation.name", "messaging.operation.type", "messaging.destination.name",
        "messaging.destination.partition.id", "messaging.consumer.group.name", "messaging.batch.message_count",
        "kafka.message.key", "kafka.offset", "counterpoint.version",
        "db.system.name", "db.namespace", "db.collection.name", "db.operation.name", "db.response.status_code",
        "counterpoint.program", "counterpoint.fact", "counterpoint.task", "counterpoint.attempt", "counterpoint.repeat",
        "counterpoint.replay", "counterpoint.late", "counterpoint.facts", "counterpoint.repeats", "counterpoint.parked",
    }
)  # fmt: skip
"""Attributes of spans and of links; those of figures stand with the instruments (`metrics.py`). A collector lets both
out and nothing else: `deploy/otel/common.yaml` has the same names."""

LOGS = frozenset(
    {
        "error.type", "exception.type", "exception.stacktrace", "counterpoint.reason", "counterpoint.task",
        "counterpoint.event", "counterpoint.part", "counterpoint.count", "counterpoint.seconds", "counterpoint.version",
        "counterpoint.folds", "counterpoint.made_by",
    }
)  # fmt: skip
"""Attributes of lines of the log."""

METHODS = frozenset({"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE", "QUERY"})
"""Any other method is whatever a caller made up."""

_ID = re.compile(r"[a-z]{2}_[a-z2-7]{26}")
_IN_PATH = re.compile(r"/programs/(pr_[a-z2-7]{26})(?=/|$)")


class NotAllowed(ValueError):
    """An attribute that is on no list."""


def of_spans(attributes: Mapping[str, str | int | bool | None]) -> Iterator[tuple[str, str | int | bool]]:
    """Those that have a value. Raises `NotAllowed` where a name is not on the list."""
    for name, value in attributes.items():
        if name not in SPANS:
            raise NotAllowed(name)
        if value is not None:
            yield name, value


def method(said: str) -> str:
    """A request's method, `_OTHER` where it is none there is."""
    return said if said in METHODS else "_OTHER"


def program_in(path: str) -> str | None:
    """The program that a request is about: its random id, and nothing else that somebody may have typed."""
    found = _IN_PATH.search(path)
    return found[1] if found else None


def program_of(scope: str) -> str | None:
    """The program that a stream's scope is; None for `org`, and for what is no program's id."""
    return scope if scope.startswith("pr_") and _ID.fullmatch(scope) else None


def stream(name: str) -> str:
    """A stream's name: of its parts only the category and what are ids, anything else as `*`."""
    scope, _, rest = name.partition("/")
    category, _, id = rest.partition("/")
    return f"{scope if scope == ORG else _masked(scope)}/{category}/{_masked(id)}"


def _masked(text: str) -> str:
    return text if _ID.fullmatch(text) else "*"
