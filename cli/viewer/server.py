"""Serves the page that shows how events travel, on loopback only and to nobody but a browser that was sent here.

| path | answers |
|---|---|
| `/` and the files beside it | the page as it lies in `cli/viewer/page`; it needs nothing from elsewhere |
| `/api/traces?after=CURSOR` | `{cursor, traces}`: what has changed since that cursor, or all; newest first |
| `/api/traces/ID` | `{…summary, timeline, rows, linked}`; `ID` may be the beginning of one id; 404 `{detail}` |
| `/api/stack` | `{SERVICE: {behind, seconds, parked, due, late}}`; null for a service that does not answer |

A summary is `{id, name, service, start, took, spans, errors, marked, behind_the_scenes, program, services, facts}`,
`start` in milliseconds since the epoch. A row is a span with `start` and `took` in milliseconds since the beginning of
its trace, and `{step, mark, depth, detached, carrier, topic}`; rows come in the order in which they are drawn. `linked`
are the spans of other traces that name this one. GET only. A request whose Host is not this machine is refused, so that
no page from elsewhere reads this through a name of its own that leads here.
"""

import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cli.viewer.shape import Scale, rows
from cli.viewer.spans import Spans

PAGE = Path(__file__).parent / "page"
HOST = "127.0.0.1"
PORT = 8642
"""Where the page is unless something else is there already."""
HEADERS = {
    "content-security-policy": "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
}
Stack = Callable[[], Awaitable[dict[str, Any]]]


class Guarded:
    """ASGI middleware: every answer says what a browser may do with it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = [(k, v) for k, v in message["headers"] if k.decode().lower() not in HEADERS]
                message["headers"] = [*given, *((k.encode(), v.encode()) for k, v in HEADERS.items())]
            await send(message)

        await self._app(scope, receive, answer)


async def _nothing() -> dict[str, Any]:
    return {}


def application(folder: Path, stack: Stack = _nothing) -> Starlette:
    """The page of the spans in a folder; `stack` answers how the services are."""
    spans = Spans(folder)

    async def listed(request: Request) -> JSONResponse:
        spans.look()
        changed = spans.changed(request.query_params.get("after", ""))
        return JSONResponse({"cursor": spans.cursor, "traces": [summary.told() for summary in changed]})

    async def one(request: Request) -> JSONResponse:
        spans.look()
        wanted = request.path_params["id"].lower()
        found = spans.named(wanted)
        if len(found) != 1:
            detail = f"{len(found)} traces begin with {wanted!r}" if found else f"No span of trace {wanted!r} is here"
            return JSONResponse({"detail": detail}, 404)
        return JSONResponse(trace(spans, found[0]))

    async def services(request: Request) -> JSONResponse:
        return JSONResponse(await stack())

    return Starlette(
        routes=[
            Route("/api/traces", listed),
            Route("/api/traces/{id}", one),
            Route("/api/stack", services),
            Mount("/", StaticFiles(directory=PAGE, html=True)),
        ],
        middleware=[
            Middleware(Guarded),
            Middleware(TrustedHostMiddleware, allowed_hosts=[HOST, "localhost"], www_redirect=False),
        ],
    )


def trace(spans: Spans, id: str) -> dict[str, Any]:
    """One trace as the page draws it. Raises KeyError where it is not known."""
    summary, found = spans.traces[id], spans.of(id)
    return {
        **summary.told(),
        "timeline": Scale.of(found).told(summary.start) if found else [],
        "rows": [row.told(summary.start) for row in rows(found)],
        "linked": [link._asdict() for link in spans.linked(id)],
    }


@contextmanager
def serving(folder: Path, port: int | None = None, stack: Stack = _nothing) -> Iterator[str]:
    """Serve the page while the block lasts; its address. OSError where that port is taken.

    Without a port it is the usual one, or any other where that is taken.
    """
    listening = listen(port)
    app = application(folder, stack)
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False, lifespan="off", ws="none"))
    thread = Thread(target=server.run, kwargs={"sockets": [listening]}, name="viewer", daemon=True)
    thread.start()
    try:
        yield f"http://{HOST}:{listening.getsockname()[1]}"
    finally:
        server.should_exit = server.force_exit = True
        thread.join()
        listening.close()


def listen(port: int | None) -> socket.socket:
    """A socket that listens on that port of this machine; without one, on the usual port or on a free one."""
    try:
        return socket.create_server((HOST, PORT if port is None else port))
    except OSError:
        if port is not None:
            raise
        return socket.create_server((HOST, 0))
