"""The board over HTTP: ideas and actions with their words, for the two people of the pair and nobody else."""

from __future__ import annotations

from datetime import date
from typing import Literal

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from chassis.deciding.decider import On
from chassis.running.http import Body, Context, Ctx, Problem, Response
from contracts.scheduling import Evidence
from contracts.types import ActionId, IdeaId, PairId, ProgramId, Side, Tag
from services.scheduling.board.action import (
    ACTION,
    Action,
    CommitAction,
    ConfirmAction,
    EvidenceAction,
    StartAction,
)
from services.scheduling.board.idea import IDEA, RaiseIdea
from services.scheduling.bodies import NOTHING, Nothing, Text
from services.scheduling.own import check_tags, own_pair, words_of_pair
from services.scheduling.views import ACTIONS, IDEAS, LEARNINGS, Pair

router = APIRouter(prefix="/programs/{program}")


class Raise(Body):
    """An idea: its theme, and words that only the pair ever reads."""

    theme: Tag
    text: Text


class Commit(Body):
    """Who will do what by when."""

    owner: Literal["mentor", "executive"]
    due: date
    text: Text


class Show(Body):
    """What shows that it was done."""

    kind: Literal["policy", "practice", "announcement", "document", "other"]
    text: Text | None = None


@router.get("/pairs/{pair}/board")
async def get_board(ctx: Context, program: ProgramId, pair: PairId) -> Response:
    """All that the pair has written. Only the two of them can read it."""
    await own_pair(ctx, pair)
    ideas = [f.row for f in await ctx.views.find(IDEAS, program, {"pair": pair})]
    actions = [f.row for f in await ctx.views.find(ACTIONS, program, {"pair": pair})]
    learning = [f.row for f in await ctx.views.find(LEARNINGS, program, {"pair": pair})]
    notes = [(row.session, side, note) for row in learning for side, note in sorted(row.notes.items())]
    wanted = [i.content for i in ideas]
    wanted += [c for a in actions for c in (a.content, a.evidence) if c]
    wanted += [note.content for _, _, note in notes if note.content]
    texts: dict[str, str] = await ctx.contents.get(program, wanted)
    return JSONResponse(
        {
            "ideas": [{"idea": i.idea, "by": i.by, "theme": i.theme, "text": texts.get(i.content)} for i in ideas],
            "actions": [
                {
                    "action": a.action,
                    "idea": a.idea,
                    "owner": a.owner,
                    "due": a.due and a.due.isoformat(),
                    "state": a.state,
                    "text": texts.get(a.content),
                    "evidence": {"kind": a.kind, "text": texts.get(a.evidence or "")} if a.kind else None,
                }
                for a in actions
            ],
            "learning": [
                {
                    "session": session,
                    "side": side,
                    "tag": note.tag,
                    "themes": note.themes,
                    "text": texts.get(note.content or ""),
                }
                for session, side, note in notes
            ],
        }
    )


@router.post("/pairs/{pair}/ideas", status_code=201)
async def raise_idea(ctx: Context, program: ProgramId, pair: PairId, body: Raise) -> Response:
    """Put a card on the pair's board."""
    row, side = await own_pair(ctx, pair)
    await check_tags(ctx, {"/theme": body.theme})
    idea, content = ctx.new_id("id"), ctx.new_id("co")
    command = RaiseIdea(
        program=program, idea=idea, pair=pair, by=side, theme=body.theme, content=content, released=row.released
    )
    text = words_of_pair(ctx, row, content, body.text)
    outcome = await ctx.run(On(IDEA, IDEA.stream(program, idea), command), also=text)
    return ctx.answer(outcome, 201, idea=idea)


@router.post("/ideas/{idea}/commit", status_code=201)
async def commit_action(ctx: Context, program: ProgramId, idea: IdeaId, body: Commit) -> Response:
    """Promise to do something about an idea; either of the two may write the promise down."""
    card, version = await ctx.read(IDEA, IDEA.stream(program, idea))
    if version == 0:
        raise ctx.missing("idea")
    row, _ = await own_pair(ctx, card.pair)
    action, content = ctx.new_id("ac"), ctx.new_id("co")
    command = CommitAction(
        program=program,
        action=action,
        pair=card.pair,
        idea=idea,
        owner=Side(body.owner),
        due=body.due,
        content=content,
        released=row.released,
    )
    text = words_of_pair(ctx, row, content, body.text)
    outcome = await ctx.run(On(ACTION, ACTION.stream(program, action), command), also=text)
    return ctx.answer(outcome, 201, action=action)


@router.post("/actions/{action}/start")
async def start_action(ctx: Context, program: ProgramId, action: ActionId, body: Nothing = NOTHING) -> Response:
    """The owner has begun."""
    promised, _, side = await _own(ctx, action)
    _only(side, promised.owner, "the side that promised the action")
    outcome = await ctx.run(On(ACTION, ACTION.stream(program, action), StartAction()))
    return ctx.answer(outcome, action=action)


@router.post("/actions/{action}/evidence")
async def evidence_action(ctx: Context, program: ProgramId, action: ActionId, body: Show) -> Response:
    """The owner shows what was done; the mentor is asked to confirm it."""
    promised, row, side = await _own(ctx, action)
    _only(side, promised.owner, "the side that promised the action")
    content = ctx.new_id("co") if body.text else None
    texts = words_of_pair(ctx, row, content, body.text) if content and body.text else []
    command = EvidenceAction(kind=Evidence(body.kind), content=content)
    outcome = await ctx.run(On(ACTION, ACTION.stream(program, action), command), also=texts)
    return ctx.answer(outcome, action=action)


@router.post("/actions/{action}/confirm")
async def confirm_action(ctx: Context, program: ProgramId, action: ActionId, body: Nothing = NOTHING) -> Response:
    """The mentor confirms that it happened. Not answering is an answer too: it closes by itself, without blame."""
    _, _, side = await _own(ctx, action)
    _only(side, Side.mentor, "the mentor of the pair")
    outcome = await ctx.run(On(ACTION, ACTION.stream(program, action), ConfirmAction()))
    return ctx.answer(outcome, action=action)


async def _own(ctx: Ctx, action: str) -> tuple[Action, Pair, Side]:
    """An action, its pair, and the caller's side in it. Raises 404 or 403."""
    state, version = await ctx.read(ACTION, ACTION.stream(ctx.scope, action))
    if version == 0:
        raise ctx.missing("action")
    return state, *await own_pair(ctx, state.pair)


def _only(side: Side, wanted: Side, who: str) -> None:
    if side is not wanted:
        raise Problem(403, "not-yours", f"Only {who} may do that.")
