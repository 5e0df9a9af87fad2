"""The solving of a round: ordered again, or given up with the round."""

from __future__ import annotations

from fastapi import APIRouter

from chassis.deciding.decider import On
from chassis.running.http import Body, Context, Response
from contracts.types import ProgramId, RoundId
from services.matching.api.common import round_of
from services.matching.claim import void
from services.matching.round import ROUND, AbandonRound, OrderSolution

router = APIRouter()


@router.post("/programs/{program}/rounds/{round}/solve", status_code=202)
async def solve_round(ctx: Context, program: ProgramId, round: RoundId, body: Body | None = None) -> Response:
    """Solve the round again: what is locked stays, everything else may change. `ordered` of the round tells when."""
    await round_of(ctx, program, round)
    return ctx.answer(await ctx.run(On(ROUND, ROUND.stream(program, round), OrderSolution())), 202, round=round)


@router.post("/programs/{program}/rounds/{round}/abandon")
async def abandon_round(ctx: Context, program: ProgramId, round: RoundId, body: Body | None = None) -> Response:
    """Give the round up, also while it is being solved: whoever is at it stops, and can write nothing more."""
    await round_of(ctx, program, round)
    on = On(ROUND, ROUND.stream(program, round), AbandonRound())
    return ctx.answer(await ctx.run(on, also=[void(ctx, program, round)]), round=round)
