"""What the routes of matching share: the things they are about, and pages of lists."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import Query

from chassis.running.http import Ctx
from services.matching.proposal import PROPOSAL, Proposal
from services.matching.round import ROUND, Round

Limit = Annotated[int, Query(ge=1, le=200)]


async def round_of(ctx: Ctx, program: str, round: str) -> tuple[Round, int]:
    state, version = await ctx.read(ROUND, ROUND.stream(program, round))
    if not version:
        raise ctx.missing("round")
    return state, version


async def proposal_of(ctx: Ctx, program: str, proposal: str) -> Proposal:
    state, version = await ctx.read(PROPOSAL, PROPOSAL.stream(program, proposal))
    if not version:
        raise ctx.missing("proposal")
    return state


def page(items: Sequence[dict[str, Any]], key: str, limit: int) -> dict[str, Any]:
    more = len(items) > limit
    return {"items": list(items[:limit]), "next": items[limit - 1][key] if more else None}
