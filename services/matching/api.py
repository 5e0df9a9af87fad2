"""Matching over HTTP: the coordinator's rounds, everybody's own consent and pairs."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query

from chassis.deciding.commands import Outcome
from chassis.deciding.decider import On, Refused
from chassis.running.http import Body, Context, Ctx, Problem, Response
from chassis.running.problems import later
from contracts.fact import Fact
from contracts.matching import ConsentGiven, DeclineCause, PairDeclined, ReleaseCause, RoundKind, Verdict
from contracts.profiles import profile_key
from contracts.types import PairId, ProgramId, ProposalId, RoundId, Side
from services.matching.asking import lapse, rules_of
from services.matching.cohort import Cohort
from services.matching.erasure import CUT, RESULT
from services.matching.forming import form, pair_id, release
from services.matching.freezing import INPUT, freeze
from services.matching.pair import PAIR, Pair
from services.matching.placing import Placement, check
from services.matching.proposal import APPROVING, PROPOSAL, AnswerConsent, CloseProposal, Proposal, ReviewProposal
from services.matching.round import ROUND, OpenRound, PublishRound, Round
from services.matching.solver import VERSION
from services.matching.tasks import CHUNK
from services.matching.views import PAIRS, PROFILES, PROPOSALS

router = APIRouter()

Limit = Annotated[int, Query(ge=1, le=200)]
NAMED_AFTER = 20
"""A request may wait for as many versions at most; an answer names no more."""


class RoundOrder(Body):
    """Open a round for everybody who has a seat left."""

    kind: Literal["cohort"]


@router.post("/programs/{program}/rounds", status_code=201)
async def open_round(ctx: Context, program: ProgramId, body: RoundOrder) -> Response:
    round = ctx.new_id("ro")
    stream = ROUND.stream(program, round)
    rounds = dict(await ctx.scan(ROUND, program))
    running = [s for s, other in rounds.items() if other.state != "published"]
    if running and stream not in rounds:
        raise Refused("round-running", f"publish {running[0].rpartition('/')[2]} first; one round runs at a time")
    seen = await ctx.cuts.seen(program)
    cohort = await freeze(ctx, program)
    command = OpenRound(
        program=program,
        round=round,
        kind=RoundKind(body.kind),
        rules_version=cohort.rules_version,
        objective=cohort.rules.objective,
        mentors=len(cohort.mentors),
        executives=len(cohort.executives),
        input=cohort.digest(),
        solver=VERSION,
    )
    frozen = ctx.documents.put(INPUT, program, round, cohort.model_dump(mode="json"))
    outcome = await ctx.run(On(ROUND, stream, command), also=[ctx.cuts.still(program, seen), frozen])
    return ctx.answer(outcome, 201, round=round)


@router.get("/programs/{program}/rounds/{round}")
async def show_round(ctx: Context, program: ProgramId, round: RoundId) -> Response:
    state, version = await _round(ctx, program, round)
    result = await ctx.documents.get(RESULT, program, round) or {}
    unplaced = result.get("unplaced", []) if state.state != "opened" else []
    whole = await ctx.documents.get(CUT, program, round) is None  # else somebody of its input was erased
    told = {"unplaced": unplaced, "reproducible": whole}
    return ctx.single(state.model_dump(mode="json", exclude={"program"}) | told, version)


@router.get("/programs/{program}/rounds/{round}/verification")
async def verify_round(ctx: Context, program: ProgramId, round: RoundId) -> dict[str, Any]:
    """Check the kept result against the kept input and the facts: `wrong` is empty where nothing better exists."""
    state, _ = await _round(ctx, program, round)
    kept = [await ctx.documents.get(kind, program, round) for kind in (INPUT, RESULT)]
    if state.state == "opened" or None in kept:
        raise Refused("not-solved", "the round has no result yet; wait until it is solved")
    if await ctx.documents.get(CUT, program, round) is not None:
        raise Refused("not-reproducible", "somebody whom the round was computed from was erased; open another round")
    cohort, placement = Cohort.model_validate(kept[0]), Placement.model_validate(kept[1])
    wrong = await asyncio.to_thread(check, cohort, placement)
    if (cohort.digest(), placement.certificate) != (state.input, state.certificate):
        wrong.append("the facts of this round are about another input or another result")
    return {"round": round, "proven": not wrong, "wrong": wrong}


@router.get("/programs/{program}/rounds/{round}/proposals")
async def list_proposals(
    ctx: Context, program: ProgramId, round: RoundId, after: ProposalId | None = None, limit: Limit = 100
) -> dict[str, Any]:
    await _round(ctx, program, round)
    beyond = PROPOSAL.stream(program, after) if after else None
    found = await ctx.views.find(PROPOSALS, program, {"round": round}, limit=limit + 1, after=beyond)
    shown = {"proposal", "mentor", "executive", "score", "terms", "verdict", "state"}
    return _page([f.row.model_dump(mode="json", include=shown) for f in found], "proposal", limit)


class Review(Body):
    """What the coordinator makes of one proposal. `unlocked` takes a verdict back."""

    verdict: Literal["approved", "rejected", "locked", "unlocked"]


@router.post("/programs/{program}/proposals/{proposal}/review")
async def review_proposal(ctx: Context, program: ProgramId, proposal: ProposalId, body: Review) -> Response:
    await _proposal(ctx, program, proposal)
    command = ReviewProposal(verdict=Verdict(body.verdict))
    outcome = await ctx.run(On(PROPOSAL, PROPOSAL.stream(program, proposal), command))
    return ctx.answer(outcome, proposal=proposal)


@router.post("/programs/{program}/rounds/{round}/approvals")
async def approve_rest(ctx: Context, program: ProgramId, round: RoundId, body: Body | None = None) -> Response:
    """Approve every proposal of the round that has no verdict."""
    state, _ = await _round(ctx, program, round)
    if state.state == "opened":
        raise Refused("not-solved", "the round has no result yet; wait until it is solved")
    approve = ReviewProposal(verdict=Verdict.approved, unless_reviewed=True)
    streams = sorted(s for s, p in await ctx.scan(PROPOSAL, program) if p.round == round)
    after: list[str] = []
    facts: list[Fact] = []
    for start in range(0, len(streams), CHUNK):
        outcome = await ctx.run(*(On(PROPOSAL, s, approve) for s in streams[start : start + CHUNK]))
        after += outcome.after
        facts += outcome.facts
    return ctx.answer(Outcome(tuple(after[-NAMED_AFTER:])), round=round, approved=len(facts))


@router.post("/programs/{program}/rounds/{round}/publish")
async def publish_round(ctx: Context, program: ProgramId, round: RoundId, body: Body | None = None) -> Response:
    await _round(ctx, program, round)
    proposals = [p for _, p in await ctx.scan(PROPOSAL, program) if p.round == round]
    verdicts = [p.verdict for p in proposals if p.state == "proposed"]
    approved, undecided = sum(v in APPROVING for v in verdicts), verdicts.count(None)
    command = PublishRound(approved=approved, rejected=len(proposals) - approved - undecided, undecided=undecided)
    outcome = await ctx.run(On(ROUND, ROUND.stream(program, round), command))
    return ctx.answer(outcome, round=round)


@router.get("/programs/{program}/proposals/mine")
async def my_proposals(ctx: Context, program: ProgramId) -> dict[str, Any]:
    """What this person's answer is awaited for. Who the partner is, they learn when the pair is formed."""
    items = []
    for side, other in ((Side.mentor, Side.executive), (Side.executive, Side.mentor)):
        where = {side.value: ctx.caller.person, "awaited": side.value}
        for found in await ctx.views.find(PROPOSALS, program, where):
            row = found.row.model_dump(mode="json", include={"proposal", "lapses"})
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
    """Answers `state`: waiting (for the executive), formed (with the `pair`), or declined."""
    state = await _proposal(ctx, program, proposal)
    side = _side_asked(ctx, state)
    if body.answer == "yes" and side is Side.executive:
        return await _form(ctx, state)
    rules = await rules_of(ctx.views, program)
    if rules is None:
        raise later("catching-up", "the program is not fully known here yet; try again in a moment")
    lapses = await lapse(ctx.views, program, state.executive, rules, ctx.now())
    command = AnswerConsent(side=side, yes=body.answer == "yes", lapses=lapses)
    outcome = await ctx.run(On(PROPOSAL, PROPOSAL.stream(program, proposal), command))
    said_yes = any(isinstance(f, ConsentGiven) for f in outcome.facts) or (not outcome.facts and command.yes)
    return ctx.answer(outcome, proposal=proposal, state="waiting" if said_yes else "declined")


