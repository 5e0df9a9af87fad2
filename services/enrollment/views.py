"""What enrollment keeps of what it and matching have said: rows for lists, and who may do what."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Literal, get_args

from pydantic import Field

from chassis.receiving.views import Row, StateView, View
from chassis.running.auth import Directory
from contracts import enrollment, matching, profiles
from contracts.enrollment import (
    Answer,
    AvailabilityDeclared,
    CharterAccepted,
    ExecutiveEnrolled,
    Hesitation,
    InvitationAnswered,
    MentorEnrolled,
    ParticipantInvited,
    ParticipantWithdrawn,
    ParticipationPaused,
    ParticipationResumed,
    ProgramOpened,
    Role,
    RoleGranted,
    ValueCase,
    roles_after,
)
from contracts.fact import Fact
from contracts.insights import ErasureConfirmedByInsights
from contracts.matching import ErasureConfirmedByMatching, PairFormed, PairReleased
from contracts.profiles import Profile, State
from contracts.scheduling import ErasureConfirmedByScheduling
from contracts.types import Side


class ProgramRow(Row):
    """When a program runs."""

    opens: date | None = None
    closes: date | None = None


def _program(row: ProgramRow, fact: ProgramOpened, at: datetime) -> ProgramRow:
    return ProgramRow(opens=fact.opens, closes=fact.closes)


class RolesRow(Row):
    """The roles one person holds in one program."""

    roles: tuple[Role, ...] = ()


def _roles(row: RolesRow, fact: Fact, at: datetime) -> RolesRow:
    return RolesRow(roles=tuple(sorted(roles_after(frozenset(row.roles), fact))))


class InvitationRow(Row):
    """Who was asked for which side, and the last answer."""

    invitation: str = ""
    person: str = ""
    side: Side = Side.unknown
    wave: int = 0
    value_case: ValueCase | None = None
    answer: Answer | None = None
    hesitation: Hesitation | None = None


def _invitation(row: InvitationRow, fact: ParticipantInvited | InvitationAnswered, at: datetime) -> InvitationRow:
    match fact:
        case ParticipantInvited():
            return InvitationRow(
                invitation=fact.invitation,
                person=fact.person,
                side=fact.side,
                wave=fact.wave,
                value_case=fact.value_case,
            )
        case InvitationAnswered():
            return row.model_copy(update={"answer": fact.answer, "hesitation": fact.hesitation})


class ParticipationRow(Row):
    """How far one participant has come."""

    person: str = ""
    sides: tuple[Side, ...] = ()
    state: Literal["enrolled", "left"] = "enrolled"
    charter_version: int = 0
    minutes_week: int = 0
    pauses: dict[str, date | None] = Field(default_factory=dict)
    """Those that go on, and until which day they are meant to."""

    @property
    def away(self) -> bool:
        """Whether a pause goes on."""
        return self.state == "enrolled" and bool(self.pauses)

    @property
    def back(self) -> date | None:
        """The first day on which they do not mean to be away any more; None where nobody knows."""
        days = list(self.pauses.values()) if self.away else []
        return None if None in days else max((day for day in days if day), default=None)


Participating = (
    MentorEnrolled
    | ExecutiveEnrolled
    | CharterAccepted
    | AvailabilityDeclared
    | ParticipationPaused
    | ParticipationResumed
    | ParticipantWithdrawn
)


def _participation(row: ParticipationRow, fact: Participating, at: datetime) -> ParticipationRow:
    match fact:
        case MentorEnrolled():
            return row.model_copy(update={"person": fact.person, "sides": (*row.sides, Side.mentor)})
        case ExecutiveEnrolled():
            return row.model_copy(update={"person": fact.person, "sides": (*row.sides, Side.executive)})
        case CharterAccepted():
            return row.model_copy(update={"charter_version": fact.charter_version})
        case AvailabilityDeclared():
            return row.model_copy(update={"minutes_week": fact.minutes_week})
        case ParticipationPaused():
            return row.model_copy(update={"pauses": row.pauses | {fact.pause: fact.until}})
        case ParticipationResumed():
            left = {pause: until for pause, until in row.pauses.items() if pause != fact.pause}
            return row.model_copy(update={"pauses": left})
        case ParticipantWithdrawn():
            return row.model_copy(update={"state": "left"})


class PairRow(Row):
    """Who is in a pair, and whether it lives."""

    mentor: str = ""
    executive: str = ""
    living: bool = False


def _pair(row: PairRow, fact: PairFormed | PairReleased, at: datetime) -> PairRow:
    match fact:
        case PairFormed():
            return PairRow(mentor=fact.mentor, executive=fact.executive, living=True)
        case PairReleased():
            return row.model_copy(update={"living": False})


class ConfirmationRow(Row):
    """How many documents a service has deleted of one person."""

    items: int = 0


Confirmed = ErasureConfirmedByMatching | ErasureConfirmedByScheduling | ErasureConfirmedByInsights


def _confirmation(row: ConfirmationRow, fact: Confirmed, at: datetime) -> ConfirmationRow:
    return ConfirmationRow(items=fact.items)


PROGRAMS = View("programs", enrollment.PROGRAM, ProgramRow, _program, frozenset({ProgramOpened}))
ROLES = View("roles", enrollment.ROLE, RolesRow, _roles, frozenset({RoleGranted}))
INVITATIONS = View(
    "invitations",
    enrollment.INVITATION,
    InvitationRow,
    _invitation,
    frozenset({ParticipantInvited, InvitationAnswered}),
    indexes=("person",),
)
PARTICIPATIONS = View(
    "participations",
    enrollment.PARTICIPATION,
    ParticipationRow,
    _participation,
    frozenset(get_args(Participating)),
)
PAIRS = View("pairs", matching.PAIR, PairRow, _pair, frozenset({PairFormed, PairReleased}), ("mentor", "executive"))
CONFIRMATIONS: tuple[View[ConfirmationRow], ...] = tuple(
    View(f"{fact.category.service}_erasures", fact.category, ConfirmationRow, _confirmation, frozenset({fact}))
    for fact in (ErasureConfirmedByMatching, ErasureConfirmedByScheduling, ErasureConfirmedByInsights)
)
PROFILES = StateView("profiles", profiles.PROFILES, Profile, indexes=("subject",), personal=True, own=True)
PEOPLE = StateView("people", profiles.PEOPLE, State, personal=True, own=True)
"""Nothing is kept but which revision came to stay on the topic."""

VIEWS: tuple[View[Any], ...] = (PROGRAMS, ROLES, INVITATIONS, PARTICIPATIONS, PAIRS, *CONFIRMATIONS)
STATES = (PROFILES, PEOPLE)
DIRECTORY = Directory(profiles=PROFILES, roles=ROLES)
