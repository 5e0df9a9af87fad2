"""An invitation of one person to one side, and its answer. Facts in, facts out; no database, no clock, no broker."""

from __future__ import annotations

from datetime import datetime
from functools import singledispatch

from chassis.deciding.decider import Aggregate, Command, Refused, State, Unhandled
from contracts import enrollment
from contracts.enrollment import Answer, Hesitation, InvitationAnswered, ParticipantInvited, ValueCase
from contracts.fact import Fact
from contracts.types import InvitationId, PersonId, ProgramId, Side


class Invite(Command):
    """Ask a person to take part. `again`: also somebody who was asked in an earlier wave and has not accepted."""

    program: ProgramId
    invitation: InvitationId
    person: PersonId
    side: Side
    wave: int
    value_case: ValueCase | None = None
    again: bool = False


class AnswerInvitation(Command):
    """Say yes, no, or not yet; a later answer replaces an earlier one."""

    answer: Answer
    hesitation: Hesitation | None = None


class Invitation(State):
    """Who was asked, and what they said last. `invited` None: nobody was."""

    invited: ParticipantInvited | None = None
    answer: Answer | None = None
    hesitation: Hesitation | None = None


@singledispatch
def decide(command: Command, invitation: Invitation, now: datetime) -> list[Fact]:
    raise Unhandled(type(command).__name__)


@decide.register
def _(command: Invite, invitation: Invitation, now: datetime) -> list[Fact]:
    if invitation.invited is not None:
        asked_then = not command.again or command.wave <= invitation.invited.wave
        if asked_then or invitation.answer is Answer.accepted:
            return []
    return [ParticipantInvited(**command.model_dump(exclude={"again"}))]


@decide.register
def _(command: AnswerInvitation, invitation: Invitation, now: datetime) -> list[Fact]:
    invited = invitation.invited
    if invited is None:
        raise Refused("no-such-invitation", "there is no such invitation")
    if command.answer is Answer.accepted and command.hesitation is not None:
        raise Refused("accepted-in-doubt", "who accepts names no hesitation; leave it out", pointer="/hesitation")
    if (command.answer, command.hesitation) == (invitation.answer, invitation.hesitation):
        return []
    return [
        InvitationAnswered(
            program=invited.program,
            invitation=invited.invitation,
            person=invited.person,
            side=invited.side,
            answer=command.answer,
            hesitation=command.hesitation,
        )
    ]


def evolve(invitation: Invitation, fact: Fact) -> Invitation:
    match fact:
        case ParticipantInvited():
            return Invitation(invited=fact)
        case InvitationAnswered():
            return invitation.model_copy(update={"answer": fact.answer, "hesitation": fact.hesitation})
    return invitation


INVITATION = Aggregate(enrollment.INVITATION, Invitation(), decide, evolve)
