"""What orchestrators and monitoring ask a process without a token: alive, ready, how far behind."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Protocol

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from chassis.running.answering import GRACE_SECONDS
from chassis.running.mongo import within
from chassis.running.problems import later
from chassis.running.settings import Role
from chassis.running.watch import ANSWER_SECONDS

if TYPE_CHECKING:
    from chassis.running.runtime import Runtime

probes = APIRouter(include_in_schema=False)
"""What is asked of any process."""
router = APIRouter(include_in_schema=False)
"""What is asked of a service's."""


class Probed(Protocol):
    """What a process knows of itself."""

    def stalled(self) -> list[str]: ...
    def waiting_for(self) -> list[str]: ...
    def without(self) -> list[str]: ...
    def caught_up(self) -> bool: ...


def _runtime(request: Request) -> Runtime:
    runtime: Runtime = request.app.state.runtime
    return runtime


def _probed(request: Request) -> Probed:
    probed: Probed = request.app.state.runtime
    return probed


@probes.get("/health/live")
async def live(request: Request) -> JSONResponse:
    """Alive while every part has tried something lately; a database that is down is no reason to restart."""
    stalled = _probed(request).stalled()
    return JSONResponse({"stalled": stalled}, 503 if stalled else 200)


@probes.get("/health/ready")
async def ready(request: Request) -> JSONResponse:
    """Ready while it can do its work. What answers HTTP is ready without Kafka, and says that it is without."""
    runtime = _probed(request)
    waiting = runtime.waiting_for()
    told = {"waiting_for": waiting, "without": runtime.without(), "catching_up": not runtime.caught_up()}
    return JSONResponse(told, 503 if waiting else 200)


@router.get("/health/lag")
async def lag(request: Request) -> JSONResponse:
    """Lag of the inbox by partition, in records and seconds, the tasks, and the number of parked things.

    503 where a server is away: then nobody knows.
    """
    runtime = _runtime(request)
    if "kafka" in {*runtime.waiting_for(), *runtime.without()}:
        return later("kafka-unavailable", "Kafka does not answer at the moment", 2).response()
    try:
        with within(ANSWER_SECONDS):
            async with asyncio.timeout(ANSWER_SECONDS + GRACE_SECONDS):
                return JSONResponse(await _lag(runtime))
    except TimeoutError:
        return later("database-unavailable", "the database does not answer at the moment", 2).response()


async def _lag(runtime: Runtime) -> dict[str, Any]:
    items = [
        {
            "inbox": runtime.inbox.name,
            "topic": x.topic,
            "partition": x.partition,
            "offset": x.offset,
            "end": x.end,
            "behind": x.behind,
            "seconds": x.seconds,
        }
        for x in await runtime.lag()
    ]
    tasks = {} if runtime.settings.role is Role.relay else await runtime.runner.figures()
    return {"items": items, "tasks": tasks, "parked": await runtime.parked()}
