"""Sessions over HTTP: proposed times in both people's clocks, booking, moving, cancelling, holding, learning."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from pydantic import AwareDatetime, Field

from chassis.deciding.decider import On
from chassis.running.http import Body, Context, Ctx, Response
from contracts.profiles import Channel, profile_key
from contracts.scheduling import CancelCause
from contracts.types import Actor, PairId, ProgramId, SessionId, Side, Tag, instant_text
from services.scheduling import views
from services.scheduling.bodies import NOTHING, Nothing, Text
from services.scheduling.own import check_tags, own_pair, visible_pair, words_of_pair
from services.scheduling.sessions.diary import DIARY, FreeSlot, HoldSlot
from services.scheduling.sessions.learning import LEARNING, NoteLearning
from services.scheduling.sessions.session import (
    SESSION,
    BookSession,
    CancelSession,
    HoldSession,
    MoveSession,
    Session,
)
from services.scheduling.sessions.windows import local_text
from services.scheduling.views import LEARNINGS, PROFILES, SESSIONS, Pair

router = APIRouter(prefix="/programs/{program}")

How = Literal["video", "phone", "room"]


class Book(Body):
    """Which of the proposed times, and how they will meet."""

    window: int = Field(ge=0, le=2)
    channel: How


class Move(Body):
    """The new time, with its offset from UTC."""

    start: AwareDatetime = Field(gt=datetime(2000, 1, 1, tzinfo=UTC), lt=datetime(2200, 1, 1, tzinfo=UTC))


class Hold(Body):
    """How long it took, and how they met."""

    minutes: int = Field(ge=1, le=480)
    channel: How


class Note(Body):
    """One thing that was learned: a tag for the figures, and words that only the pair ever reads."""

    tag: Tag
    themes: list[Tag] = Field(default_factory=list, max_length=10)
    text: Text | None = None


@router.get("/pairs/{pair}/sessions")
async def list_sessions(ctx: Context, program: ProgramId, pair: PairId) -> Response:
    """The sessions of a pair in order, cancelled ones included."""
    row = await visible_pair(ctx, pair)
    zones = await _zones(ctx, row)
    learned = {f.row.session: sorted(f.row.notes) for f in await ctx.views.find(LEARNINGS, ctx.scope, {"pair": pair})}
    found = [f.row for f in await ctx.views.find(SESSIONS, ctx.scope, {"pair": pair})]
    found.sort(key=lambda s: (s.number, s.state != "cancelled", s.session))
    items = [{**_shown(s, zones), "learned": learned.get(s.session, [])} for s in found]
    return JSONResponse({"items": items, "next": None})


@router.get("/sessions/{session}")
async def get_session(ctx: Context, program: ProgramId, session: SessionId) -> Response:
    """One session as it is now, with its version as ETag."""
    state, version = await _read(ctx, session)
    zones = await _zones(ctx, await visible_pair(ctx, state.pair))
    return ctx.single(_shown(state, zones), version)


@router.post("/sessions/{session}/book")
async def book_session(ctx: Context, program: ProgramId, session: SessionId, body: Book) -> Response:
    """Take one of the proposed times; both diaries hold it from now on."""
    state, pair, _ = await _own(ctx, session)
    window = state.window(body.window)
    book = BookSession(window=body.window, channel=Channel(body.channel), released=pair.released)
    held = [
        On(
            DIARY,
            DIARY.stream(program, person),
            HoldSlot(program=program, person=person, session=session, start=window.start, minutes=window.minutes),
        )
        for person in (pair.mentor, pair.executive)
    ]
    outcome = await ctx.run(On(SESSION, SESSION.stream(program, session), book), *held)
    return ctx.answer(outcome, session=session)


@router.post("/sessions/{session}/move")
async def move_session(ctx: Context, program: ProgramId, session: SessionId, body: Move) -> Response:
    """Give a booked session another time. Needs If-Match, because the other side may have moved it meanwhile."""
    expect = ctx.expect()
    state, pair, side = await _own(ctx, session)
    move = MoveSession(start=body.start, by=Actor(side.value), released=pair.released)
    held = [
        On(
            DIARY,
            DIARY.stream(program, person),
            HoldSlot(program=program, person=person, session=session, start=body.start, minutes=state.minutes),
        )
        for person in (pair.mentor, pair.executive)
    ]
    outcome = await ctx.run(On(SESSION, SESSION.stream(program, session), move, expect), *held)
    return ctx.answer(outcome, session=session)


@router.post("/sessions/{session}/cancel")
async def cancel_session(ctx: Context, program: ProgramId, session: SessionId, body: Nothing = NOTHING) -> Response:
    """Give a session up; other times are proposed at once. Needs If-Match."""
    expect = ctx.expect()
    _, pair, side = await _own(ctx, session)
    cancel = CancelSession(by=Actor(side.value), cause=CancelCause.person)
    freed = [On(DIARY, DIARY.stream(program, p), FreeSlot(session=session)) for p in (pair.mentor, pair.executive)]
    outcome = await ctx.run(On(SESSION, SESSION.stream(program, session), cancel, expect), *freed)
    return ctx.answer(outcome, session=session)


@router.post("/sessions/{session}/hold")
async def hold_session(ctx: Context, program: ProgramId, session: SessionId, body: Hold) -> Response:
    """Record that the session took place; either side may, once its time has come."""
    _, pair, side = await _own(ctx, session)
    hold = HoldSession(minutes=body.minutes, channel=Channel(body.channel), by=side, released=pair.released)
    return ctx.answer(await ctx.run(On(SESSION, SESSION.stream(program, session), hold)), session=session)


@router.post("/sessions/{session}/learning")
async def note_learning(ctx: Context, program: ProgramId, session: SessionId, body: Note) -> Response:
    """Note one thing the caller's side learned in a session that was held. The words are for the pair only."""
    state, pair, side = await _own(ctx, session)
    await check_tags(ctx, {"/tag": body.tag, **{f"/themes/{i}": tag for i, tag in enumerate(body.themes)}})
    content = ctx.new_id("co") if body.text else None
    note = NoteLearning(
        program=program,
        session=session,
        pair=pair.pair,
        side=side,
        tag=body.tag,
        themes=body.themes,
        content=content,
        held=state.state == "held",
    )
    texts = words_of_pair(ctx, pair, content, body.text) if content and body.text else []
    outcome = await ctx.run(On(LEARNING, LEARNING.stream(program, session), note), also=texts)
    return ctx.answer(outcome, session=session)


