"""What operators ask a process: alive, ready, how far behind, and what is parked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from chassis.receiving.parking import PARKED
from chassis.receiving.tasks import COLLECTION as TASKS
from chassis.receiving.views import PARKED_STREAM
from chassis.running.settings import Role

if TYPE_CHECKING:
    from chassis.running.runtime import Runtime

router = APIRouter(include_in_schema=False)
SHOWN = 200


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


@router.get("/parked")
async def parked(request: Request) -> JSONResponse:
    """What waits: streams (why, since when, how many facts behind), records nobody can place, tasks that failed."""
    runtime = _runtime(request)
    streams = await _documents(runtime, runtime.inbox.collection, PARKED_STREAM)
    records = await _documents(runtime, PARKED, {"kind": "record"})
    tasks = await _documents(runtime, TASKS, {"state": "parked"})
    behind = runtime.database.collection(PARKED)
    return JSONResponse(
        {
            "streams": [
                {
                    "stream": d["_id"],
                    "seen": d["v"],
                    **d["parked"],
                    "behind": await behind.count_documents({"kind": "fact", "stream": d["_id"]}),
                }
                for d in streams
            ],
            "records": [{k: d[k] for k in ("topic", "partition", "offset", "reason")} for d in records],
            "tasks": [{"task": d["_id"], "attempts": d["attempts"], "error": d.get("error")} for d in tasks],
        }
    )


async def _documents(runtime: Runtime, collection: str, query: dict[str, Any]) -> list[dict[str, Any]]:
    if runtime.settings.role is Role.relay:
        return []  # its database user may not look
    found: list[dict[str, Any]] = await runtime.database.collection(collection).find(query).limit(SHOWN).to_list(None)
    return found
