"""The tally services with routes, so that they can be asked over HTTP."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from chassis.deciding.decider import On
from chassis.running.http import Body, Context, Response
from chassis.running.service import TOKEN, Service
from chassis.testing.tally import Add, TallyServices


class More(Body):
    """An amount to add, to one thing or to another one as well."""

    amount: int
    also: str | None = None


def served(tally: TallyServices) -> dict[str, Service]:
    """`writer` and `hearer`, whose routes anybody with a token may use."""
    return {"writer": _writer(tally), "hearer": _hearer(tally)}


def _writer(tally: TallyServices) -> Service:
    router = APIRouter(prefix="/programs/{program}/tallies")

    @router.post("/{thing}")
    async def add(ctx: Context, program: str, thing: str, body: More) -> Response:
        add = Add(program=program, amount=body.amount)
        things = [thing, body.also] if body.also else [thing]
        outcome = await ctx.run(*(On(tally.totals, tally.totals.stream(program, each), add) for each in things))
        return ctx.answer(outcome, repeated=outcome.repeated)

    @router.get("/{thing}")
    async def one(ctx: Context, program: str, thing: str) -> Response:
        state, version = await ctx.read(tally.totals, tally.totals.stream(program, thing))
        return ctx.single(state, version)

    anybody = frozenset({TOKEN})
    return replace(tally.writer, router=router, policy={"add": anybody, "one": anybody})


def _hearer(tally: TallyServices) -> Service:
    router = APIRouter(prefix="/programs/{program}/sums")

    @router.get("")
    async def sums(ctx: Context, program: str) -> Response:
        found = await ctx.views.find(tally.sums, program)
        items: list[dict[str, Any]] = [
            {"stream": f.stream, "version": f.version, "amount": f.row.amount, "facts": f.row.facts} for f in found
        ]
        return JSONResponse({"items": items})

    return replace(tally.hearer, router=router, policy={"sums": frozenset({TOKEN})})
