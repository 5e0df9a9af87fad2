"""Asking for a pair without a round: one of the two, who know each other's id, or the coordinator."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from chassis.deciding.decider import On, Refused
from chassis.running.http import Body, Context, Ctx, Problem, Response
from chassis.running.problems import later
from contracts.matching import Origin
from contracts.types import PersonId, ProgramId, Side
from services.matching.asking import lapse
from services.matching.direct import Ask, shown, weigh
from services.matching.excluding import excluded_by
from services.matching.proposal import ASKERS, PROPOSAL, AskForPair, Proposal
from services.matching.views import PROGRAMS, PROPOSALS

router = APIRouter()


class Wanted(Body):
    """The two who should be a pair."""

    mentor: PersonId
    executive: PersonId


@router.post("/programs/{program}/proposals", status_code=201)
async def ask_for_pair(ctx: Context, program: ProgramId, body: Wanted) -> Response:
    """The other one is asked, and for a coordinator both, the mentor first; they are told what every proposal tells.
    Answers `answer_by`, until when whoever asked waits."""
    ask = Ask(program, _origin(ctx, body), body.mentor, body.executive)
    proposal = ctx.new_id("pp")
    stream = PROPOSAL.stream(program, proposal)
    known, version = await ctx.read(PROPOSAL, stream)
    command = _again(known) if version else await _asked(ctx, ask, proposal)
    outcome = await ctx.run(On(PROPOSAL, stream, command))
    state, _ = await ctx.read(PROPOSAL, stream)
    return ctx.answer(outcome, 201, **_told(ctx, state))


@router.get("/programs/{program}/proposals/asked")
async def my_asks(ctx: Context, program: ProgramId) -> dict[str, Any]:
    """What the caller has asked for; as a coordinator, what coordinators have."""
    found = []
    for origin, side in ASKERS.items():
        where = {side.value: ctx.caller.person, "origin": origin.value}
        found += await ctx.views.find(PROPOSALS, program, where)
    if "coordinator" in ctx.caller.roles:
        found += await ctx.views.find(PROPOSALS, program, {"round": "", "origin": Origin.coordinator.value})
    return {"items": [_told(ctx, f.row) for f in found], "next": None}


def _origin(ctx: Ctx, body: Wanted) -> Origin:
    if body.mentor == body.executive:
        raise Refused("same-person", "nobody can be a pair with themselves; name two people", pointer="/executive")
    for origin, side in ASKERS.items():
        if ctx.caller.person == (body.mentor if side is Side.mentor else body.executive):
            return origin
    if "coordinator" in ctx.caller.roles:
        return Origin.coordinator
    raise Problem(403, "not-yours", "ask for a pair that you are in yourself; for others the coordinator asks")


async def _asked(ctx: Ctx, ask: Ask, proposal: str) -> AskForPair:
    row = await ctx.views.get(PROGRAMS, PROGRAMS.category.stream(ask.program, ask.program))
    if row is None:
        raise later("catching-up", "the program is not fully known here yet; try again in a moment")
    partner = ask.side and ask.person(Side.mentor if ask.side is Side.executive else Side.executive)
    if partner and partner in await excluded_by(ctx, ask.program, ctx.caller.person or ""):
        raise Refused("excluded", "you have ruled this person out yourself; lift that first, or ask for somebody else")
    judged = await weigh(ctx, row, ask, ctx.now())
    first = ask.first(row.rules)
    return AskForPair(
        program=ask.program,
        proposal=proposal,
        mentor=ask.mentor,
        executive=ask.executive,
        origin=ask.origin,
        rules_version=row.rules_version,
        score=judged.score,
        terms=judged.terms,
        after=judged.after,
        first=first,
        lapses=await lapse(ctx.views, ask.program, ask.person(first), row.rules, ctx.now()),
    )


def _again(known: Proposal) -> AskForPair:
    """The command of a repeated request, which has been done."""
    kept = {"program", "proposal", "mentor", "executive", "origin", "rules_version", "score", "terms", "after"}
    return AskForPair.model_validate(
        known.model_dump(include=kept) | {"first": known.asked[0], "lapses": known.answer_by}
    )


def _told(ctx: Ctx, proposal: Proposal) -> dict[str, Any]:
    shape = proposal.model_dump(mode="json", include={"proposal", "mentor", "executive", "answer_by"})
    return shape | {"state": shown(proposal, ctx.now())}
