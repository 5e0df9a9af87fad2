"""A service's program: its HTTP application, and what `python -m services.<name>` does."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Collection
from types import FrameType
from typing import Any, Protocol, TypeVar

import uvicorn
from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from pydantic import ValidationError

from chassis.running import (
    health,
    logs,
    metrics,
    once,
    operators,
    problems,
    rebuilding,
    republishing,
    retiring,
    sampling,
    telemetry,
)
from chassis.running.answering import InTime
from chassis.running.runtime import Runtime
from chassis.running.service import Service
from chassis.running.settings import Process, Role, Settings
from chassis.running.tracing import Tracing

FLUSH_SECONDS = 1.5
S = TypeVar("S")


class Living(Protocol):
    """What a process is made of, beside its routes."""

    def start(self) -> None: ...
    def begin_to_stop(self) -> None: ...
    async def stop(self) -> None: ...


class Server(uvicorn.Server):
    """Stops hearing at the moment it stops listening, so that both have the whole time, and ends with code 0."""

    def __init__(self, config: uvicorn.Config, app: FastAPI) -> None:
        super().__init__(config)
        self._app = app

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Remember to end. Uvicorn's own would send the signal again at the end, and the process would die of it."""
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close the listening socket, answer what is in flight, stop the runtime."""
        runtime: Living = self._app.state.runtime
        runtime.begin_to_stop()
        await super().shutdown(sockets)


def application(
    name: str,
    live: Callable[[], Living],
    *routers: APIRouter,
    described_at: str,
    in_confidence: Collection[str] = (),
) -> FastAPI:
    """An HTTP application with these routes, probes, and problems; its lifespan runs the other parts.

    Requests for the routes `in_confidence`, each a method and a path such as `POST /x/{y}`, are not traced.
    """

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        runtime = live()
        app.state.runtime = runtime
        runtime.start()
        try:
            yield
        finally:
            await runtime.stop()

    app = FastAPI(
        title=f"Counterpoint {name}",
        version="1",
        lifespan=lifespan,
        telemetry={"tracing": False, "metrics": False, "logs": False},  # FastAPI's own spans carry paths
        docs_url=None,  # the bundled pages load scripts from public networks
        redoc_url=None,
        openapi_url=described_at,
        generate_unique_id_function=lambda route: route.name,
    )
    for router in (*routers, health.probes):
        app.include_router(router)
    problems.install(app)
    app.add_middleware(InTime)
    app.add_middleware(Tracing, in_confidence=in_confidence)
    return app


def build(service: Service, settings: Settings) -> FastAPI:
    """The service's HTTP application."""
    routers = [health.router]
    if settings.role.does(Role.api):
        routers.append(APIRouter(prefix=f"/{service.name}/v1"))
        routers[-1].include_router(service.router)
    if settings.role is not Role.relay:
        routers.append(operators.router)
    described_at = f"/{service.name}/v1/openapi.json"
    app = application(
        service.name,
        lambda: Runtime(service, settings),
        *routers,
        described_at=described_at,
        in_confidence=_in_confidence(service),
    )
    announce(app, service.retiring, described_at)
    return app


def _in_confidence(service: Service) -> list[str]:
    named = {r.name: r for r in service.router.routes if isinstance(r, APIRoute)}
    routes = [named[operation] for operation in sorted(service.in_confidence)]  # raises rather than trace one
    return [f"{method} /{service.name}/v1{route.path}" for route in routes for method in sorted(route.methods or ())]


def announce(app: FastAPI, table: retiring.Table, described_at: str) -> None:
    """Let the answers and the description of routes that are being retired say so."""
    app.add_middleware(retiring.Announced, table=table, described_at=described_at)
    describe = app.openapi

    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            retiring.mark(describe(), table)
        return describe()

    app.openapi = described  # type: ignore[method-assign]


def run(service: Service) -> None:
    """Run one process of a service until it is told to stop. Exits with 2 where the settings are wrong.

    Asked for something else by its arguments (`chassis.running.once`), it does that, and ends.
    """
    settings = told(once.settings if sys.argv[1:] else Settings)
    provider = begin(service.name, settings.role, settings)
    if sys.argv[1:]:
        sys.exit(once.main(lambda: Runtime(service, settings), sys.argv[1:]))
    for role, main in ((Role.rebuild, rebuilding.main), (Role.republish, republishing.main)):
        if settings.role is role:
            code = asyncio.run(main(Runtime(service, settings)))
            _flush(provider)
            sys.exit(code)
    serve(build(service, settings), settings, provider)


def told(read: Callable[[], S]) -> S:
    """The settings, as the environment says them. Ends the process with 2 where they are wrong, and says which."""
    try:
        return read()
    except ValidationError as wrong:
        for e in wrong.errors(include_input=False):
            name = "_".join(str(p) for p in e["loc"]).upper()
            sys.stderr.write(f"COUNTERPOINT_{name}: {e['msg']}\n" if name else f"{e['msg']}\n")
        sys.exit(2)


def begin(name: str, role: str, settings: Process) -> telemetry.Provider:
    """Write the log, and tell what is traced and measured, from here on. Exits with 2 where that is set up wrongly."""
    local = settings.environment == "local" or sys.stderr.isatty()
    logs.setup(name, role, settings.log_format or ("text" if local else "json"))
    try:
        others = sampling.told("parentbased_always_on" if settings.spans_file else None)
    except ValueError as wrong:
        sys.stderr.write(f"{wrong}\n")
        sys.exit(2)
    sampler = sampling.Programs(others, settings.traced_programs, settings.traced_share)
    return telemetry.setup(telemetry.resource_of(name, role, settings.environment), sampler, settings.spans_file)


def serve(app: FastAPI, settings: Process, provider: telemetry.Provider) -> None:
    """Answer HTTP until the process is told to stop, and end it."""
    config = uvicorn.Config(
        app,
        host=settings.http_host,
        port=settings.http_port,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=6,
    )
    Server(config, app).run()
    _flush(provider)
    logging.shutdown()
    os._exit(0)  # a thread of the driver that waits for a server which hangs would hold the process up


def _flush(provider: telemetry.Provider) -> None:
    """Send what is not sent yet, unless nobody takes it."""
    flushing = [threading.Thread(target=flush, daemon=True) for flush in (provider.shutdown, metrics.flush)]
    for thread in flushing:
        thread.start()
    until = time.monotonic() + FLUSH_SECONDS
    for thread in flushing:
        thread.join(max(0.0, until - time.monotonic()))