async def _form(ctx: Ctx, proposal: Proposal) -> Response:
    revs = []
    for person in (proposal.mentor, proposal.executive):
        profile = await ctx.views.latest(PROFILES, profile_key(proposal.program, person))
        if profile is None:
            raise later("catching-up", "one of the two is not fully known here yet; try again in a moment")
        revs.append(profile.rev)
    try:
        outcome = await ctx.run(*form(proposal, revs[0], revs[1], ctx.now()))
    except Refused as refused:
        if refused.code not in ("seat-taken", "ineligible"):
            raise
        close = CloseProposal(cause=DeclineCause(refused.code.replace("-", "_")))
        outcome = await ctx.run(On(PROPOSAL, PROPOSAL.stream(proposal.program, proposal.proposal), close))
    if any(isinstance(f, PairDeclined) for f in outcome.facts):
        return ctx.answer(outcome, proposal=proposal.proposal, state="declined")
    pair = pair_id(proposal.program, proposal.mentor, proposal.executive)
    return ctx.answer(outcome, proposal=proposal.proposal, state="formed", pair=pair)


@router.get("/programs/{program}/pairs")
async def list_pairs(
    ctx: Context, program: ProgramId, after: PairId | None = None, limit: Limit = 100
) -> dict[str, Any]:
    """A coordinator sees all pairs, anybody else their own."""
    beyond = PAIR.stream(program, after) if after else None
    me = ctx.caller.person
    wheres = [{}] if "coordinator" in ctx.caller.roles else [{side: me} for side in ("mentor", "executive")]
    found = [f for w in wheres for f in await ctx.views.find(PAIRS, program, w, limit=limit + 1, after=beyond)]
    return _page([_shown(f.row) for f in sorted(found, key=lambda f: f.stream)], "pair", limit)


