"""Explanations: who can be placed, why who goes with whom or does not, and what else a round could have given."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query

from chassis.deciding.decider import Refused
from chassis.running.http import Context, Ctx, Problem
from chassis.running.problems import later
from contracts.matching import RoundKind
from contracts.profiles import profile_key
from contracts.types import PairId, PersonId, ProgramId, ProposalId, RoundId, Side
from services.matching import explaining
from services.matching.alternatives import Feasibility, can_ask, feasibility, objectives
from services.matching.api.common import Limit, page, proposal_of, round_of
from services.matching.api.shelf import Shelf
from services.matching.cohort import Cohort
from services.matching.erasure import CUT, RESULT
from services.matching.explaining import PairWhy
from services.matching.freezing import INPUT, candidate, freeze
from services.matching.keeping import whole
from services.matching.pair import PAIR
from services.matching.placing import Placement
from services.matching.solution import SIDES, Solution
from services.matching.views import PROFILES, PROGRAMS

router = APIRouter()

Beyond = Annotated[str | None, Query(pattern=r"^pe_[a-z2-7]{26}_(mentor|executive)$")]
"""A person and a side, as the items of these lists have it."""

_SOLUTIONS: Shelf[Solution] = Shelf(4)
_FORESEEN: Shelf[Feasibility] = Shelf(4)
_ANSWERS: Shelf[Any] = Shelf(256)


@router.get("/programs/{program}/feasibility")
async def show_feasibility(
    ctx: Context,
    program: ProgramId,
    kind: Literal["cohort", "newcomers", "repair"] = "cohort",
    after: Beyond = None,
    limit: Limit = 100,
) -> dict[str, Any]:
    """What a round of a kind would give that is opened now, what each rule costs, and page by page who cannot be
    placed."""
    cohort = await freeze(ctx, program, RoundKind(kind))
    stamp = await asyncio.to_thread(cohort.digest)
    found = await _FORESEEN.get((program, kind), stamp, _ready(partial(feasibility, cohort)))
    told = found.model_dump(mode="json", exclude={"unplaceable"})
    return told | _page(found.unplaceable, after, limit)


@router.get("/programs/{program}/rounds/{round}/explanation")
async def explain_round(
    ctx: Context,
    program: ProgramId,
    round: RoundId,
    mentor: PersonId | None = None,
    executive: PersonId | None = None,
    person: PersonId | None = None,
    after: Beyond = None,
    limit: Limit = 100,
) -> dict[str, Any]:
    """Why a `mentor` and an `executive` are a pair or none; otherwise with whom everybody is, or one `person`, and why
    with nobody, page by page."""
    solution, stamp, whole = await _solution(ctx, program, round)
    if mentor and executive:
        rows = [_row(solution, side, who) for side, who in ((Side.mentor, mentor), (Side.executive, executive))]
        compute = partial(explaining.pair, solution, *rows, priced=whole)
        why: PairWhy = await _ANSWERS.get((program, round, mentor, executive), stamp, _ready(compute))
        return why.model_dump(mode="json")
    if mentor or executive:
        missing = {"parameter": "executive" if mentor else "mentor", "detail": "is needed beside the other one"}
        raise Problem(422, "invalid-request", "name a mentor and an executive, or one person", errors=[missing])
    return await asyncio.to_thread(_some, solution, person, after, limit)


@router.get("/programs/{program}/rounds/{round}/objectives")
async def show_objectives(ctx: Context, program: ProgramId, round: RoundId) -> dict[str, Any]:
    """What the round gives under the program's objective, the first, and what the others would have given."""
    solution, stamp, whole = await _solution(ctx, program, round)
    if not whole:
        raise Refused("not-reproducible", "somebody whom the round was computed from was erased; open another round")
    if not can_ask(solution):
        raise Refused("too-large", "a program of this size is not solved again for each objective")
    found = await _ANSWERS.get((program, round), stamp, _ready(partial(objectives, solution)))
    return {"items": [{"objective": goal.value, **figures.model_dump()} for goal, figures in found.items()]}


