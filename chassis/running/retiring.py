"""Routes that callers should leave: their answers say so (RFC 9745, RFC 8594), and so does the OpenAPI document."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from email.utils import format_datetime
from typing import Any

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from contracts.retiring import Retiring

Table = Mapping[str, Retiring]
"""By operation, the handler's name."""


class Announced:
    """ASGI middleware: every answer of a route that is being retired says since when and until when there is one."""

    def __init__(self, app: ASGIApp, table: Table, described_at: str) -> None:
        self._app = app
        self._table = table
        self._described_at = described_at

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def announce(message: Message) -> None:
            route = scope.get("route")
            if message["type"] == "http.response.start" and (row := self._table.get(getattr(route, "name", ""))):
                headers = MutableHeaders(scope=message)
                for name, value in told(row, self._described_at).items():
                    headers.append(name, value)
            await send(message)

        await self._app(scope, receive, announce)


def told(row: Retiring, described_at: str) -> dict[str, str]:
    """The headers that announce it; the link leads to where it says what to do instead."""
    return {
        "Deprecation": f"@{int(_begin(row.deprecated).timestamp())}",
        "Sunset": format_datetime(_begin(row.sunset), usegmt=True),
        "Link": f'<{described_at}>; rel="deprecation"; type="application/json"',
    }


def _begin(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


_HEADERS = {
    "Deprecation": ("Since when it is deprecated: a date of RFC 9745.", "^@[0-9]+$"),
    "Sunset": ("When it is gone: an HTTP date, RFC 8594.", " GMT$"),
    "Link": ('Where it is said what to take instead: rel="deprecation".', None),
}


def mark(openapi: dict[str, Any], table: Table) -> None:
    """Say it in an OpenAPI document: of the operation and of each of its answers."""
    for path in openapi.get("paths", {}).values():
        for operation in path.values():
            row = table.get(operation.get("operationId", ""))
            if row is None:
                continue
            operation["deprecated"] = True
            operation["description"] = "\n\n".join(filter(None, [operation.get("description"), str(row)]))
            operation["x-deprecated"], operation["x-sunset"] = str(row.deprecated), str(row.sunset)
            for response in operation.get("responses", {}).values():
                response.setdefault("headers", {}).update(_described())


def _described() -> dict[str, Any]:
    return {
        name: {"description": about, "schema": {"type": "string"} | ({"pattern": pattern} if pattern else {})}
        for name, (about, pattern) in _HEADERS.items()
    }
