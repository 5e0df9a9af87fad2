"""Between solved and published: the coordinator's verdicts, and changes by hand, whose price is told first."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Literal

from fastapi import APIRouter

from chassis.deciding.commands import ATTEMPTS, Conflict
from chassis.deciding.decider import On, Refused
from chassis.running.http import Body, Context, Ctx, Response
from contracts.matching import Verdict
from contracts.types import PersonId, ProgramId, ProposalId, RoundId, Side
from services.matching.api.common import proposal_of, round_of
from services.matching.claim import seen, still
from services.matching.cohort import Cohort
from services.matching.erasure import RESULT
from services.matching.forming import proposal_id, proposals_of
from services.matching.freezing import INPUT, promised_seats
from services.matching.keeping import some
from services.matching.proposal import PROPOSAL, REPLACED, Proposal, ReviewProposal
from services.matching.round import Round
from services.matching.seat import SEAT, seat_stream
from services.matching.swapping import Change, picked, swapped, told

router = APIRouter()

_Find = Callable[[], Awaitable[Change]]
"""Looks for a change in the round as it is at the moment. Raises Refused where there is none."""


class Review(Body):
    """What the coordinator makes of one proposal. `unlocked` takes a verdict back, except that a rejected pair has been
    replaced; a `locked` one is approved, and kept whenever the round is solved again."""

    verdict: Literal["approved", "rejected", "locked", "unlocked"]


@router.post("/programs/{program}/proposals/{proposal}/review")
async def review_proposal(ctx: Context, program: ProgramId, proposal: ProposalId, body: Review) -> Response:
    """Answers `resolving`: whether the round is solved again without the pair; then its certificate will change."""
    await proposal_of(ctx, program, proposal)
    verdict = Verdict(body.verdict)
    outcome = await ctx.run(On(PROPOSAL, PROPOSAL.stream(program, proposal), ReviewProposal(verdict=verdict)))
    return ctx.answer(outcome, proposal=proposal, resolving=verdict in REPLACED and bool(outcome.facts))


class Swap(Body):
    """Two proposals whose people exchange their partners."""

    first: ProposalId
    second: ProposalId


@router.get("/programs/{program}/rounds/{round}/swaps")
async def price_swap(
    ctx: Context, program: ProgramId, round: RoundId, first: ProposalId, second: ProposalId
) -> dict[str, Any]:
    """What a swap would do, before anything happens."""
    return await _priced(ctx, program, round, partial(_swap, ctx, program, round, first, second))


@router.post("/programs/{program}/rounds/{round}/swaps")
async def swap_proposals(ctx: Context, program: ProgramId, round: RoundId, body: Swap) -> Response:
    """Exchange the partners of two proposals. Answers the new `proposals`, which are locked; the rest is kept."""
    return await _made(ctx, program, round, partial(_swap, ctx, program, round, body.first, body.second))


class Pick(Body):
    """A pair that the coordinator picks."""

    mentor: PersonId
    executive: PersonId


@router.get("/programs/{program}/rounds/{round}/pairs")
async def price_pick(
    ctx: Context, program: ProgramId, round: RoundId, mentor: PersonId, executive: PersonId
) -> dict[str, Any]:
    """What a pair that the coordinator picks would do, before anything happens and the rest is solved anew."""
    return await _priced(ctx, program, round, partial(_pick, ctx, program, round, mentor, executive))


@router.post("/programs/{program}/rounds/{round}/pairs", status_code=201)
async def pick_pair(ctx: Context, program: ProgramId, round: RoundId, body: Pick) -> Response:
    """Lock a pair; whoever loses their partner by it is placed anew, around everything else."""
    find = partial(_pick, ctx, program, round, body.mentor, body.executive)
    return await _made(ctx, program, round, find, 201)


@router.get("/programs/{program}/rounds/{round}/open-places")
async def list_open_places(ctx: Context, program: ProgramId, round: RoundId) -> dict[str, Any]:
    """Whose pair of this round came to nothing after somebody was asked, and who have a seat for another one."""
    await round_of(ctx, program, round)
    proposals = [p for _, p in await ctx.scan(PROPOSAL, program)]
    seats = dict(await ctx.scan(SEAT, program))
    promised = promised_seats(proposals)
    items = {}
    for p in (p for p in proposals if p.round == round and p.state == "declined" and p.asked):
        for side in (Side.mentor, Side.executive):
            person = p.person(side)
            of = seats.get(seat_stream(program, person, side))
            if of is not None and of.left > promised[person, side]:
                items[person, side] = {"person": person, "side": side.value, "proposal": p.proposal, "cause": p.cause}
    return {"items": [items[key] for key in sorted(items)], "next": None}


async def _under_review(ctx: Ctx, program: str, round: str) -> Round:
    state, _ = await round_of(ctx, program, round)
    if state.state != "solved":
        way_out = "wait until it is solved" if state.state == "opened" else "open another round"
        raise Refused("not-under-review", f"this round is not under review; {way_out}")
    return state


async def _few(ctx: Ctx, program: str, round: str, people: set[str]) -> Cohort:
    """These people as the round saw them, and whom its result keeps apart; those whom it did not see are missing."""
    kept = await some(ctx, INPUT, program, round, people)
    result = await ctx.documents.get(RESULT, program, round)
    if kept is None or result is None:
        raise ctx.missing("round")
    for side in ("mentors", "executives"):
        kept[side] = [candidate for candidate in kept[side] if candidate["person"] in people]
    barred = [*kept["barred"], *result.get("revision", {}).get("barred", ())]
    kept["barred"] = [pair for pair in barred if people.issuperset(pair)]
    return Cohort.model_validate(kept)


async def _swap(ctx: Ctx, program: str, round: str, first: str, second: str) -> Change:
    states = [await _of_round(ctx, program, round, proposal) for proposal in (first, second)]
    people = {person for state in states for person in (state.mentor, state.executive)}
    change = swapped(await _few(ctx, program, round, people), states[0], states[1])
    for pair in change.come:
        stream = PROPOSAL.stream(program, proposal_id(round, pair.mentor.person, pair.executive.person))
        other, _ = await ctx.read(PROPOSAL, stream)
        if other.living and all(s.living for s in states):
            raise Refused("already-proposed", "two of these people are proposed to each other already")
    return change


async def _pick(ctx: Ctx, program: str, round: str, mentor: str, executive: str) -> Change:
    for person, side in ((mentor, Side.mentor), (executive, Side.executive)):
        seats, _ = await ctx.read(SEAT, seat_stream(program, person, side))
        if not seats.capacity:
            raise Refused("not-in-round", "one of the two does not take part; choose somebody else")
    standing = await _standing(ctx, program, round)
    return picked(await _few(ctx, program, round, {mentor, executive}), mentor, executive, standing)


async def _standing(ctx: Ctx, program: str, round: str) -> list[Proposal]:
    """The proposals that take seats in the round."""
    return [p for _, p in await proposals_of(ctx, program, round) if p.standing]


async def _of_round(ctx: Ctx, program: str, round: str, proposal: str) -> Proposal:
    state = await proposal_of(ctx, program, proposal)
    if state.round != round:
        raise ctx.missing("proposal")
    return state


async def _priced(ctx: Ctx, program: str, round: str, find: _Find) -> dict[str, Any]:
    """The change, and the whole round before and after it; `below` is how far it is from the first, proven result."""
    state = await _under_review(ctx, program, round)
    change = await find()
    now = {(p.mentor, p.executive): p.score for p in await _standing(ctx, program, round)}
    gone = {(p.mentor, p.executive) for p in change.go}
    come = {(pair.mentor.person, pair.executive.person): pair.score for pair in change.come}
    then = {pair: score for pair, score in now.items() if pair not in gone} | come
    optimum = state.total if state.optimum is None else state.optimum
    figures = {"now": _counts(now), "then": _counts(then), "optimum": optimum, "below": optimum - sum(then.values())}
    return told(change) | {"round": figures}


def _counts(scores: dict[tuple[str, str], int]) -> dict[str, int]:
    people = {(side, person) for pair in scores for side, person in enumerate(pair)}
    return {"people": len(people), "pairs": len(scores), "total": sum(scores.values())}


async def _made(ctx: Ctx, program: str, round: str, find: _Find, status: int = 200) -> Response:
    """Make a change that rests on how the round is: whoever solves it begins again, and where another change was
    quicker this one is looked for anew."""
    for left in reversed(range(ATTEMPTS)):
        before = await seen(ctx, program, round)
        state = await _under_review(ctx, program, round)
        change = await find()
        change.allowed()
        commands = change.commands(program, round, state.rules_version)
        try:
            outcome = await ctx.run(*commands, also=[still(ctx, program, round, before)])
            break
        except (Conflict, Refused):
            if not left or await seen(ctx, program, round) == before:
                raise
    pairs = [(c.mentor.person, c.executive.person) for c in change.come]
    return ctx.answer(outcome, status, proposals=[proposal_id(round, *pair) for pair in pairs])
