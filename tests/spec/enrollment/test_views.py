"""What enrollment's lists show of a participant who is away."""

from __future__ import annotations

from datetime import UTC, date, datetime

from contracts.enrollment import MentorEnrolled, ParticipantWithdrawn, ParticipationPaused, ParticipationResumed
from contracts.fact import Fact
from services.enrollment.views import PARTICIPATIONS, ParticipationRow

PROGRAM, PERSON = "pr_" + "a" * 26, "pe_" + "a" * 26
ONE, OTHER = "pz_" + "a" * 26, "pz_" + "b" * 26
WHO = {"program": PROGRAM, "person": PERSON}
enrolled = MentorEnrolled(**WHO, profile_rev=1, capacity=1)


def after(*facts: Fact) -> ParticipationRow:
    row = PARTICIPATIONS.row()
    for fact in facts:
        row = PARTICIPATIONS.fold(row, fact, datetime(2026, 9, 7, tzinfo=UTC))
    return row


def test_somebody_is_away_until_the_last_of_their_pauses_is_over() -> None:
    first = ParticipationPaused(**WHO, pause=ONE, until=date(2026, 10, 1))
    second = ParticipationPaused(**WHO, pause=OTHER, until=date(2026, 11, 1))
    over = [ParticipationResumed(**WHO, pause=pause, effective=date(2026, 11, 1)) for pause in (ONE, OTHER)]
    seen = [after(enrolled, *facts) for facts in ([], [first], [first, second], [first, second, over[0]])]
    assert [row.away for row in seen] == [False, True, True, True]
    assert [row.back for row in seen] == [None, date(2026, 10, 1), date(2026, 11, 1), date(2026, 11, 1)]
    assert not after(enrolled, first, second, *over).away
    assert not after(enrolled, first, ParticipantWithdrawn(**WHO, effective=date(2026, 9, 8))).away


def test_who_does_not_know_when_they_are_back_is_away_without_a_day() -> None:
    open_ended = ParticipationPaused(**WHO, pause=ONE)
    row = after(enrolled, open_ended, ParticipationPaused(**WHO, pause=OTHER, until=date(2026, 10, 1)))
    assert (row.away, row.back) == (True, None)
