"""A coordinator's rounds: open, look, verify, approve, publish."""

from __future__ import annotations

import asyncio
from typing import Any, Literal

from fastapi import APIRouter

from chassis.deciding.commands import Outcome, Stale
from chassis.deciding.decider import On, Refused
from chassis.running.http import Body, Context, Ctx, Response
from chassis.running.problems import later
from contracts.fact import Fact
from contracts.matching import RoundKind, RoundPublished, Verdict
from contracts.types import ProgramId, ProposalId, RoundId
from services.matching.api.common import Limit, page, round_of
from services.matching.claim import progress, void
from services.matching.cohort import Cohort
from services.matching.erasure import CUT, RESULT
from services.matching.forming import proposals_of
from services.matching.freezing import INPUT, REPAIRED, freeze
from services.matching.keeping import puts, whole
from services.matching.placing import Placement, check, replayed
from services.matching.proposal import APPROVING, PROPOSAL, REPLACED, ReviewProposal
from services.matching.publishing import PUBLISHED, asked_of, unsettled
from services.matching.round import ROUND, OpenRound, PublishRound
from services.matching.solver import VERSION
from services.matching.solving import CHUNK
from services.matching.views import PROPOSALS

router = APIRouter()

LAST = "round-last"
"""The kind of document that names the round of a program that was opened last: of two that are opened at the same
moment, of which neither sees the other, one fails."""
OPENING_SECONDS = 60.0
"""Everybody is read and kept: of 20,000 a side that is more than a request otherwise may take."""
NAMED_AFTER = 20
"""A request may wait for as many versions at most; an answer names no more."""


class RoundOrder(Body):
    """Open a round for everybody who has a seat left, for newcomers, who never had a pair, or as a repair for those who
    have none any more, who come first, and whoever else has none. Pairs that there are stay in every kind."""

    kind: Literal["cohort", "newcomers", "repair"]


@router.post("/programs/{program}/rounds", status_code=201)
async def open_round(ctx: Context, program: ProgramId, body: RoundOrder) -> Response:
    with ctx.taking(OPENING_SECONDS):
        return await _opened(ctx, program, body)


async def _opened(ctx: Ctx, program: str, body: RoundOrder) -> Response:
    round = ctx.new_id("ro")
    stream = ROUND.stream(program, round)
    last = await ctx.documents.get(LAST, program, program)
    rounds = dict(await ctx.scan(ROUND, program))
    running = [s for s, other in rounds.items() if other.state not in ("published", "abandoned")]
    if running and stream not in rounds:
        other = running[0].rpartition("/")[2]
        raise Refused("round-running", f"publish or abandon {other} first; one round runs at a time")
    seen = await ctx.cuts.seen(program)
    cohort = await freeze(ctx, program, RoundKind(body.kind))
    if body.kind == "repair" and not any(c.priority >= REPAIRED for c in (*cohort.mentors, *cohort.executives)):
        raise Refused("nothing-to-repair", "nobody whose pair ended has a seat to fill; open a round of another kind")
    digest, kept = await asyncio.to_thread(lambda: (cohort.digest(), cohort.model_dump(mode="json")))
    command = OpenRound(
        program=program,
        round=round,
        kind=RoundKind(body.kind),
        rules_version=cohort.rules_version,
        objective=cohort.rules.objective,
        mentors=len(cohort.mentors),
        executives=len(cohort.executives),
        input=digest,
        solver=VERSION,
    )
    frozen = await puts(ctx, INPUT, program, round, kept)
    only = ctx.documents.exchanged(LAST, program, program, last, {"round": round})
    outcome = await ctx.run(On(ROUND, stream, command), also=[ctx.cuts.still(program, seen), only, *frozen])
    return ctx.answer(outcome, 201, round=round)


@router.get("/programs/{program}/rounds/{round}")
async def show_round(ctx: Context, program: ProgramId, round: RoundId) -> Response:
    state, version = await round_of(ctx, program, round)
    result = await whole(ctx, RESULT, program, round) or {}
    unplaced = result.get("unplaced", []) if state.state != "opened" else []
    uncut = await ctx.documents.get(CUT, program, round) is None  # else somebody of its input was erased
    told = {"unplaced": unplaced, "reproducible": uncut, "progress": await progress(ctx, program, round, ctx.now())}
    return ctx.single(state.model_dump(mode="json", exclude={"program"}) | told, version)