async def _read(ctx: Ctx, session: str) -> tuple[Session, int]:
    state, version = await ctx.read(SESSION, SESSION.stream(ctx.scope, session))
    if version == 0:
        raise ctx.missing("session")
    return state, version


async def _own(ctx: Ctx, session: str) -> tuple[Session, Pair, Side]:
    """A session, its pair, and the caller's side in it. Raises 404 or 403."""
    state, _ = await _read(ctx, session)
    return (state, *await own_pair(ctx, state.pair))


async def _zones(ctx: Ctx, pair: Pair) -> dict[str, str]:
    """The zone of each side. None of a pair that is over: a zone that goes missing would tell who left."""
    if pair.released:
        return {}
    found = {
        side.value: await ctx.views.latest(PROFILES, profile_key(ctx.scope, person))
        for side, person in ((Side.mentor, pair.mentor), (Side.executive, pair.executive))
    }
    return {side: profile.zone for side, profile in found.items() if profile and profile.zone}


def _shown(session: Session | views.Session, zones: Mapping[str, str]) -> dict[str, Any]:
    """A session for people: every time also on the clock of each of the two."""

    def local(start: datetime) -> dict[str, str]:
        return {side: local_text(start, zone) for side, zone in zones.items()}

    return {
        "session": session.session,
        "pair": session.pair,
        "number": session.number,
        "state": session.state,
        "windows": [
            {"start": instant_text(w.start), "minutes": w.minutes, "fit": w.fit, "local": local(w.start)}
            for w in session.windows
        ],
        "answer_by": session.answer_by and instant_text(session.answer_by),
        "start": session.start and instant_text(session.start),
        "local": local(session.start) if session.start else None,
        "minutes": session.minutes or None,
        "channel": session.channel,
        "sequence": session.sequence,
        "by": session.by,
    }