@router.get("/programs/{program}/pairs/{pair}")
async def show_pair(ctx: Context, program: ProgramId, pair: PairId) -> Response:
    state, version = await _pair(ctx, program, pair)
    if "coordinator" not in ctx.caller.roles:
        _own(ctx, state)
    return ctx.single(_shown(state), version)


@router.post("/programs/{program}/pairs/{pair}/leave")
async def leave_pair(ctx: Context, program: ProgramId, pair: PairId, body: Body | None = None) -> Response:
    """Alone, at once, without a reason; the other side sees that the pair has ended and nothing else."""
    state, _ = await _pair(ctx, program, pair)
    _own(ctx, state)
    return ctx.answer(await ctx.run(*release(state, ReleaseCause.ended)), pair=pair)


@router.post("/programs/{program}/pairs/{pair}/end")
async def end_pair(ctx: Context, program: ProgramId, pair: PairId, body: Body | None = None) -> Response:
    expect = ctx.expect()
    state, _ = await _pair(ctx, program, pair)
    return ctx.answer(await ctx.run(*release(state, ReleaseCause.ended, expect)), pair=pair)


async def _round(ctx: Ctx, program: str, round: str) -> tuple[Round, int]:
    state, version = await ctx.read(ROUND, ROUND.stream(program, round))
    if not version:
        raise ctx.missing("round")
    return state, version


async def _proposal(ctx: Ctx, program: str, proposal: str) -> Proposal:
    state, version = await ctx.read(PROPOSAL, PROPOSAL.stream(program, proposal))
    if not version:
        raise ctx.missing("proposal")
    return state


def _side_asked(ctx: Ctx, proposal: Proposal) -> Side:
    """The side the caller was asked as. Who has not been asked learns nothing, also if the proposal is about them."""
    for side in proposal.asked:
        if proposal.person(side) == ctx.caller.person:
            return side
    raise Problem(403, "not-yours", "nobody has asked you about this proposal")


async def _pair(ctx: Ctx, program: str, pair: str) -> tuple[Pair, int]:
    state, version = await ctx.read(PAIR, PAIR.stream(program, pair))
    if not version:
        raise ctx.missing("pair")
    return state, version


def _own(ctx: Ctx, pair: Pair) -> None:
    if ctx.caller.person not in (pair.mentor, pair.executive):
        raise Problem(403, "not-yours", "this is somebody else's pair")


def _shown(pair: Pair) -> dict[str, Any]:
    return pair.model_dump(mode="json", exclude={"program", "rules_version"})


def _page(items: Sequence[dict[str, Any]], key: str, limit: int) -> dict[str, Any]:
    more = len(items) > limit
    return {"items": list(items[:limit]), "next": items[limit - 1][key] if more else None}
