"""Pairs: who is one, leaving, and ending one."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from chassis.running.http import Body, Context, Ctx, Problem, Response
from contracts.matching import ReleaseCause
from contracts.streams import parts
from contracts.types import PairId, ProgramId
from services.matching.api.common import Limit, page
from services.matching.forming import release
from services.matching.pair import PAIR, Pair
from services.matching.views import CHECKS, PAIRS

router = APIRouter()


@router.get("/programs/{program}/pairs")
async def list_pairs(
    ctx: Context, program: ProgramId, after: PairId | None = None, limit: Limit = 100
) -> dict[str, Any]:
    """A coordinator sees all pairs, anybody else their own."""
    beyond = PAIR.stream(program, after) if after else None
    me = ctx.caller.person
    wheres = [{}] if "coordinator" in ctx.caller.roles else [{side: me} for side in ("mentor", "executive")]
    found = [f for w in wheres for f in await ctx.views.find(PAIRS, program, w, limit=limit + 1, after=beyond)]
    items = [_shown(f.row) for f in sorted(found, key=lambda f: f.stream)]
    return page(await _flagged(ctx, program, items), "pair", limit)


@router.get("/programs/{program}/pairs/{pair}")
async def show_pair(ctx: Context, program: ProgramId, pair: PairId) -> Response:
    state, version = await _pair(ctx, program, pair)
    if "coordinator" not in ctx.caller.roles:
        _own(ctx, state)
    [shown] = await _flagged(ctx, program, [_shown(state)])
    return ctx.single(shown, version)


@router.post("/programs/{program}/pairs/{pair}/leave")
async def leave_pair(ctx: Context, program: ProgramId, pair: PairId) -> Response:
    """Alone, at once, without a reason; the other side sees that the pair has ended and nothing else.

    It needs nothing: whatever else is sent with it is not looked at.
    """
    state, _ = await _pair(ctx, program, pair)
    _own(ctx, state)
    return ctx.answer(await ctx.run(*release(state, ReleaseCause.ended, leaver=ctx.caller.person)), pair=pair)


@router.post("/programs/{program}/pairs/{pair}/end")
async def end_pair(ctx: Context, program: ProgramId, pair: PairId, body: Body | None = None) -> Response:
    expect = ctx.expect()
    state, _ = await _pair(ctx, program, pair)
    return ctx.answer(await ctx.run(*release(state, ReleaseCause.ended, expect)), pair=pair)


async def _pair(ctx: Ctx, program: str, pair: str) -> tuple[Pair, int]:
    state, version = await ctx.read(PAIR, PAIR.stream(program, pair))
    if not version:
        raise ctx.missing("pair")
    return state, version


async def _flagged(ctx: Ctx, program: str, items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """For coordinators, with the hard rules that each living pair breaks by now."""
    if "coordinator" not in ctx.caller.roles:
        return items
    flags = {parts(f.stream)[2]: f.row.flags for f in await ctx.views.find(CHECKS, program)}
    living = {item["pair"] for item in items if item["state"] == "formed"}
    return [item | {"flags": flags.get(item["pair"], []) if item["pair"] in living else []} for item in items]


def _own(ctx: Ctx, pair: Pair) -> None:
    if ctx.caller.person not in (pair.mentor, pair.executive):
        raise Problem(403, "not-yours", "this is somebody else's pair")


def _shown(pair: Pair) -> dict[str, Any]:
    return pair.model_dump(mode="json", exclude={"program", "rules_version"})
