"""What orchestrators and monitoring ask a process without a token: alive, ready, how far behind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from chassis.running.settings import Role

if TYPE_CHECKING:
    from chassis.running.runtime import Runtime

router = APIRouter(include_in_schema=False)


def _runtime(request: Request) -> Runtime:
    runtime: Runtime = request.app.state.runtime
    return runtime


@router.get("/health/live")
async def live(request: Request) -> JSONResponse:
    """Alive while every part has tried something lately; a database that is down is no reason to restart."""
    stalled = _runtime(request).stalled()
    return JSONResponse({"stalled": stalled}, 503 if stalled else 200)


@router.get("/health/ready")
async def ready(request: Request) -> JSONResponse:
    """Ready once prepared and, for a worker, once partitions are assigned."""
    waiting = _runtime(request).waiting_for()
    return JSONResponse({"waiting_for": waiting}, 503 if waiting else 200)


@router.get("/health/lag")
async def lag(request: Request) -> JSONResponse:
    """Lag of the inbox by partition, in records and seconds, the tasks, and the number of parked things."""
    runtime = _runtime(request)
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
    return JSONResponse({"items": items, "tasks": tasks, "parked": await runtime.parked()})
