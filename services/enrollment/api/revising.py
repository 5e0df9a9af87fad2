"""What a participant changes about their part: how many pairs, what they offer and seek, and when they are away."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import Field

from chassis.deciding.commands import Outcome, Write
from chassis.deciding.decider import On, Refused
from chassis.running.http import Body, Context, Ctx, Problem, Response
from contracts.enrollment import ProfileField
from contracts.profiles import PROFILES, Channel, Language, Profile, profile_key
from contracts.types import Date, PauseId, PersonId, ProgramId, Side, Tag
from services.enrollment.api.opening import words_of
from services.enrollment.api.participating import stream_of
from services.enrollment.api.people import member_of, profile_of, until_no_conflict
from services.enrollment.participation import (
    PARTICIPATION,
    ArrangePause,
    CallOffPause,
    DeclareCapacity,
    Participation,
    ReviseProfile,
)
from services.enrollment.pausing import today_in
from services.enrollment.program import PROGRAM
from services.enrollment.roster.reading import MOST_CAPACITY
from services.enrollment.stores import MEMBER

router = APIRouter()
ME = "/programs/{program}/participations/me"
Themes = Annotated[list[Tag], Field(max_length=20)]


class NewCapacity(Body):
    """In how many pairs to be at a time."""

    side: Side
    capacity: int = Field(ge=1, le=MOST_CAPACITY)


class Revision(Body):
    """What is otherwise now; what is not named stays."""

    languages: Annotated[list[Language], Field(min_length=1, max_length=10)] | None = None
    offers: Themes | None = None
    seeks: Themes | None = None
    channels: Annotated[list[Channel], Field(min_length=1, max_length=10)] | None = None


class NewPause(Body):
    """Days to be away; without `until`, until it is called off."""

    starts: Date
    until: Date | None = None


@router.put(ME + "/capacity")
async def declare_capacity(ctx: Context, program: ProgramId, body: NewCapacity) -> Response:
    """A participant says in how many pairs to be; fewer than there are ends none."""
    rules = (await ctx.read(PROGRAM, PROGRAM.stream(program, program)))[0].rules
    most = rules.capacity_mentor if body.side is Side.mentor else rules.capacity_executive
    command = DeclareCapacity(side=body.side, capacity=body.capacity, most=most)
    outcome = await until_no_conflict(lambda: _declare(ctx, program, command))
    return ctx.answer(outcome, person=_me(ctx))


async def _declare(ctx: Ctx, program: ProgramId, command: DeclareCapacity) -> Outcome:
    person = _me(ctx)
    profile, state = await _mine(ctx, program)
    most = max({**state.sides, command.side: command.capacity}.values())
    on = On(PARTICIPATION, stream_of(program, person), command)
    return await ctx.run(on, also=[_put(ctx, profile, {"capacity": most})])


@router.patch(ME + "/profile")
async def revise_profile(ctx: Context, program: ProgramId, body: Revision) -> Response:
    """A participant changes what they speak, offer and seek; no later roster file takes it back."""
    said: dict[str, Any] = {k: v for k, v in dict(body).items() if v is not None}
    tags = frozenset((await words_of(ctx, program))["tags"])
    for field in ("offers", "seeks"):
        if strange := sorted(set(said.get(field, ())) - tags):
            raise Problem(422, "not-listed", f"{strange[0]} is no theme of this program", pointer=f"/{field}")
    return ctx.answer(await until_no_conflict(lambda: _revise(ctx, program, said)), person=_me(ctx))


async def _revise(ctx: Ctx, program: ProgramId, said: dict[str, Any]) -> Outcome:
    person = _me(ctx)
    profile, state = await _mine(ctx, program)
    if state.state != "enrolled":
        raise Refused("not-enrolled", "you do not take part in this program; enrol first")
    member = await member_of(ctx, program, person)
    revised = profile.model_copy(update=said)
    changed = changed_fields(profile, revised)
    if not changed or member is None:
        return Outcome()
    own = {k: tuple(v) for k, v in said.items()} | {"own": tuple(sorted({*member.own, *said}))}
    kept = member.model_copy(update=own)
    on = On(PARTICIPATION, stream_of(program, person), ReviseProfile(profile_rev=profile.rev + 1, changed=changed))
    document = ctx.documents.put(MEMBER, program, person, kept.model_dump(mode="json"))
    return await ctx.run(on, also=[document, _put(ctx, profile, said)])


@router.post(ME + "/pauses", status_code=201)
async def arrange_pause(ctx: Context, program: ProgramId, body: NewPause) -> Response:
    """A participant will be away; nothing is asked of them meanwhile, and nothing held against them."""
    profile, _ = await _mine(ctx, program)
    pause = ctx.new_id("pz")
    today = today_in(profile.zone, ctx.now())
    command = ArrangePause(pause=pause, starts=body.starts, until=body.until, today=today)
    outcome = await ctx.run(On(PARTICIPATION, stream_of(program, _me(ctx)), command))
    return ctx.answer(outcome, 201, pause=pause)


@router.delete(ME + "/pauses/{pause}")
async def call_off_pause(ctx: Context, program: ProgramId, pause: PauseId) -> Response:
    """A participant stays, or is back; also where the pause is over already."""
    profile, state = await _mine(ctx, program)
    if pause not in (*state.pauses, *state.over):
        raise ctx.missing("pause")
    command = CallOffPause(pause=pause, today=today_in(profile.zone, ctx.now()))
    outcome = await ctx.run(On(PARTICIPATION, stream_of(program, _me(ctx)), command))
    return ctx.answer(outcome, pause=pause)


_WORDS = {field: ProfileField(field) for field in ("level", "function", "site", "zone", "languages", "channels")}
_WORDS |= {"offers": ProfileField.topics, "seeks": ProfileField.topics}
_WORDS |= {"line": ProfileField.line, "line_complete": ProfileField.line}


def changed_fields(before: Profile, after: Profile) -> tuple[ProfileField, ...]:
    """What of a profile is otherwise, as a fact names it."""
    return tuple(sorted({word for name, word in _WORDS.items() if getattr(before, name) != getattr(after, name)}))


def _put(ctx: Ctx, profile: Profile, changes: dict[str, Any]) -> Write:
    revised = profile.model_copy(update=changes | {"rev": profile.rev + 1})
    side: Write = ctx.latest.put(PROFILES, profile_key(profile.program, profile.person), revised)
    return side


async def _mine(ctx: Ctx, program: ProgramId) -> tuple[Profile, Participation]:
    """The caller's profile and part. 404 for who is on no roster and in no role."""
    profile = await profile_of(ctx, program, _me(ctx))
    if profile is None:
        raise ctx.missing("participant")
    state, _ = await ctx.read(PARTICIPATION, stream_of(program, _me(ctx)))
    return profile, state


def _me(ctx: Ctx) -> PersonId:
    """The caller's person; the policy let nobody in without one."""
    assert ctx.caller.person is not None
    return ctx.caller.person
