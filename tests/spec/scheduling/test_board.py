"""The board: an idea is raised, promised, started, shown and confirmed; or it ends without blame."""

from datetime import date, timedelta

import pytest
from hypothesis import given as each
from hypothesis import strategies as st

from chassis.deciding.decider import Command, Refused
from chassis.testing.spec import given
from contracts.fact import Fact
from contracts.scheduling import (
    ActionClosedUnconfirmed,
    ActionCommitted,
    ActionConfirmed,
    ActionDropped,
    ActionEvidenced,
    ActionStarted,
    DropCause,
    Evidence,
    IdeaRaised,
    UnconfirmedCause,
)
from contracts.types import Side
from services.scheduling.board.action import ACTION as A
from services.scheduling.board.action import (
    CommitAction,
    ConfirmAction,
    EndWithPair,
    EvidenceAction,
    LapseConfirmation,
    StartAction,
)
from services.scheduling.board.idea import IDEA as I
from services.scheduling.board.idea import RaiseIdea
from tests.spec.scheduling.things import ACTION, CONTENT, IDEA, NOW, PAIR, PROGRAM

RAISE = RaiseIdea(program=PROGRAM, idea=IDEA, pair=PAIR, by=Side.mentor, theme="feedback", content=CONTENT)
COMMIT = CommitAction(
    program=PROGRAM,
    action=ACTION,
    pair=PAIR,
    idea=IDEA,
    owner=Side.executive,
    due=date(2027, 4, 1),
    content=CONTENT,
)
SHOW = EvidenceAction(kind=Evidence.practice, content=CONTENT)
ABOUT = {"program": PROGRAM, "action": ACTION, "pair": PAIR}
COMMITTED = ActionCommitted(**COMMIT.model_dump(exclude={"released"}))
STARTED = ActionStarted(**ABOUT)
EVIDENCED = ActionEvidenced(**ABOUT, kind=Evidence.practice, content=CONTENT)
CONFIRMED = ActionConfirmed(**ABOUT)
UNANSWERED = ActionClosedUnconfirmed(**ABOUT, cause=UnconfirmedCause.no_answer)
ENDED_UNCONFIRMED = ActionClosedUnconfirmed(**ABOUT, cause=UnconfirmedCause.pair_ended)
DROPPED = ActionDropped(**ABOUT, cause=DropCause.pair_ended)


def test_an_idea_is_raised_once_and_not_on_the_board_of_a_pair_that_is_over() -> None:
    raised = IdeaRaised(**RAISE.model_dump(exclude={"released"}))
    given(I).when(RAISE, NOW).then(raised)
    given(I, raised).when(RAISE, NOW).then()
    given(I).when(RAISE.model_copy(update={"released": NOW}), NOW).refused("pair-over")


def test_an_action_goes_from_promise_to_confirmation() -> None:
    given(A).when(COMMIT, NOW).then(COMMITTED)
    given(A, COMMITTED).when(StartAction(), NOW).then(STARTED)
    given(A, COMMITTED, STARTED).when(SHOW, NOW).then(EVIDENCED)
    given(A, COMMITTED, STARTED, EVIDENCED).when(ConfirmAction(), NOW).then(CONFIRMED)


def test_what_is_shown_at_once_was_also_started() -> None:
    given(A, COMMITTED).when(SHOW, NOW).then(STARTED, EVIDENCED)


def test_doing_it_twice_changes_nothing() -> None:
    given(A, COMMITTED).when(COMMIT, NOW).then()
    given(A, COMMITTED, STARTED).when(StartAction(), NOW).then()
    given(A, COMMITTED, STARTED, EVIDENCED).when(StartAction(), NOW).then()
    given(A, COMMITTED, STARTED, EVIDENCED, CONFIRMED).when(ConfirmAction(), NOW).then()


def test_a_promise_is_for_a_day_that_has_not_passed() -> None:
    given(A).when(COMMIT.model_copy(update={"due": NOW.date() - timedelta(days=2)}), NOW).refused("due-past")
    given(A).when(COMMIT.model_copy(update={"due": NOW.date() + timedelta(days=800)}), NOW).refused("too-far")
    given(A).when(COMMIT.model_copy(update={"released": NOW}), NOW).refused("pair-over")


def test_only_what_was_shown_can_be_confirmed() -> None:
    given(A, COMMITTED).when(ConfirmAction(), NOW).refused("no-evidence")
    given(A, COMMITTED, STARTED).when(ConfirmAction(), NOW).refused("no-evidence")
    given(A, COMMITTED, STARTED, EVIDENCED).when(SHOW, NOW).refused("already-evidenced")
    given(A).when(ConfirmAction(), NOW).refused("no-such-action")


def test_evidence_that_nobody_answers_is_closed_and_nothing_else_is() -> None:
    given(A, COMMITTED, STARTED, EVIDENCED).when(LapseConfirmation(), NOW).then(UNANSWERED)
    given(A, COMMITTED, STARTED).when(LapseConfirmation(), NOW).then()
    given(A, COMMITTED, STARTED, EVIDENCED, CONFIRMED).when(LapseConfirmation(), NOW).then()


@pytest.mark.parametrize(
    ("past", "expected"),
    [
        ((COMMITTED,), (DROPPED,)),
        ((COMMITTED, STARTED), (DROPPED,)),
        ((COMMITTED, STARTED, EVIDENCED), (ENDED_UNCONFIRMED,)),
        ((COMMITTED, STARTED, EVIDENCED, CONFIRMED), ()),
        ((COMMITTED, DROPPED), ()),
    ],
)
def test_the_end_of_a_pair_closes_what_is_open_without_blame(
    past: tuple[Fact, ...], expected: tuple[Fact, ...]
) -> None:
    given(A, *past).when(EndWithPair(), NOW).then(*expected)


@pytest.mark.parametrize("command", [StartAction(), SHOW, ConfirmAction()])
def test_what_is_closed_stays_closed(command: Command) -> None:
    given(A, COMMITTED, DROPPED).when(command, NOW).refused("action-closed")
    given(A, COMMITTED, STARTED, EVIDENCED, UNANSWERED).when(command, NOW).refused("action-closed")


COMMANDS = st.sampled_from([COMMIT, StartAction(), SHOW, ConfirmAction(), LapseConfirmation(), EndWithPair()])


@each(st.lists(COMMANDS, max_size=12))
def test_in_any_order_it_ends_at_most_once_and_nothing_follows(commands: list[Command]) -> None:
    facts: list[Fact] = []
    for command in commands:
        try:
            facts += A.decide(command, A.fold(facts), NOW)
        except Refused:
            continue
    ends = [i for i, f in enumerate(facts) if isinstance(f, ActionConfirmed | ActionClosedUnconfirmed | ActionDropped)]
    assert ends in ([], [len(facts) - 1])
    order = [ActionCommitted, ActionStarted, ActionEvidenced, ActionConfirmed]
    steps = [order.index(type(f)) for f in facts if type(f) in order]
    assert steps == list(range(len(steps)))
