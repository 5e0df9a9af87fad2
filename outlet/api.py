"""The feed over HTTP: one question, asked again and again with the cursor of the answer before."""

from __future__ import annotations

import asyncio
import hashlib
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Request, Response

from chassis.running.auth import Token
from chassis.running.problems import Problem, later
from outlet import cursor as cursors
from outlet.batch import MEDIA_TYPE, batch
from outlet.cursor import BadCursor, Cursor, Gone
from outlet.pages import Limits, NotYet, Page
from outlet.policy import POLICY
from outlet.question import Question
from outlet.runtime import Runtime
from outlet.settings import ALL

CURSOR = "Counterpoint-Cursor"
BATCHED_SECONDS = 0.05
"""Whoever waits looks no more often than this: what is said at once is handed over at once."""
NOT_YET_SECONDS = 2.0
"""How long a process may be behind another one that has answered before."""
_NAMES = 50
_EXAMPLE = '[{"specversion":"1.0","id":"pr_1/pair/pa_1@1","type":"counterpoint.matching.PairFormed","data":{}}]'

router = APIRouter()


def runtime_of(request: Request) -> Runtime:
    """What runs in this process."""
    runtime: Runtime = request.app.state.runtime
    return runtime


async def subscriber(request: Request) -> Token:
    """The token of a subscriber. Raises `BadToken`, or 403: nobody is one but by the settings."""
    token = await runtime_of(request).tokens.verify(request.headers.get("Authorization"))
    allowed = POLICY[request.scope["route"].name]
    narrowed = token.narrow is not None and not (token.narrow & allowed)
    if token.subject not in runtime_of(request).settings.subscribers or narrowed:
        raise Problem(403, "forbidden", "this is for subscribers: subjects in SUBSCRIBERS, with a token good for it")
    return token


Subscriber = Annotated[Token, Depends(subscriber)]
Names = Annotated[list[str] | None, Query()]


@router.get(
    "/facts/v1",
    operation_id="read_facts",
    response_class=Response,
    responses={
        200: {"content": {MEDIA_TYPE: {"schema": {"type": "array"}, "example": _EXAMPLE}}, "description": "Facts."},
        304: {"description": "Nothing has been said since the answer with this ETag."},
    },
)
async def read_facts(
    request: Request,
    who: Subscriber,
    after: Annotated[str | None, Query(max_length=40_000)] = None,
    types: Names = None,
    programs: Names = None,
    limit: Annotated[int, Query(ge=1)] = 100,
    wait: Annotated[float, Query(ge=0, allow_inf_nan=False)] = 0.0,
) -> Response:
    """Facts behind a cursor, each once and those of a stream in order; the next cursor is in a header and a link.

    `wait` is for how many seconds the answer may be held back while there is nothing to say.
    """
    runtime = runtime_of(request)
    question = Question(asked_types(runtime, types), asked_programs(runtime, who, programs))
    limits = Limits(facts=min(limit, runtime.settings.feed_page))
    with runtime.asked_by(who.subject):
        try:
            start = cursors.read(after, runtime.settings.cursor_key) if after else runtime.pages.begin(question)
            page = await _page(runtime, start, question, limits, min(wait, runtime.settings.feed_wait_seconds))
        except BadCursor as bad:
            raise Problem(400, "cursor", str(bad), errors=[{"parameter": "after", "detail": str(bad)}]) from None
        except Gone as gone:
            raise Problem(410, "cursor-gone", str(gone), errors=[{"parameter": "after", "detail": str(gone)}]) from None
        except NotYet:
            raise later("not-heard-yet", "this process has not heard as much yet; ask again in a moment") from None
    return _answer(request, page, cursors.write(page.cursor, runtime.settings.cursor_key))


async def _page(runtime: Runtime, start: Cursor, question: Question, limits: Limits, wait: float) -> Page:
    """The next page with anything on it; the last empty one when there was none in time, or the process stops."""
    clock = asyncio.get_running_loop().time
    until, heard_by = clock() + wait, clock() + max(wait, NOT_YET_SECONDS)
    while True:
        try:
            page = await runtime.pages.next(start, question, limits)
        except NotYet:
            if clock() >= heard_by or runtime.parts.stopping:
                raise
            await runtime.hearing.more(BATCHED_SECONDS)
            continue
        start = page.cursor
        if page.records or clock() >= until or runtime.parts.stopping:
            return page
        if page.whole:
            await runtime.hearing.more(until - clock())
            await asyncio.sleep(BATCHED_SECONDS)


def _answer(request: Request, page: Page, cursor: str) -> Response:
    body = batch(page.records)
    etag = f'"{hashlib.sha256(body + cursor.encode()).hexdigest()[:32]}"'
    again: list[tuple[str, Any]] = [(k, v) for k, v in request.query_params.multi_items() if k != "after"]
    headers = {
        CURSOR: cursor,
        "Link": f'<{request.url.path}?{urlencode([*again, ("after", cursor)])}>; rel="next"',
        "ETag": etag,
        "Cache-Control": "private, no-cache",
        "Vary": "Authorization",
    }
    known = {each.strip().removeprefix("W/") for each in request.headers.get("If-None-Match", "").split(",")}
    if etag in known or "*" in known:
        return Response(status_code=304, headers=headers)
    return Response(body, media_type=MEDIA_TYPE, headers=headers)


def asked_types(runtime: Runtime, given: list[str] | None) -> frozenset[str] | None:
    """Types by their own name, or by the whole one in a record. Raises 422."""
    names = _names(given, "types")
    if names is None:
        return None
    found = {name.rpartition(".")[2] for name in names}
    if unknown := sorted(found - runtime.types):
        raise _invalid("types", f"{unknown[0]!r} is no public fact; docs/catalog.md names them all")
    return frozenset(found)


def asked_programs(runtime: Runtime, who: Token, given: list[str] | None) -> frozenset[str] | None:
    """The programs asked for, or all that the caller may hear; None for every one. Raises 403, 422."""
    allowed = runtime.settings.subscribers[who.subject]
    names = _names(given, "programs")
    if names is None:
        return None if ALL in allowed else allowed
    if ALL not in allowed and names - allowed:
        raise Problem(403, "forbidden", "you may not hear the facts of every program you ask for; leave `programs` out")
    return names


def _names(given: list[str] | None, which: str) -> frozenset[str] | None:
    if given is None:
        return None
    names = frozenset(name for part in given for name in part.split(",") if name)
    if not 0 < len(names) <= _NAMES or max(map(len, names)) > 100:
        raise _invalid(which, f"name 1 to {_NAMES}, with commas between them, or leave it out")
    return names


def _invalid(parameter: str, detail: str) -> Problem:
    return Problem(
        422, "invalid-request", f"{parameter}: {detail}", errors=[{"parameter": parameter, "detail": detail}]
    )
