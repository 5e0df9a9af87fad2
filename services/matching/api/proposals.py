"""The consent of the two people a proposal is about."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Literal

from fastapi import APIRouter

from chassis.deciding.commands import Outcome
from chassis.deciding.decider import On, Refused
from chassis.running.http import Body, Context, Ctx, Problem, Response
from chassis.running.problems import later
from contracts.enrollment import Rules
from contracts.matching import ConsentGiven, DeclineCause, PairDeclined
from contracts.profiles import profile_key
from contracts.types import ProgramId, ProposalId, Side, instant_text
from services.matching.api.common import proposal_of
from services.matching.asking import lapse, rules_of, stood_still_of
from services.matching.excluding import excluded_by
from services.matching.forming import form, pair_id
from services.matching.proposal import PROPOSAL, AnswerConsent, CloseProposal, Proposal
from services.matching.views import PROFILES, PROPOSALS

router = APIRouter()


@router.get("/programs/{program}/proposals/mine")
async def my_proposals(ctx: Context, program: ProgramId) -> dict[str, Any]:
    """What this person's answer is awaited for. Who the partner is, they learn when the pair is formed."""
    items = []
    excluded = await excluded_by(ctx, program, ctx.caller.person or "")
    for side, other in ((Side.mentor, Side.executive), (Side.executive, Side.mentor)):
        where = {side.value: ctx.caller.person, "awaited": side.value}
        for found in await ctx.views.find(PROPOSALS, program, where):
            if found.row.person(other) in excluded:
                continue  # to everybody else it is not answered
            still = await stood_still_of(ctx.views, found.row, ctx.now())
            lapses = instant_text(found.row.lapses + still) if found.row.lapses else None
            row: dict[str, Any] = {"proposal": found.row.proposal, "lapses": lapses}
            profile = await ctx.views.latest(PROFILES, profile_key(program, found.row.person(other)))
            told = {"level", "function", "site", "offers", "seeks"}
            partner = profile.model_dump(mode="json", include=told) if profile else {}
            items.append(row | {"side": side.value, "partner": partner})
    return {"items": items, "next": None}


class ConsentAnswer(Body):
    """Whether the caller wants this pair."""

    answer: Literal["yes", "no"]


@router.post("/programs/{program}/proposals/{proposal}/consent")
async def answer_consent(ctx: Context, program: ProgramId, proposal: ProposalId, body: ConsentAnswer) -> Response:
    """Answers `state`: waiting (for the executive), formed (with the `pair`), or declined. Whoever asked for the pair
    takes that back with a no, and is not told whether the other one had answered."""
    state = await proposal_of(ctx, program, proposal)
    side = _side_asked(ctx, state)
    rules = await rules_of(ctx.views, program)
    if rules is None:
        raise later("catching-up", "the program is not fully known here yet; try again in a moment")
    if body.answer == "yes" and side is state.last:
        return await _form(ctx, state, rules)
    lapses = await lapse(ctx.views, program, state.executive, rules, ctx.now())
    command = AnswerConsent(
        side=side, yes=body.answer == "yes", lapses=lapses, stood_still=await _stood_still(ctx, state)
    )
    outcome = await ctx.run(On(PROPOSAL, PROPOSAL.stream(program, proposal), command))
    if side is state.asker:
        return ctx.answer(Outcome(), proposal=proposal, state="declined")
    said_yes = any(isinstance(f, ConsentGiven) for f in outcome.facts) or (not outcome.facts and command.yes)
    return ctx.answer(outcome, proposal=proposal, state="waiting" if said_yes else "declined")


async def _form(ctx: Ctx, proposal: Proposal, rules: Rules) -> Response:
    revs = []
    for person in (proposal.mentor, proposal.executive):
        profile = await ctx.views.latest(PROFILES, profile_key(proposal.program, person))
        if profile is None:
            raise later("catching-up", "one of the two is not fully known here yet; try again in a moment")
        revs.append(profile.rev)
    try:
        still = await _stood_still(ctx, proposal)
        outcome = await ctx.run(*form(proposal, revs[0], revs[1], ctx.now(), rules, still))
    except Refused as refused:
        if refused.code not in ("seat-taken", "ineligible", "declined"):
            raise
        close = CloseProposal(cause=DeclineCause(refused.code.replace("-", "_")))
        outcome = await ctx.run(On(PROPOSAL, PROPOSAL.stream(proposal.program, proposal.proposal), close))
    if any(isinstance(f, PairDeclined) for f in outcome.facts):
        return ctx.answer(outcome, proposal=proposal.proposal, state="declined")
    pair = pair_id(proposal.program, proposal.mentor, proposal.executive)
    return ctx.answer(outcome, proposal=proposal.proposal, state="formed", pair=pair)


async def _stood_still(ctx: Ctx, proposal: Proposal) -> timedelta:
    """How long its clock has stood still."""
    row = await ctx.views.get(PROPOSALS, PROPOSAL.stream(proposal.program, proposal.proposal))
    return await stood_still_of(ctx.views, row, ctx.now()) if row else timedelta()


def _side_asked(ctx: Ctx, proposal: Proposal) -> Side:
    """The side the caller was asked as, or asked for. Others learn nothing, also if the proposal is about them."""
    for side in (*proposal.asked, proposal.asker):
        if side and proposal.person(side) == ctx.caller.person:
            return side
    raise Problem(403, "not-yours", "nobody has asked you about this proposal")