@router.get("/programs/{program}/rounds/{round}/verification")
async def verify_round(ctx: Context, program: ProgramId, round: RoundId, replay: bool = False) -> dict[str, Any]:
    """Check the kept result against the kept input and the facts: `wrong` is empty where nothing better exists."""
    state, _ = await round_of(ctx, program, round)
    kept = [await whole(ctx, kind, program, round) for kind in (INPUT, RESULT)]
    if state.state == "opened" or None in kept:
        raise Refused("not-solved", "the round has no result yet; wait until it is solved")
    if await ctx.documents.get(CUT, program, round) is not None:
        raise Refused("not-reproducible", "somebody whom the round was computed from was erased; open another round")
    cohort, placement = Cohort.model_validate(kept[0]), Placement.model_validate(kept[1])
    wrong = await asyncio.to_thread(check, cohort, placement)
    if (cohort.digest(), placement.certificate) != (state.input, state.certificate):
        wrong.append("the facts of this round are about another input or another result")
    if replay and not wrong:
        wrong = await asyncio.to_thread(replayed, cohort, placement)
    return {"round": round, "proven": not wrong, "wrong": wrong}


Order = Literal["proposal", "score", "-score", "mentor", "executive"]


@router.get("/programs/{program}/rounds/{round}/proposals")
async def list_proposals(
    ctx: Context,
    program: ProgramId,
    round: RoundId,
    after: ProposalId | None = None,
    sort: Order = "proposal",
    limit: Limit = 100,
) -> dict[str, Any]:
    """A page of the round's proposals, those turned down too; `-score` begins with the best."""
    await round_of(ctx, program, round)
    beyond = PROPOSAL.stream(program, after) if after else None
    if sort == "proposal":
        found = await ctx.views.find(PROPOSALS, program, {"round": round}, limit=limit + 1, after=beyond)
    else:
        by, last = sort.removeprefix("-"), await ctx.views.get(PROPOSALS, beyond) if beyond else None
        place = (getattr(last, by), beyond) if last and beyond else None
        down = sort.startswith("-")
        found = await ctx.views.sorted(
            PROPOSALS, program, {"round": round}, by, limit=limit + 1, down=down, after=place
        )
    shown = {"proposal", "mentor", "executive", "score", "terms", "verdict", "state"}
    return page([f.row.model_dump(mode="json", include=shown) for f in found], "proposal", limit)


@router.post("/programs/{program}/rounds/{round}/approvals")
async def approve_rest(ctx: Context, program: ProgramId, round: RoundId, body: Body | None = None) -> Response:
    """Approve every proposal of the round that has no verdict."""
    state, _ = await round_of(ctx, program, round)
    if state.state == "opened":
        raise Refused("not-solved", "the round has no result yet; wait until it is solved")
    approve = ReviewProposal(verdict=Verdict.approved, unless_reviewed=True)
    streams = sorted(stream for stream, _ in await proposals_of(ctx, program, round))
    after: list[str] = []
    facts: list[Fact] = []
    for start in range(0, len(streams), CHUNK):
        outcome = await ctx.run(*(On(PROPOSAL, s, approve) for s in streams[start : start + CHUNK]))
        after += outcome.after
        facts += outcome.facts
    return ctx.answer(Outcome(tuple(after[-NAMED_AFTER:])), round=round, approved=len(facts))


class Publication(Body):
    """What becomes of proposals without a verdict: they stay under review, to be published later, or come to nothing.
    Without `rest` there may be none."""

    rest: Literal["keep", "drop"] | None = None


@router.post("/programs/{program}/rounds/{round}/publish")
async def publish_round(ctx: Context, program: ProgramId, round: RoundId, body: Publication | None = None) -> Response:
    """Ask the people of what is approved. Answers how many proposals were `published` in all, and how many `kept`."""
    state, version = await round_of(ctx, program, round)
    of_round = [p for _, p in await proposals_of(ctx, program, round) if p.state == "proposed"]
    rest = body.rest if body else None
    result = await ctx.documents.get(RESULT, program, round) or {}
    if rest is None and state.state == "solved" and unsettled(of_round, result):
        raise later(
            "being-solved", "the round is solved again without what you rejected; wait a moment, or publish with `rest`"
        )
    verdicts = {p.proposal: p.verdict for p in of_round}
    approved = [proposal for proposal, verdict in verdicts.items() if verdict in APPROVING]
    command = PublishRound(
        approved=len(approved),
        rejected=sum(verdict in REPLACED for verdict in verdicts.values()),
        undecided=sum(verdict is None for verdict in verdicts.values()),
        rest=rest,
    )
    stream = ROUND.stream(program, round)
    # What was approved is written with the fact: what is approved a moment later waits for the next publication.
    listed = ctx.documents.put(PUBLISHED, program, round, {"asked": [*await asked_of(ctx, program, round), *approved]})
    expect = None if state.state == "published" else version
    try:
        outcome = await ctx.run(On(ROUND, stream, command, expect), also=[listed, void(ctx, program, round)])
    except Stale:
        raise later("conflict", "the round was solved again at this moment; look at it, and publish again") from None
    said = next((f for f in outcome.facts if isinstance(f, RoundPublished)), None)
    return ctx.answer(outcome, round=round, published=said.approved if said else 0, kept=(said and said.kept) or 0)
