"""One SERVER span and one duration for each request; the trace goes on into the journal from here."""

from __future__ import annotations

import time
from collections.abc import Collection
from typing import Any

from starlette.routing import compile_path
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chassis.running import allowed, spans
from chassis.running.metrics import METRICS


class Tracing:
    """ASGI middleware. Probes are not traced, and neither is what is answered `in_confidence`: those routes have no
    span at all, neither in the caller's trace nor in one of ours, because a trace tells who asked when."""

    def __init__(self, app: ASGIApp, in_confidence: Collection[str] = ()) -> None:
        self._app = app
        routes = (route.split(" ", 1) for route in in_confidence)
        self._confidence = [(method, compile_path(path)[0]) for method, path in routes]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith("/health"):
            await self._app(scope, receive, send)
            return
        method, began, status = allowed.method(scope["method"]), time.perf_counter(), 500
        span = None if self._in_confidence(scope) else _begun(scope, method)

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                if span is not None:
                    message["headers"] = [*message["headers"], (b"trace-id", spans.trace_id().encode())]
            await send(message)

        with spans.inside(span):
            try:
                await self._app(scope, receive, answer)
            finally:
                route = _template(scope)
                _measure(scope, method, route or "unmatched", status, time.perf_counter() - began)
                if span is not None:
                    _ended(span, method, route, status)

    def _in_confidence(self, scope: Scope) -> bool:
        return any(method == scope["method"] and path.match(scope["path"]) for method, path in self._confidence)


def _measure(scope: Scope, method: str, route: str, status: int, seconds: float) -> None:
    told: dict[str, str | int] = {
        "http.request.method": method,
        "http.route": route,
        "http.response.status_code": status,
    }
    METRICS.http_duration.record(seconds, told | {"url.scheme": _scheme(scope)})
    if status >= 400:
        METRICS.problems.add(1, told | {"counterpoint.problem": scope.get("problem", "unexpected")})


def _begun(scope: Scope, method: str) -> spans.Span:
    headers = dict(scope["headers"])
    return spans.begin(
        _name(method),
        spans.SpanKind.SERVER,
        {
            "http.request.method": method,
            "url.scheme": _scheme(scope),
            "counterpoint.program": allowed.program_in(scope["path"]),
        },
        below=headers.get(b"traceparent", b"").decode(errors="replace") or None,
    )


def _ended(span: spans.Span, method: str, route: str, status: int) -> None:
    span.update_name(_name(method, route))
    span.set_attribute("http.response.status_code", status)
    if route:
        span.set_attribute("http.route", route)
    spans.end(span, str(status) if status >= 500 else None)


def _name(method: str, route: str = "") -> str:
    return f"{'HTTP' if method == '_OTHER' else method} {route}".rstrip()


def _scheme(scope: Scope) -> str:
    return "https" if scope["scheme"] == "https" else "http"


def _template(scope: Scope) -> str:
    """The route as it was written, whatever was asked for; empty where there is none."""
    route: Any = scope.get("route")
    return str(getattr(route, "path", ""))
