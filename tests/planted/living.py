"""Faults in what becomes of pairs, and in what people may decide for themselves."""

from __future__ import annotations

from typing import Any

from services.matching import freezing
from services.matching.seat import SEAT, Seats, TakeSeat
from tests.planted import Fault

_EXCLUDING = "tests/spec/matching/test_excluding.py::"
_DECIDE = SEAT.decide


def _with_anybody(command: Any, seats: Seats, *more: Any) -> Any:
    """Take a seat with whomever."""
    if isinstance(command, TakeSeat):
        seats = seats.model_copy(update={"excluded": ()})
    return _DECIDE(command, seats, *more)


FAULTS = [
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
        "services/matching/freezing.py",
        lambda: setattr(freezing, "kept_apart", lambda seats: set()),
        (
            "tests/spec/matching/test_freezing.py::"
            "test_who_excludes_somebody_is_not_placed_with_them_and_only_those_there_are_named",
        ),
    ),
]
