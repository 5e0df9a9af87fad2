"""A proposal: the coordinator, then the mentor silently, then the executive; and nobody learns who said no."""

from __future__ import annotations

from datetime import timedelta

import pytest

from chassis.testing.spec import given
from contracts.enrollment import Term
from contracts.matching import DeclineCause, Origin, PairDeclined, Verdict
from contracts.types import Side
from services.matching.proposal import (
    PROPOSAL,
    AnswerConsent,
    AskConsent,
    CloseProposal,
    LapseConsent,
    Propose,
    ReviewProposal,
)
from tests.spec.matching import people
from tests.spec.matching.people import (
    ADA,
    AFTER,
    LATER,
    NOW,
    OMAR,
    executive_agreed,
    executive_asked,
    mentor_agreed,
    mentor_asked,
    proposed,
    reviewed,
)

approved, locked = reviewed(Verdict.approved), reviewed(Verdict.locked)
ASKED_MENTOR = (proposed, approved, mentor_asked)
ASKED_EXECUTIVE = (*ASKED_MENTOR, mentor_agreed, executive_asked)
AGREED = (*ASKED_EXECUTIVE, executive_agreed)


def yes(side: Side) -> AnswerConsent:
    return AnswerConsent(side=side, yes=True, lapses=LATER)


def no(side: Side) -> AnswerConsent:
    return AnswerConsent(side=side, yes=False, lapses=LATER)


def declined(cause: DeclineCause) -> PairDeclined:
    return PairDeclined(program=people.PROGRAM, proposal=people.PROPOSAL, cause=cause)


BY_THE_ROUND = Propose(
    program=people.PROGRAM,
    proposal=people.PROPOSAL,
    mentor=ADA,
    executive=OMAR,
    round=people.ROUND,
    rules_version=1,
    score=0,
    terms={},
    after=AFTER,
)
PICK = BY_THE_ROUND.model_copy(update={"origin": Origin.coordinator, "locked": True})
FELL_OUT = declined(DeclineCause.superseded)
REPLACED = [(proposed, reviewed(Verdict.rejected)), (proposed, reviewed(Verdict.swapped)), (proposed, FELL_OUT)]


def test_a_round_proposes_once() -> None:
    command = BY_THE_ROUND.model_copy(update={"score": 4000, "terms": {Term.seeks: 4000}})
    given(PROPOSAL).when(command, NOW).then(proposed.model_copy(update={"score": 4000, "terms": {Term.seeks: 4000}}))
    given(PROPOSAL, proposed).when(command, NOW).then()


def test_the_last_verdict_counts_and_can_be_taken_back() -> None:
    given(PROPOSAL, proposed).when(ReviewProposal(verdict=Verdict.locked), NOW).then(locked)
    given(PROPOSAL, proposed, locked).when(ReviewProposal(verdict=Verdict.locked), NOW).then()
    given(PROPOSAL, proposed, locked).when(ReviewProposal(verdict=Verdict.approved), NOW).then(approved)
    given(PROPOSAL, proposed, locked).when(ReviewProposal(verdict=Verdict.unlocked), NOW).then(
        reviewed(Verdict.unlocked)
    )
    unlocked = given(PROPOSAL, proposed, locked, reviewed(Verdict.unlocked))
    unlocked.when(ReviewProposal(verdict=Verdict.unlocked), NOW).then()
    unlocked.when(AskConsent(side=Side.mentor, lapses=LATER), NOW).then(declined(DeclineCause.superseded))


@pytest.mark.parametrize("gone", REPLACED)
def test_what_was_replaced_is_brought_back_only_where_it_is_picked(gone: tuple[people.Fact, ...]) -> None:
    """The round has been solved again without it, so that a verdict alone would ask somebody for more pairs than they
    have seats."""
    for verdict in (Verdict.approved, Verdict.locked, Verdict.unlocked, Verdict.swapped):
        given(PROPOSAL, *gone).when(ReviewProposal(verdict=verdict), NOW).refused("replaced")
    back = proposed.model_copy(update={"origin": Origin.coordinator})
    given(PROPOSAL, *gone).when(PICK, NOW).then(back, locked)
    again = given(PROPOSAL, *gone, back, locked)
    again.when(PICK, NOW).then()
    again.when(AskConsent(side=Side.mentor, lapses=LATER), NOW).then(mentor_asked)


def test_a_round_that_is_solved_again_brings_back_what_fell_out_and_nothing_that_was_rejected() -> None:
    for gone in REPLACED:
        expected = [proposed] if gone[-1] == FELL_OUT else []
        given(PROPOSAL, *gone).when(BY_THE_ROUND, NOW).then(*expected)
    for rejected in (Verdict.rejected, Verdict.swapped):
        given(PROPOSAL, proposed, reviewed(rejected), FELL_OUT).when(BY_THE_ROUND, NOW).then()
    given(PROPOSAL, proposed, reviewed(Verdict.rejected)).when(ReviewProposal(verdict=Verdict.rejected), NOW).then()


