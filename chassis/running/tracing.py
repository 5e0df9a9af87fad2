"""One SERVER span and one duration for each request; the trace goes on into the journal from here."""

from __future__ import annotations

import time
from typing import Any

from opentelemetry import trace
from opentelemetry.trace import SpanKind, Status, StatusCode
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chassis.running.metrics import METRICS
from chassis.running.telemetry import start

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
"""Whatever else somebody may send as a method is counted as one."""


class Tracing:
    """ASGI middleware. Probes are not traced."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith("/health"):
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        parent = headers.get(b"traceparent", b"").decode(errors="replace") or None
        span = start(scope["method"], SpanKind.SERVER, parent, http__request__method=scope["method"])
        began, status = time.perf_counter(), 500

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                trace_id = format(span.get_span_context().trace_id, "032x")
                message["headers"] = [*message["headers"], (b"trace-id", trace_id.encode())]
            await send(message)

        with trace.use_span(span, end_on_exit=False):
            try:
                await self._app(scope, receive, answer)
            finally:
                route = _template(scope)
                span.update_name(f"{scope['method']} {route}")
                span.set_attribute("http.route", route)
                span.set_attribute("http.response.status_code", status)
                if status >= 500:
                    span.set_status(Status(StatusCode.ERROR))
                span.end()
                _measure(scope, route, status, time.perf_counter() - began)


def _measure(scope: Scope, route: str, status: int, seconds: float) -> None:
    method = scope["method"] if scope["method"] in _METHODS else "_OTHER"
    told = {"http.request.method": method, "http.route": route, "http.response.status_code": status}
    METRICS.http_duration.record(seconds, told | {"url.scheme": scope["scheme"]})
    if status >= 400:
        METRICS.problems.add(1, told | {"counterpoint.problem": scope.get("problem", "unexpected")})


def _template(scope: Scope) -> str:
    route: Any = scope.get("route")
    return str(getattr(route, "path", "unmatched"))
