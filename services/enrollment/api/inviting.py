"""Inviting people of the roster, in waves."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from chassis.deciding.commands import Outcome, derived_id
from chassis.deciding.decider import On
from chassis.running.http import Ctx, Problem
from contracts.enrollment import ParticipantInvited
from contracts.profiles import PROFILES, profile_key
from contracts.types import InvitationId, PersonId, ProgramId, Side
from services.enrollment.api.bodies import NewInvitations
from services.enrollment.api.people import members_of, recognise, until_no_conflict
from services.enrollment.invitation import INVITATION, Invite
from services.enrollment.roster.planning import Member

PIECE = 100
"""Invitations in one transaction."""
SHOWN = 20
"""Versions an answer names; a request can ask for the effects of no more (`Counterpoint-After`)."""


def invitation_id(program: ProgramId, person: PersonId, side: Side) -> InvitationId:
    """There is one invitation for each person and side, however often they are asked."""
    return derived_id("iv", program, person, side)


async def invite(ctx: Ctx, program: ProgramId, body: NewInvitations) -> tuple[list[ParticipantInvited], Outcome]:
    """Invite those listed, or everybody of the roster with a side who was not invited yet."""
    chosen = await _chosen(ctx, program, body.persons)
    invited: list[ParticipantInvited] = []
    after: list[str] = []
    for start in range(0, len(chosen), PIECE):
        piece = chosen[start : start + PIECE]
        outcome = await until_no_conflict(partial(_invite, ctx, program, body, piece))
        invited += [fact for fact in outcome.facts if isinstance(fact, ParticipantInvited)]
        after += outcome.after
    return invited, Outcome(tuple(after[-SHOWN:]))


async def _chosen(ctx: Ctx, program: ProgramId, persons: Sequence[PersonId] | None) -> list[Member]:
    members = await members_of(ctx, program)
    if persons is None:
        return [member for member in members.values() if member.side is not None]
    for position, person in enumerate(persons):
        if person not in members or members[person].side is None:
            raise Problem(
                422,
                "not-on-the-roster",
                "only people whom the roster names with a side can be invited; import them first",
                pointer=f"/persons/{position}",
            )
    return [members[person] for person in dict.fromkeys(persons)]


async def _invite(ctx: Ctx, program: ProgramId, body: NewInvitations, piece: Sequence[Member]) -> Outcome:
    profiles = await ctx.latest.find(PROFILES, [profile_key(program, member.person) for member in piece])
    unknown = [m for m in piece if profile_key(program, m.person) not in profiles]
    return await ctx.run(
        *(_command(program, body, member) for member in piece),
        also=[write for m in unknown for write in recognise(ctx, program, m.person, m.login)],
    )


def _command(program: ProgramId, body: NewInvitations, member: Member) -> On:
    assert member.side is not None
    invitation = invitation_id(program, member.person, member.side)
    command = Invite(
        program=program,
        invitation=invitation,
        person=member.person,
        side=member.side,
        wave=body.wave,
        value_case=body.value_case,
        again=body.persons is not None,
    )
    return On(INVITATION, INVITATION.stream(program, invitation), command)
