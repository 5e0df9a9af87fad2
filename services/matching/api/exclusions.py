"""Exclusions: with whom the caller does not want to be paired. For the caller's own eyes, whatever their role."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from chassis.deciding.commands import Outcome
from chassis.running.http import Body, Context, Ctx, Response
from contracts.profiles import profile_key
from contracts.types import PersonId, ProgramId, Side
from services.matching.excluding import exclude, excluded_by, lift
from services.matching.pair import PAIR
from services.matching.seat import SEAT, seat_stream
from services.matching.views import PROFILES

router = APIRouter()
ONE = "/programs/{program}/exclusions/{person}"


@router.get("/programs/{program}/exclusions")
async def my_exclusions(ctx: Context, program: ProgramId) -> dict[str, Any]:
    """Whom the caller excludes; nobody else's are ever shown."""
    excluded = await excluded_by(ctx, program, _me(ctx))
    return {"items": [{"person": person} for person in sorted(excluded)], "next": None}


@router.put(ONE)
async def exclude_person(ctx: Context, program: ProgramId, person: PersonId, body: Body | None = None) -> Response:
    """Never be paired with somebody, at any time and on either side. A living `pair` goes on: leave it to end it."""
    await _here(ctx, program, person)
    await ctx.run(*await exclude(ctx, program, _me(ctx), person))
    pair = await _living(ctx, program, person)
    told = "you are a pair already, which goes on; leave it to end it" if pair else "you will not be paired"
    return ctx.answer(Outcome(), person=person, pair=pair, told=told)  # no versions: a proposal would be told by its


@router.delete(ONE)
async def lift_exclusion(ctx: Context, program: ProgramId, person: PersonId) -> Response:
    """Be open for somebody again; also if they never were excluded."""
    if person not in await excluded_by(ctx, program, _me(ctx)):
        await _here(ctx, program, person)
    await ctx.run(*lift(program, _me(ctx), person))
    return ctx.answer(Outcome(), person=person)


async def _here(ctx: Ctx, program: str, person: str) -> None:
    """404 for who is nobody in this program."""
    if await ctx.views.latest(PROFILES, profile_key(program, person)) is None:
        raise ctx.missing("person")


async def _living(ctx: Ctx, program: str, other: str) -> str | None:
    """The living pair of the caller and somebody else."""
    for side in (Side.mentor, Side.executive):
        seats, _ = await ctx.read(SEAT, seat_stream(program, _me(ctx), side))
        for taken in seats.taken:
            pair, _ = await ctx.read(PAIR, PAIR.stream(program, taken))
            if other in (pair.mentor, pair.executive):
                return taken
    return None


def _me(ctx: Ctx) -> str:
    """The caller's person; the policy let nobody in without one."""
    assert ctx.caller.person is not None
    return ctx.caller.person
