"""What matching keeps of what enrollment and it itself have said: rows for lists and for freezing a round's input."""

from __future__ import annotations

from datetime import date, datetime
from typing import get_args

from pydantic import Field

from chassis.receiving.views import Row, StateView, View
from chassis.running.auth import Directory
from contracts import enrollment, matching, profiles
from contracts.enrollment import (
    AvailabilityDeclared,
    CapacityDeclared,
    CharterAccepted,
    ExecutiveEnrolled,
    MentorEnrolled,
    ParticipantWithdrawn,
    ParticipationPaused,
    ParticipationResumed,
    ProfileRevised,
    ProgramOpened,
    Role,
    RoleGranted,
    Rules,
    roles_after,
)
from contracts.fact import Fact
from contracts.matching import (
    ConsentAsked,
    ConsentGiven,
    PairCleared,
    PairDeclined,
    PairFlagged,
    PairFormed,
    PairPaused,
    PairProposed,
    PairReleased,
    PairResumed,
    PairRule,
    ProposalReviewed,
)
from contracts.profiles import Profile
from contracts.types import Side
from services.matching import pair, proposal
from services.matching.away import Away, going_on


class ProgramRow(Row):
    """The rules of a program and when it runs."""

    rules: Rules = Rules()
    rules_version: int = 0
    opens: date = date.min
    closes: date = date.min


def _program(row: ProgramRow, fact: ProgramOpened, at: datetime) -> ProgramRow:
    return ProgramRow(rules=fact.rules, rules_version=fact.rules_version, opens=fact.opens, closes=fact.closes)


class RolesRow(Row):
    """The roles one person holds in one program."""

    roles: list[Role] = Field(default_factory=list)


def _roles(row: RolesRow, fact: Fact, at: datetime) -> RolesRow:
    return RolesRow(roles=sorted(roles_after(frozenset(row.roles), fact)))


class ParticipationRow(Row):
    """What one participant said of taking part. `profile_rev` is the least revision of their profile that tells it."""

    person: str = ""
    capacity: dict[Side, int] = Field(default_factory=dict)
    charter_version: int = 0
    profile_rev: int = 0
    left: bool = False
    pauses: dict[str, Away] = Field(default_factory=dict)
    """Those that have begun, also when they are over: clocks have stood still."""

    @property
    def away(self) -> bool:
        """Whether a pause goes on."""
        return bool(going_on(self.pauses.values()))

    def seats(self, side: Side) -> int:
        """How many living pairs they may be in on that side."""
        return 0 if self.left else self.capacity.get(side, 0)


Participating = (
    MentorEnrolled
    | ExecutiveEnrolled
    | CharterAccepted
    | AvailabilityDeclared
    | ProfileRevised
    | CapacityDeclared
    | ParticipationPaused
    | ParticipationResumed
    | ParticipantWithdrawn
)


def _participation(row: ParticipationRow, fact: Participating, at: datetime) -> ParticipationRow:
    match fact:
        case MentorEnrolled() | ExecutiveEnrolled():
            side = Side.mentor if isinstance(fact, MentorEnrolled) else Side.executive
            capacity = row.capacity | {side: fact.capacity}
            change = {"person": fact.person, "capacity": capacity, "profile_rev": fact.profile_rev, "left": False}
            return row.model_copy(update=change)
        case CharterAccepted():
            return row.model_copy(update={"charter_version": fact.charter_version})
        case AvailabilityDeclared() | ProfileRevised():
            return row.model_copy(update={"profile_rev": fact.profile_rev})
        case CapacityDeclared():
            return row.model_copy(update={"capacity": row.capacity | {fact.side: fact.capacity}})
        case ParticipationPaused():
            return row.model_copy(update={"pauses": row.pauses | {fact.pause: Away(since=at, until=fact.until)}})
        case ParticipationResumed():
            over = row.pauses[fact.pause].model_copy(update={"back": at})
            return row.model_copy(update={"pauses": row.pauses | {fact.pause: over}})
        case ParticipantWithdrawn():
            return row.model_copy(update={"left": True})


class ProposalRow(proposal.Proposal, Row):
    """A proposal as its aggregate knows it, and when somebody was asked last."""

    last_asked: datetime | None = None


def _proposal(row: ProposalRow, fact: Fact, at: datetime) -> ProposalRow:
    after = proposal.evolve(row, fact)
    return after.model_copy(update={"last_asked": at}) if isinstance(fact, ConsentAsked) else after


class PairRow(pair.Pair, Row):
    """A pair as its aggregate knows it."""


def _pair(row: PairRow, fact: Fact, at: datetime) -> PairRow:
    return pair.evolve(row, fact)


class CheckRow(Row):
    """The rules that a pair is flagged for."""

    flags: list[PairRule] = Field(default_factory=list)


def _check(row: CheckRow, fact: PairFlagged | PairCleared, at: datetime) -> CheckRow:
    match fact:
        case PairFlagged():
            return CheckRow(flags=[*row.flags, fact.rule])
        case PairCleared():
            return CheckRow(flags=[rule for rule in row.flags if rule is not fact.rule])


PROGRAMS = View("programs", enrollment.PROGRAM, ProgramRow, _program, frozenset({ProgramOpened}))
ROLES = View("roles", enrollment.ROLE, RolesRow, _roles, frozenset({RoleGranted}))
PARTICIPATIONS = View(
    "participations",
    enrollment.PARTICIPATION,
    ParticipationRow,
    _participation,
    frozenset(get_args(Participating)),
    indexes=("left",),
)
PROPOSALS = View(
    "proposals",
    matching.PROPOSAL,
    ProposalRow,
    _proposal,
    frozenset({PairProposed, ProposalReviewed, ConsentAsked, ConsentGiven, PairDeclined}),
    indexes=("round", "mentor", "executive", "round,score", "round,mentor", "round,executive"),
)
PAIRS = View(
    "pairs",
    matching.PAIR,
    PairRow,
    _pair,
    frozenset({PairFormed, PairPaused, PairResumed, PairReleased}),
    indexes=("mentor", "executive"),
)
CHECKS = View("checks", matching.CHECK, CheckRow, _check, frozenset({PairFlagged, PairCleared}))
PROFILES = StateView("profiles", profiles.PROFILES, Profile, indexes=("subject",), personal=True)

VIEWS = (PROGRAMS, ROLES, PARTICIPATIONS, PROPOSALS, PAIRS, CHECKS)
STATES = (PROFILES,)
DIRECTORY = Directory(profiles=PROFILES, roles=ROLES)