@router.get("/programs/{program}/pairs/{pair}/why")
async def why_pair(ctx: Context, program: ProgramId, pair: PairId) -> dict[str, Any]:
    """What these two have in common, term by term, as both are now: for them, and for coordinators."""
    state, version = await ctx.read(PAIR, PAIR.stream(program, pair))
    if not version:
        raise ctx.missing("pair")
    if "coordinator" not in ctx.caller.roles and ctx.caller.person not in (state.mentor, state.executive):
        raise Problem(403, "not-yours", "this is somebody else's pair")
    if state.state == "released":
        raise Problem(404, "pair-over", "a pair that is over is not explained any more")
    return await _card(ctx, program, state.mentor, state.executive)


@router.get("/programs/{program}/proposals/{proposal}/why")
async def why_proposal(ctx: Context, program: ProgramId, proposal: ProposalId) -> dict[str, Any]:
    """The same for somebody whose answer is awaited; who the other one is, they learn when the pair is formed."""
    state = await proposal_of(ctx, program, proposal)
    if state.awaited is None or state.person(state.awaited) != ctx.caller.person:
        raise Problem(403, "not-yours", "nobody waits for your answer to this proposal")
    return await _card(ctx, program, state.mentor, state.executive)


async def _solution(ctx: Ctx, program: str, round: str) -> tuple[Solution, str, bool]:
    """A round's answer, a stamp that changes with it, and whether it is whole: nobody of it was erased."""
    state, _ = await round_of(ctx, program, round)
    cut = await ctx.documents.get(CUT, program, round)
    stamp = f"{state.certificate} {cut}"

    async def load() -> Callable[[], Solution]:
        kept = [await whole(ctx, kind, program, round) for kind in (INPUT, RESULT)]
        if not state.certificate or None in kept:
            raise Refused("not-solved", "the round has no result yet; wait until it is solved")
        return lambda: Solution.kept(Cohort.model_validate(kept[0]), Placement.model_validate(kept[1]))

    return await _SOLUTIONS.get((program, round), stamp, load), stamp, cut is None


def _ready(compute: Callable[[], Any]) -> Callable[[], Awaitable[Callable[[], Any]]]:
    async def load() -> Callable[[], Any]:
        return compute

    return load


def _row(solution: Solution, side: Side, person: str) -> int:
    row = solution.row(side, person)
    if row is None:
        raise _absent(f"nobody with a free seat was this {side.value}")
    return row


def _some(solution: Solution, person: str | None, after: str | None, limit: int) -> dict[str, Any]:
    rows = [(c.person, side, row) for side in SIDES for row, c in enumerate(solution.people(side))]
    if person:
        rows = [row for row in rows if row[0] == person]
        if not rows:
            raise _absent("nobody with a free seat was this person")
    chosen = [r for r in sorted(rows) if after is None or f"{r[0]}_{r[1].value}" > after][: limit + 1]
    told = {side: [row for _, of, row in chosen if of is side] for side in SIDES}
    found = [why for side in SIDES for why in explaining.people(solution, side, told[side])]
    return _page(sorted(found, key=_key), after, limit)


def _absent(what: str) -> Problem:
    return Problem(404, "not-in-round", f"{what} when the round was opened")


def _key(why: explaining.About) -> str:
    return f"{why.person}_{why.side.value}"


def _page(found: Sequence[explaining.PersonWhy], after: str | None, limit: int) -> dict[str, Any]:
    items = [{"id": _key(why), **why.model_dump(mode="json")} for why in found if after is None or _key(why) > after]
    return page(items, "id", limit)


async def _card(ctx: Ctx, program: str, mentor: str, executive: str) -> dict[str, Any]:
    row = await ctx.views.get(PROGRAMS, PROGRAMS.category.stream(program, program))
    profiles = [await ctx.views.latest(PROFILES, profile_key(program, who)) for who in (mentor, executive)]
    if row is None or not all(profile and profile.sides for profile in profiles):
        raise later("catching-up", "one of the two is not fully known here yet; try again in a moment")
    ours, theirs = (candidate(profile, 1, False, True, "") for profile in profiles if profile)
    two = Cohort(
        program=program,
        rules=row.rules,
        rules_version=row.rules_version,
        opens=row.opens,
        closes=row.closes,
        mentors=[ours],
        executives=[theirs],
        barred=[],
    )
    made = explaining.card(two)
    return {"score": sum(p.points for p in made), "terms": [p.model_dump(mode="json") for p in made]}
