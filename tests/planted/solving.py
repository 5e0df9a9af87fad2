"""Faults in who solves a round, and in what is written of it."""

from __future__ import annotations

from typing import Any

from chassis.deciding.documents import Documents
from chassis.receiving.tasks import Tasks
from services.matching import solving
from services.matching.api import review
from services.matching.claim import Claim
from tests.planted import Fault

_SOLVING = "tests/spec/matching/test_solving.py::"
_PROCESSES = "tests/integration/test_solver.py::"


async def _nothing(session: Any) -> None:
    """What the transaction of a chunk does besides."""


async def _go_on(claim: Claim) -> None:
    """Tell nobody how far it is, and so learn nothing."""


def _claim_no_more() -> None:
    """Write without a look at whose the round is."""
    Claim.tell = _go_on  # type: ignore[method-assign]
    Claim.holds = lambda self, done: _nothing  # type: ignore[method-assign]
    Claim.ends = lambda self: _nothing  # type: ignore[method-assign]


def _forget_what_stands() -> None:
    """Solve again as if nothing had been found before."""
    real = solving._revision

    async def revision(*arguments: Any) -> Any:
        return (await real(*arguments)).model_copy(update={"locked": []})

    solving._revision = revision


def _as_if_nobody_else(*_: Any) -> Any:
    """Write what rests on what was read, whatever became of it since."""
    return _nothing


def _look_away() -> None:
    """Let no document be in anybody's way."""
    Documents.exchanged = _as_if_nobody_else  # type: ignore[method-assign]


_AT_ONCE = (
    "tests/programs/test_at_once.py::"
    "test_rounds_that_are_opened_and_pairs_that_are_picked_at_once_are_one_after_the_other"
)


async def _as_it_was(*_: Any) -> set[Any]:
    """Know of nobody who is kept apart since."""
    return set()


FAULTS = [
    Fault(
        "exclusions-wait-for-the-next-round",
        "people",
        "services/matching/solving.py",
        lambda: setattr(solving, "_barred", _as_it_was),
        (f"{_SOLVING}test_whom_somebody_excludes_meanwhile_they_do_not_get_when_the_round_is_solved_again",),
    ),
    Fault(
        "rounds-do-not-see-each-other",
        "running",
        "services/matching/api/rounds.py",
        _look_away,
        (_AT_ONCE,),
    ),
    Fault(
        "picks-do-not-see-each-other",
        "running",
        "services/matching/api/review.py",
        lambda: setattr(review, "still", _as_if_nobody_else),
        (_AT_ONCE,),
    ),
    Fault(
        "a-round-is-solved-by-whoever-wakes-up",
        "running",
        "services/matching/claim.py",
        _claim_no_more,
        (
            f"{_SOLVING}test_whoever_was_asleep_while_the_round_was_abandoned_writes_nothing",
            f"{_SOLVING}test_a_claim_lost_between_two_chunks_ends_the_writing",
            f"{_PROCESSES}test_a_solver_that_slept_while_another_took_its_round_over_writes_nothing",
        ),
    ),
    Fault(
        "everybody-solves",
        "running",
        "chassis/receiving/tasks.py",
        lambda: setattr(Tasks, "done_by", lambda self, role: {}),
        (f"{_PROCESSES}test_a_killed_solver_is_replaced_and_everything_is_written_once",),
    ),
    Fault(
        "solved-again-from-nothing",
        "running",
        "services/matching/solving.py",
        _forget_what_stands,
        (f"{_SOLVING}test_a_rejected_pair_is_replaced_and_everything_else_is_kept",),
    ),
]
