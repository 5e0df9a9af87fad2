"""Journeys over HTTP: every pair with its next step; and the table of contents of the other routes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse

from chassis.receiving.views import LARGEST_PAGE, Found
from chassis.running.http import Context, Ctx, Response
from contracts import matching
from contracts.profiles import person_key
from contracts.streams import parts
from contracts.types import PairId, ProgramId, instant_text
from services.scheduling.board.api import router as board
from services.scheduling.next_step import Step, next_step
from services.scheduling.own import visible_pair
from services.scheduling.sessions.api import router as sessions
from services.scheduling.views import ACTIONS, JOURNEYS, LEARNINGS, PAIRS, PEOPLE, SESSIONS, Journey, Pair, Session

router = APIRouter(routes=[*sessions.routes, *board.routes])

Limit = Annotated[int, Query(ge=1, le=LARGEST_PAGE)]


@router.get("/programs/{program}/journeys")
async def list_journeys(ctx: Context, program: ProgramId, after: PairId | None = None, limit: Limit = 50) -> Response:
    """The caller's own journeys; for the coordinator all. What is said and written in a pair is in none of them."""
    found = await _pairs(ctx, after, limit + 1)
    items = await _items(ctx, [f.row for f in found[:limit]])
    more = parts(found[limit - 1].stream)[2] if len(found) > limit else None
    return JSONResponse({"items": items, "next": more})


@router.get("/programs/{program}/journeys/{pair}")
async def get_journey(ctx: Context, program: ProgramId, pair: PairId) -> Response:
    """One journey: the caller's own, or any for the coordinator."""
    items = await _items(ctx, [await visible_pair(ctx, pair)])
    return JSONResponse(items[0])


async def _pairs(ctx: Ctx, after: str | None, limit: int) -> list[Found[Pair]]:
    """The pairs whose journeys the caller may see, by id."""
    stream = matching.PAIR.stream(ctx.scope, after) if after else None
    if "coordinator" in ctx.caller.roles:
        return await ctx.views.find(PAIRS, ctx.scope, limit=limit, after=stream)
    own = [
        found
        for side in ("mentor", "executive")
        for found in await ctx.views.find(PAIRS, ctx.scope, {side: ctx.caller.person}, limit=limit, after=stream)
    ]
    return sorted(own, key=lambda found: found.stream)[:limit]


async def _items(ctx: Ctx, pairs: Sequence[Pair]) -> list[dict[str, Any]]:
    """Each pair with its journey and its next step: five queries, however many pairs."""
    these = {"pair": {"$in": [p.pair for p in pairs]}}
    journeys = {f.row.pair: f.row for f in await ctx.views.find(JOURNEYS, ctx.scope, these)}
    sessions: dict[str, list[Session]] = {}
    for session in await ctx.views.find(SESSIONS, ctx.scope, these):
        sessions.setdefault(session.row.pair, []).append(session.row)
    noted = {f.row.session: frozenset(f.row.notes) for f in await ctx.views.find(LEARNINGS, ctx.scope, these)}
    evidence = {f.row.pair for f in await ctx.views.find(ACTIONS, ctx.scope, {**these, "state": "evidenced"})}
    everybody = {person for p in pairs for person in (p.mentor, p.executive)}
    known = await ctx.views.latest_of(PEOPLE, map(person_key, everybody))
    names = {person.person: person.name for person in known.values()}
    items = []
    for pair in pairs:
        own, journey = sessions.get(pair.pair, []), journeys.get(pair.pair)
        over = pair.released is not None
        step = journey and next_step(journey, own, noted, evidence=pair.pair in evidence, over=over, now=ctx.now())
        items.append(_item(pair, journey, own, step or None, names))
    return items


def _item(
    pair: Pair, journey: Journey | None, sessions: Sequence[Session], step: Step | None, names: dict[str, str]
) -> dict[str, Any]:
    """What is shown of a journey. A pair that is over looks the same whoever ended it."""
    if journey and journey.state == "completed":
        state = "completed"
    else:
        state = "over" if pair.released else "open" if journey else "opening"
    return {
        "pair": pair.pair,
        "mentor": pair.mentor,
        "executive": pair.executive,
        "names": {side: names.get(person) for side, person in (("mentor", pair.mentor), ("executive", pair.executive))},
        "state": state,
        "held": sum(s.state == "held" for s in sessions),
        "planned": journey.sessions if journey else None,
        "next": _step(step),
    }


def _step(step: Step | None) -> dict[str, str] | None:
    if step is None:
        return None
    shown = {"what": step.what, "who": step.who, "session": step.session}
    return {k: v for k, v in shown.items() if v} | ({"start": instant_text(step.start)} if step.start else {})
