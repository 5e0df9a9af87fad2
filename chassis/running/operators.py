"""What only operators may ask of a process: what is parked and why, to try it again, and to drop it with a reason."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TYPE_CHECKING, Annotated, Any, Self, TypeVar

from fastapi import APIRouter, Depends, Request
from pydantic import Field, StringConstraints, model_validator

from chassis.receiving.resuming import NotDropped, NotParked, Reason
from chassis.running.auth import Token
from chassis.running.http import Body, Problem

if TYPE_CHECKING:
    from chassis.running.runtime import Runtime

OPERATOR = "operator"
"""What a token's claims must leave to its subject, where they name roles at all."""

router = APIRouter(prefix="/parked", include_in_schema=False)
T = TypeVar("T")
_Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]


class Which(Body):
    """One parked thing: a stream, a task or a record."""

    stream: _Text | None = None
    task: _Text | None = None
    record: _Text | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if len([x for x in (self.stream, self.task, self.record) if x]) != 1:
            raise ValueError("name one of stream, task and record")
        return self


class Drop(Which):
    """What to drop, and why. Of a stream it is the version that the stream stopped at."""

    version: int | None = Field(default=None, ge=1)
    reason: _Text

    @model_validator(mode="after")
    def _versioned(self) -> Self:
        if bool(self.stream) != bool(self.version):
            raise ValueError("a stream, and nothing else, is dropped by its version")
        return self


async def operator(request: Request) -> Token:
    """The token of an operator. Raises `BadToken`, or 403: nobody is one by a role, only by the settings."""
    runtime = _runtime(request)
    token = await runtime.tokens.verify(request.headers.get("Authorization"))
    narrowed = token.narrow is not None and OPERATOR not in token.narrow
    if token.subject not in runtime.settings.operators or narrowed:
        raise Problem(403, "forbidden", "this is for operators: subjects in OPERATORS, with a token good for it")
    return token


Operator = Annotated[Token, Depends(operator)]


def _runtime(request: Request) -> Runtime:
    runtime: Runtime = request.app.state.runtime
    return runtime


@router.get("")
async def parked(request: Request, who: Operator) -> dict[str, Any]:
    """What waits: streams (why, since when, how many facts), records nobody can place, tasks that failed."""
    return await _runtime(request).resuming.parked()


@router.get("/stream")
async def parked_stream(request: Request, who: Operator, stream: str) -> dict[str, Any]:
    """One parked stream with the facts that wait on it."""
    return await _answered(_runtime(request).resuming.show(stream))


@router.get("/dropped")
async def dropped(request: Request, who: Operator) -> dict[str, Any]:
    """What was dropped: when, by whom, and why."""
    return {"items": await _runtime(request).resuming.drops()}


@router.post("/retry")
async def retry(request: Request, who: Operator, which: Which) -> dict[str, Any]:
    """Try a stream or a task again. For a stream, how far it came."""
    resuming = _runtime(request).resuming
    if which.stream:
        return await _answered(resuming.retry(which.stream))
    if which.record:
        raise Problem(422, "invalid-request", "a record that nobody can place cannot be tried again; drop it")
    await _answered(resuming.retry_task(str(which.task)))
    return {"task": which.task}


@router.post("/retry/all")
async def retry_all(request: Request, who: Operator, after: str = "") -> dict[str, Any]:
    """Try everything again, a page of streams at a time; `next` continues, in `after`."""
    return await _runtime(request).resuming.retry_all(after)


@router.post("/drop")
async def drop(request: Request, who: Operator, what: Drop) -> dict[str, Any]:
    """Drop what a stream stopped at, a task, or a record; who did it and why is kept."""
    resuming, reason = _runtime(request).resuming, Reason(who.subject, what.reason)
    if what.stream and what.version:
        return await _answered(resuming.drop(what.stream, what.version, reason))
    if what.task:
        await _answered(resuming.drop_task(what.task, reason))
        return {"task": what.task}
    await _answered(resuming.drop_record(str(what.record), reason))
    return {"record": what.record}


async def _answered(doing: Awaitable[T]) -> T:
    try:
        return await doing
    except NotParked as nothing:
        raise Problem(404, "not-parked", str(nothing)) from None
    except NotDropped as refused:
        raise Problem(409, "not-dropped", str(refused)) from None
