"""Faults in what becomes of pairs, and in what people may decide for themselves."""

from __future__ import annotations

from typing import Any

from chassis.deciding.decider import On
from contracts.matching import ReleaseCause
from services.matching import barring, checking, forming, people
from services.matching.api import pairs, proposals
from services.matching.pair import PAIR, PausePair, ResumePair
from services.matching.seat import SEAT, Seats, TakeSeat
from tests.planted import Fault

_EXCLUDING = "tests/spec/matching/test_excluding.py::"
_LIVING = "tests/programs/test_living.py::"
_DECIDE, _FORM, _RELEASE = SEAT.decide, forming.form, forming.release


def _with_anybody(command: Any, seats: Seats, *more: Any) -> Any:
    """Take a seat with whomever."""
    if isinstance(command, TakeSeat):
        seats = seats.model_copy(update={"excluded": ()})
    return _DECIDE(command, seats, *more)


def _seats_apart(*args: Any) -> tuple[On, ...]:
    """Form a pair, and leave the seats alone."""
    return _FORM(*args)[:2]


def _who_left(pair: Any, cause: Any, expect: Any = None, *, leaver: str | None = None) -> tuple[On, ...]:
    """Let the cause tell who left from what the program ended."""
    return _RELEASE(pair, ReleaseCause.leaver if leaver else cause, expect, leaver=leaver)


def _plant_who_left() -> None:
    for module in (forming, people, pairs):
        vars(module)["release"] = _who_left


async def _each_for_themselves(work: Any, pair: str) -> None:
    """Let a pair go on when one of the two is back."""
    stream = PAIR.stream(work.scope, pair)
    state, _ = await work.read(PAIR, stream)
    command = ResumePair() if state.paused else PausePair(until=None)
    await work.run(On(PAIR, stream, command), step=pair)


FAULTS = [
    Fault(
        "accepts-without-the-seats",
        "running",
        "services/matching/forming.py",
        lambda: setattr(proposals, "form", _seats_apart),
        (
            f"{_LIVING}test_a_thousand_accepts_of_one_seat_make_one_pair_whoever_excludes_or_leaves_or_is_away_meanwhile",
        ),
    ),
    Fault(
        "who-left-is-told",
        "people",
        "services/matching/forming.py",
        _plant_who_left,
        (f"{_LIVING}test_the_executives_world_is_the_same_whoever_ended_the_pair",),
    ),
    Fault(
        "pauses-of-both-count-twice",
        "people",
        "services/matching/people.py",
        lambda: setattr(people, "_stand_still", _each_for_themselves),
        ("tests/spec/matching/test_away.py::test_a_pair_stands_still_once_however_many_are_away_and_until_nobody_is",),
    ),
    Fault(
        "lines-are-not-looked-at-again",
        "people",
        "services/matching/checking.py",
        lambda: setattr(checking, "_words", lambda scores, *, line: ()),
        (
            "tests/spec/matching/test_checking.py::"
            "test_who_comes_into_the_line_flags_the_pair_and_who_leaves_it_clears_it",
        ),
    ),
    Fault(
        "seats-for-whom-nobody-wants",
        "people",
        "services/matching/seat.py",
        lambda: object.__setattr__(SEAT, "decide", _with_anybody),
        (
            f"{_EXCLUDING}test_no_seat_is_taken_with_who_is_excluded_and_it_reads_like_a_no",
            f"{_EXCLUDING}test_whoever_excludes_whom_no_pair_forms_any_more",
        ),
    ),
    Fault(
        "exclusions-left-out-of-rounds",
        "people",
        "services/matching/barring.py",
        lambda: setattr(barring, "kept_apart", lambda seats: set()),
        (
            "tests/spec/matching/test_freezing.py::"
            "test_who_excludes_somebody_is_not_placed_with_them_and_only_those_there_are_named",
        ),
    ),
]
