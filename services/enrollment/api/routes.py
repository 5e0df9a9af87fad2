"""Enrollment's routes. Each handler says in its first line who it is for; `policy.py` says who may."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query

from chassis.deciding.commands import Outcome
from chassis.deciding.decider import On
from chassis.receiving.views import LARGEST_PAGE
from chassis.running.http import Context, Ctx, Problem, Response
from contracts.streams import ORG
from contracts.types import InvitationId, PersonId, ProgramId
from services.enrollment.api import erasing, importing, inviting, opening, participating
from services.enrollment.api.bodies import (
    Availability,
    CharterAgreed,
    NewAnswer,
    NewErasure,
    NewInvitations,
    NewParticipation,
    NewProgram,
    NewRole,
    Nothing,
)
from services.enrollment.api.people import acquaint, names_of, profile_of, until_no_conflict
from services.enrollment.invitation import INVITATION, AnswerInvitation
from services.enrollment.participation import PARTICIPATION, AcceptCharter
from services.enrollment.program import PROGRAM
from services.enrollment.role import ROLE, GrantRole
from services.enrollment.stores import WORDS
from services.enrollment.views import INVITATIONS, PAIRS, PARTICIPATIONS, PROFILES, PROGRAMS, InvitationRow

router = APIRouter()
P = "/programs/{program}"
Limit = Annotated[int, Query(ge=1, le=LARGEST_PAGE)]
After = Annotated[str | None, Query(pattern=r"^[a-z0-9_]{1,40}$")]
CSV = {"requestBody": {"required": True, "content": {"text/csv": {"schema": {"type": "string", "format": "binary"}}}}}


def _me(ctx: Ctx) -> PersonId:
    """The caller's person; the policy let nobody in without one."""
    assert ctx.caller.person is not None
    return ctx.caller.person


@router.post("/programs", status_code=201)
async def open_program(ctx: Context, body: NewProgram) -> Response:
    """A founder opens a program and becomes its first coordinator."""
    program, person, outcome = await opening.open_program(ctx, body)
    return ctx.answer(outcome, 201, program=program, person=person)


@router.get("/programs")
async def my_programs(ctx: Context) -> dict[str, Any]:
    """Anybody with a token sees the programs that recognise them."""
    items = []
    for words in await ctx.documents.find(WORDS, ORG):
        program = words["program"]
        found = await ctx.views.find_latest(PROFILES, program, {"subject": ctx.caller.subject_hash}, limit=1)
        if found:
            row = await ctx.views.get(PROGRAMS, PROGRAM.stream(program, program))
            runs = row.model_dump(mode="json") if row else {}
            items.append({"program": program, "person": found[0].person, "title": words["title"], **runs})
    return {"items": items, "next": None}


@router.get(P)
async def show_program(ctx: Context, program: ProgramId) -> Response:
    """Everybody of a program sees its rules and its words."""
    state, version = await ctx.read(PROGRAM, PROGRAM.stream(program, program))
    words = await opening.words_of(ctx, program)
    return ctx.single({**words, **state.model_dump(mode="json")}, version)


@router.post(P + "/roles", status_code=201)
async def grant_role(ctx: Context, program: ProgramId, body: NewRole) -> Response:
    """A coordinator lets somebody act in a role."""
    if body.for_person is not None and await profile_of(ctx, program, body.for_person) is None:
        raise Problem(422, "nobody-here", "there is no such person in this program", pointer="/for_person")

    async def act() -> Response:
        known = await acquaint(ctx, program, body.login, body.name, body.mail)
        command = GrantRole(program=program, person=known.person, role=body.role, for_person=body.for_person)
        outcome = await ctx.run(On(ROLE, ROLE.stream(program, known.person), command), also=known.also)
        return ctx.answer(outcome, 201, person=known.person)

    return await until_no_conflict(act)


@router.post(P + "/roster", openapi_extra=CSV)
async def import_roster(ctx: Context, program: ProgramId, dry_run: bool = False) -> Response:
    """A coordinator imports people; faulty rows come back with row, column, code and value, the rest is taken."""
    report = await importing.import_roster(ctx, program, await ctx.request.body(), dry_run=dry_run)
    return ctx.answer(Outcome(), **report)


@router.post(P + "/invitations")
async def invite(ctx: Context, program: ProgramId, body: NewInvitations) -> Response:
    """A coordinator invites people of the roster."""
    invited, outcome = await inviting.invite(ctx, program, body)
    invitations = [{"invitation": i.invitation, "person": i.person, "side": i.side} for i in invited]
    return ctx.answer(outcome, invited=len(invited), invitations=invitations)


@router.get(P + "/invitations")
async def list_invitations(ctx: Context, program: ProgramId, after: After = None, limit: Limit = 50) -> dict[str, Any]:
    """A coordinator sees who was invited and what they said."""
    start = INVITATION.stream(program, after) if after else None
    found = await ctx.views.find(INVITATIONS, program, limit=limit, after=start)
    names = await names_of(ctx, [f.row.person for f in found])
    items = [{**_invitation(f.row), "name": names.get(f.row.person)} for f in found]
    return {"items": items, "next": found[-1].row.invitation if len(found) == limit else None}


