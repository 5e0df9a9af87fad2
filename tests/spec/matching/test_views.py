"""Rows of views: what a participation allows, and that proposals and pairs are kept as their aggregates know them."""

from __future__ import annotations

from datetime import date

from contracts.enrollment import (
    AvailabilityDeclared,
    CharterAccepted,
    ExecutiveEnrolled,
    MentorEnrolled,
    ParticipantWithdrawn,
    Role,
    RoleGranted,
)
from contracts.fact import Fact
from contracts.matching import PairReleased, ReleaseCause, Verdict
from contracts.types import Side
from services.matching.pair import PAIR
from services.matching.proposal import PROPOSAL
from services.matching.views import (
    PAIRS,
    PARTICIPATIONS,
    PROPOSALS,
    ROLES,
    PairRow,
    ParticipationRow,
    ProposalRow,
    RolesRow,
)
from tests.spec.matching import people
from tests.spec.matching.people import ADA, NOW, PROGRAM


def participation(*facts: Fact) -> ParticipationRow:
    row = ParticipationRow()
    for fact in facts:
        row = PARTICIPATIONS.fold(row, fact, NOW)
    return row


ENROLLED = MentorEnrolled(program=PROGRAM, person=ADA, profile_rev=2, capacity=2)


def test_seats_are_those_of_the_side_until_the_person_leaves() -> None:
    both = participation(ENROLLED, ExecutiveEnrolled(program=PROGRAM, person=ADA, profile_rev=3, capacity=1))
    assert (both.seats(Side.mentor), both.seats(Side.executive)) == (2, 1)
    left = PARTICIPATIONS.fold(both, ParticipantWithdrawn(program=PROGRAM, person=ADA, effective=date(2026, 9, 7)), NOW)
    assert (left.seats(Side.mentor), left.seats(Side.executive)) == (0, 0)


def test_the_newest_revision_of_the_profile_is_the_one_to_wait_for() -> None:
    row = participation(
        ENROLLED,
        CharterAccepted(program=PROGRAM, person=ADA, charter_version=3),
        AvailabilityDeclared(program=PROGRAM, person=ADA, profile_rev=5, minutes_week=120, longest_minutes=60),
    )
    assert (row.profile_rev, row.charter_version) == (5, 3)


def test_rows_survive_being_stored() -> None:
    """A row is kept as JSON and read again before each fact."""
    past = [people.proposed, people.reviewed(Verdict.approved), people.mentor_asked, people.mentor_agreed]
    row = ProposalRow()
    for fact in past:
        row = PROPOSALS.fold(ProposalRow.model_validate(row.model_dump(mode="json")), fact, NOW)
    assert row.model_dump(exclude={"last_asked"}) == PROPOSAL.fold(past).model_dump()
    assert row.last_asked == NOW
    pair = PairRow()
    for fact in (people.formed, PairReleased(program=PROGRAM, pair=people.PAIR, cause=ReleaseCause.ended)):
        pair = PAIRS.fold(PairRow.model_validate(pair.model_dump(mode="json")), fact, NOW)
    assert pair.state == "released"
    assert PAIR.fold([people.formed]).formed == pair.formed


def test_roles_add_up() -> None:
    row = RolesRow()
    for role in (Role.sponsor, Role.coordinator, Role.sponsor):
        row = ROLES.fold(row, RoleGranted(program=PROGRAM, person=ADA, role=role), NOW)
    assert row.roles == [Role.coordinator, Role.sponsor]
