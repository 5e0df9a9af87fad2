"""Programs, roles, invitations, persons and imports: what each command says, refuses, and does not say twice."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from chassis.testing.spec import given
from contracts.enrollment import (
    Answer,
    Hesitation,
    InvitationAnswered,
    ParticipantInvited,
    PersonAdded,
    PersonChanged,
    PersonField,
    ProgramOpened,
    Role,
    RoleGranted,
    RosterImported,
    RowFault,
    Rules,
    ValueCase,
)
from contracts.types import Side
from services.enrollment.invitation import INVITATION, AnswerInvitation, Invite
from services.enrollment.person import PERSON, NotePerson
from services.enrollment.program import PROGRAM, OpenProgram
from services.enrollment.role import ROLE, GrantRole
from services.enrollment.roster_import import IMPORT, RecordImport

NOW = datetime(2026, 9, 1, 9, tzinfo=UTC)
PR, ADA, OMAR = "pr_" + "a" * 26, "pe_" + "a" * 26, "pe_" + "o" * 26
IV, IM, CO = "iv_" + "a" * 26, "im_" + "a" * 26, "co_" + "a" * 26

OPEN = OpenProgram(
    program=PR,
    rules=Rules(),
    opens=date(2026, 9, 1),
    closes=date(2027, 6, 1),
    floor_numbers=5,
    floor_words=10,
)
opened = ProgramOpened(rules_version=1, **dict(OPEN))


def test_a_program_opens_once() -> None:
    given(PROGRAM).when(OPEN, NOW).then(opened)
    given(PROGRAM, opened).when(OPEN, NOW).then()


@pytest.mark.parametrize("closes", [date(2026, 9, 1), date(2026, 8, 31)])
def test_a_program_closes_after_it_opens(closes: date) -> None:
    given(PROGRAM).when(OPEN.model_copy(update={"closes": closes}), NOW).refused("closes-too-early")


def test_a_common_window_holds_a_session() -> None:
    rules = Rules(minutes=60, window_minutes=45)
    given(PROGRAM).when(OPEN.model_copy(update={"rules": rules}), NOW).refused("window-too-short")


def test_a_role_is_granted_once_and_a_delegate_for_each_whom_they_act_for() -> None:
    grant = GrantRole(program=PR, person=ADA, role=Role.sponsor)
    granted = RoleGranted(program=PR, person=ADA, role=Role.sponsor)
    given(ROLE).when(grant, NOW).then(granted)
    given(ROLE, granted).when(grant, NOW).then()
    delegate = RoleGranted(program=PR, person=ADA, role=Role.delegate, for_person=OMAR)
    given(ROLE, granted).when(GrantRole(**dict(delegate)), NOW).then(delegate)


@pytest.mark.parametrize(
    ("role", "for_person", "code"),
    [(Role.delegate, None, "for-whom"), (Role.sponsor, OMAR, "for-nobody"), (Role.delegate, ADA, "for-themselves")],
)
def test_only_a_delegate_acts_for_somebody_else(role: Role, for_person: str | None, code: str) -> None:
    given(ROLE).when(GrantRole(program=PR, person=ADA, role=role, for_person=for_person), NOW).refused(code)


def invite(wave: int = 1, *, again: bool = False) -> Invite:
    return Invite(program=PR, invitation=IV, person=ADA, side=Side.mentor, wave=wave, again=again)


def invited(wave: int = 1) -> ParticipantInvited:
    return ParticipantInvited(program=PR, invitation=IV, person=ADA, side=Side.mentor, wave=wave)


def answered(answer: Answer, hesitation: Hesitation | None = None) -> InvitationAnswered:
    return InvitationAnswered(
        program=PR, invitation=IV, person=ADA, side=Side.mentor, answer=answer, hesitation=hesitation
    )


def test_an_invitation_carries_the_case_that_was_made() -> None:
    command = invite().model_copy(update={"value_case": ValueCase.insight})
    given(INVITATION).when(command, NOW).then(invited().model_copy(update={"value_case": ValueCase.insight}))


def test_who_was_invited_is_invited_again_only_by_name_and_in_a_later_wave() -> None:
    given(INVITATION, invited()).when(invite(2), NOW).then()
    given(INVITATION, invited()).when(invite(1, again=True), NOW).then()
    given(INVITATION, invited(), answered(Answer.declined)).when(invite(2, again=True), NOW).then(invited(2))


def test_who_accepted_is_not_asked_again() -> None:
    given(INVITATION, invited(), answered(Answer.accepted)).when(invite(2, again=True), NOW).then()


def test_a_later_answer_replaces_an_earlier_one_and_the_same_one_says_nothing() -> None:
    no = answered(Answer.declined, Hesitation.exposure)
    given(INVITATION, invited()).when(AnswerInvitation(answer=no.answer, hesitation=no.hesitation), NOW).then(no)
    given(INVITATION, invited(), no).when(AnswerInvitation(answer=no.answer, hesitation=no.hesitation), NOW).then()
    given(INVITATION, invited(), no).when(AnswerInvitation(answer=Answer.accepted), NOW).then(answered(Answer.accepted))


def test_after_a_new_invitation_the_old_answer_counts_no_more() -> None:
    past = (invited(), answered(Answer.declined), invited(2))
    given(INVITATION, *past).when(AnswerInvitation(answer=Answer.declined), NOW).then(answered(Answer.declined))


def test_an_answer_needs_an_invitation_and_a_yes_no_hesitation() -> None:
    given(INVITATION).when(AnswerInvitation(answer=Answer.accepted), NOW).refused("no-such-invitation")
    doubt = AnswerInvitation(answer=Answer.accepted, hesitation=Hesitation.time)
    given(INVITATION, invited()).when(doubt, NOW).refused("accepted-in-doubt")


def note(rev: int, *changed: PersonField) -> NotePerson:
    return NotePerson(person=ADA, roster=IM, rev=rev, changed=changed)


added = PersonAdded(person=ADA, roster=IM, rev=1)


def test_a_person_is_added_once_and_then_changes_in_something() -> None:
    given(PERSON).when(note(1), NOW).then(added)
    given(PERSON, added).when(note(1), NOW).then()
    given(PERSON, added).when(note(2), NOW).then()
    moved = PersonChanged(person=ADA, roster=IM, rev=2, changed=[PersonField.site, PersonField.zone])
    given(PERSON, added).when(note(2, PersonField.site, PersonField.zone), NOW).then(moved)
    given(PERSON, added, moved).when(note(2, PersonField.name), NOW).then()


def test_who_was_known_by_a_role_is_added_at_a_later_revision() -> None:
    given(PERSON).when(note(2, PersonField.name), NOW).then(PersonAdded(person=ADA, roster=IM, rev=2))


RECORD = RecordImport(
    roster=IM,
    file="0" * 64,
    rows=3,
    added=2,
    changed=0,
    unchanged=0,
    rejected=1,
    faults={RowFault.missing: 1},
    content=CO,
)
imported = RosterImported(**dict(RECORD))


def test_the_same_file_twice_is_recorded_once() -> None:
    given(IMPORT).when(RECORD, NOW).then(imported)
    again = RECORD.model_copy(update={"added": 0, "unchanged": 2})
    given(IMPORT, imported).when(again, NOW).then()


def test_an_import_that_broke_off_is_recorded_when_it_ends() -> None:
    given(IMPORT).when(RECORD.model_copy(update={"added": 0, "unchanged": 2}), NOW).then(
        imported.model_copy(update={"added": 0, "unchanged": 2})
    )


def test_an_old_file_that_changes_people_back_is_recorded_again() -> None:
    back = RECORD.model_copy(update={"added": 0, "changed": 1, "unchanged": 1})
    given(IMPORT, imported).when(back, NOW).then(imported.model_copy(update=back.model_dump(exclude={"roster"})))