@router.get(P + "/invitations/mine")
async def my_invitations(ctx: Context, program: ProgramId) -> dict[str, Any]:
    """Everybody sees what they were invited to."""
    found = await ctx.views.find(INVITATIONS, program, {"person": _me(ctx)})
    return {"items": [_invitation(f.row) for f in found], "next": None}


def _invitation(row: InvitationRow) -> dict[str, Any]:
    return row.model_dump(mode="json")


@router.post(P + "/invitations/{invitation}/answer")
async def answer_invitation(ctx: Context, program: ProgramId, invitation: InvitationId, body: NewAnswer) -> Response:
    """The invited person answers; a later answer replaces an earlier one."""
    stream = INVITATION.stream(program, invitation)
    state, _ = await ctx.read(INVITATION, stream)
    if state.invited is None:
        raise ctx.missing("invitation")
    if state.invited.person != _me(ctx):
        raise Problem(403, "not-yours", "only the invited person answers an invitation")
    outcome = await ctx.run(On(INVITATION, stream, AnswerInvitation(**dict(body))))
    return ctx.answer(outcome, invitation=invitation)


@router.post(P + "/participations", status_code=201)
async def enrol(ctx: Context, program: ProgramId, body: NewParticipation) -> Response:
    """Whoever accepted an invitation takes part on its side."""
    person = _me(ctx)
    return ctx.answer(await participating.enrol(ctx, program, person, body), 201, person=person)


@router.post(P + "/participations/me/charter")
async def accept_charter(ctx: Context, program: ProgramId, body: CharterAgreed) -> Response:
    """A participant accepts the charter; nobody is matched before."""
    state, _ = await ctx.read(PROGRAM, PROGRAM.stream(program, program))
    command = AcceptCharter(charter_version=body.charter_version, current=state.rules.charter_version)
    outcome = await ctx.run(On(PARTICIPATION, participating.stream_of(program, _me(ctx)), command))
    return ctx.answer(outcome, person=_me(ctx))


@router.put(P + "/participations/me/availability")
async def declare_availability(ctx: Context, program: ProgramId, body: Availability) -> Response:
    """A participant says when they have time, in quarter hours of their own zone."""
    outcome = await participating.declare(ctx, program, _me(ctx), body.windows)
    return ctx.answer(outcome, person=_me(ctx))


@router.post(P + "/participations/me/withdraw")
async def withdraw(ctx: Context, program: ProgramId, body: Nothing | None = None) -> Response:
    """A participant leaves: at once, alone, without a reason."""
    return ctx.answer(await participating.withdraw(ctx, program, _me(ctx)), person=_me(ctx))


@router.get(P + "/participations")
async def list_participations(
    ctx: Context, program: ProgramId, after: After = None, limit: Limit = 50
) -> dict[str, Any]:
    """A coordinator sees who takes part, how far they have come, in how many pairs they are, and who is `away` and
    when they mean to be `back`, where they know."""
    start = PARTICIPATION.stream(program, after) if after else None
    found = await ctx.views.find(PARTICIPATIONS, program, limit=limit, after=start)
    persons = [f.row.person for f in found]
    names = await names_of(ctx, persons)
    pairs = dict.fromkeys(persons, 0)
    for side in ("mentor", "executive"):
        for pair in await ctx.views.find(PAIRS, program, {side: {"$in": persons}, "living": True}):
            pairs[getattr(pair.row, side)] += 1
    items = [
        {
            **f.row.model_dump(mode="json", exclude={"pauses"}),
            "name": names.get(f.row.person),
            "pairs": pairs[f.row.person],
            "away": f.row.away,
            "back": f.row.back and f.row.back.isoformat(),
        }
        for f in found
    ]
    return {"items": items, "next": persons[-1] if len(found) == limit else None}


@router.get(P + "/participations/me")
async def my_participation(ctx: Context, program: ProgramId) -> Response:
    """Everybody sees their own part, exact."""
    body, version = await participating.shown(ctx, program, _me(ctx))
    return ctx.single(body, version)


@router.post(P + "/erasures", status_code=202)
async def request_erasure(ctx: Context, program: ProgramId, body: NewErasure) -> Response:
    """Everybody may be erased: their part ends everywhere, and nothing of them is kept. Coordinators may ask for it."""
    person = body.person or _me(ctx)
    outcome = await erasing.request(ctx, program, person)
    return ctx.answer(outcome, 202, person=person)


@router.get(P + "/erasures/{person}")
async def show_erasure(ctx: Context, program: ProgramId, person: PersonId) -> Response:
    """Who asked sees who has not deleted yet, until when they must, and in the end the proof."""
    body, version = await erasing.shown(ctx, program, person)
    return ctx.single(body, version)