def test_picking_locks_what_the_round_proposes_already() -> None:
    given(PROPOSAL, proposed).when(PICK, NOW).then(locked)
    given(PROPOSAL, proposed, approved).when(PICK, NOW).then(locked)
    given(PROPOSAL, *ASKED_MENTOR).when(PICK, NOW).refused("not-reviewable")
    left = declined(DeclineCause.ineligible)
    given(PROPOSAL, proposed, reviewed(Verdict.rejected), left).when(PICK, NOW).refused("not-reviewable")


def test_approving_the_rest_leaves_verdicts_alone() -> None:
    rest = ReviewProposal(verdict=Verdict.approved, unless_reviewed=True)
    given(PROPOSAL, proposed).when(rest, NOW).then(approved)
    given(PROPOSAL, proposed, reviewed(Verdict.rejected)).when(rest, NOW).then()
    given(PROPOSAL, *ASKED_MENTOR).when(rest, NOW).then()


def test_a_verdict_after_publishing_is_refused() -> None:
    given(PROPOSAL, *ASKED_MENTOR).when(ReviewProposal(verdict=Verdict.rejected), NOW).refused("not-reviewable")


@pytest.mark.parametrize("verdict", [Verdict.approved, Verdict.locked])
def test_the_mentor_is_asked_first_of_what_was_approved(verdict: Verdict) -> None:
    ask = AskConsent(side=Side.mentor, lapses=LATER)
    given(PROPOSAL, proposed, reviewed(verdict)).when(ask, NOW).then(mentor_asked)
    given(PROPOSAL, *ASKED_MENTOR).when(ask, NOW).then()


@pytest.mark.parametrize("past", [(proposed,), (proposed, reviewed(Verdict.rejected))])
def test_what_was_not_approved_ends_with_the_round(past: tuple[people.Fact, ...]) -> None:
    given(PROPOSAL, *past).when(AskConsent(side=Side.mentor, lapses=LATER), NOW).then(declined(DeclineCause.superseded))


@pytest.mark.guarantee("people")
def test_the_executive_is_asked_only_after_the_mentors_yes() -> None:
    given(PROPOSAL, *ASKED_MENTOR).when(yes(Side.executive), NOW).refused("not-asked")
    given(PROPOSAL, *ASKED_MENTOR).when(yes(Side.mentor), NOW).then(mentor_agreed, executive_asked)
    given(PROPOSAL, *ASKED_EXECUTIVE).when(yes(Side.mentor), NOW).then()
    given(PROPOSAL, *ASKED_EXECUTIVE).when(yes(Side.executive), NOW).then(executive_agreed)
    given(PROPOSAL, *AGREED).when(yes(Side.executive), NOW).then()


def test_the_executive_alone_is_asked_where_the_rules_say_so() -> None:
    given(PROPOSAL, proposed, approved).when(AskConsent(side=Side.executive, lapses=LATER), NOW).then(executive_asked)
    given(PROPOSAL, proposed, approved, executive_asked).when(yes(Side.executive), NOW).then(executive_agreed)


@pytest.mark.guarantee("people")
@pytest.mark.parametrize(
    ("past", "side"),
    [(ASKED_MENTOR, Side.mentor), (ASKED_EXECUTIVE, Side.executive), (ASKED_EXECUTIVE, Side.mentor)],
)
def test_a_no_is_the_same_whoever_says_it(past: tuple[people.Fact, ...], side: Side) -> None:
    """A mentor may also take a yes back while the executive thinks about it."""
    given(PROPOSAL, *past).when(no(side), NOW).then(declined(DeclineCause.declined))
    over = given(PROPOSAL, *past, declined(DeclineCause.declined))
    over.when(no(side), NOW).then()
    over.when(yes(side), NOW).refused("closed")


def test_a_pair_is_not_undone_by_a_late_no() -> None:
    given(PROPOSAL, *AGREED).when(no(Side.mentor), NOW).refused("already-formed")


def test_no_answer_lets_the_question_lapse() -> None:
    given(PROPOSAL, *ASKED_MENTOR).when(LapseConsent(side=Side.mentor), LATER).then(declined(DeclineCause.lapsed))
    given(PROPOSAL, *ASKED_EXECUTIVE).when(LapseConsent(side=Side.mentor), LATER).then()
    given(PROPOSAL, *AGREED).when(LapseConsent(side=Side.executive), LATER).then()


def test_a_yes_counts_until_the_question_lapses() -> None:
    given(PROPOSAL, *ASKED_MENTOR).when(yes(Side.mentor), LATER).refused("lapsed")
    just_in_time = LATER - timedelta(milliseconds=1)
    given(PROPOSAL, *ASKED_MENTOR).when(yes(Side.mentor), just_in_time).then(mentor_agreed, executive_asked)


def test_whoever_leaves_ends_what_is_open() -> None:
    close = CloseProposal(cause=DeclineCause.ineligible)
    for past in ((proposed,), ASKED_MENTOR, ASKED_EXECUTIVE):
        given(PROPOSAL, *past).when(close, NOW).then(declined(DeclineCause.ineligible))
    given(PROPOSAL, *AGREED).when(close, NOW).then()
    given(PROPOSAL, proposed, declined(DeclineCause.ineligible)).when(close, NOW).then()
