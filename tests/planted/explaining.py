"""Faults in what people are told about who goes with whom."""

from __future__ import annotations

from collections.abc import Iterator

from services.matching.remaining import Left
from services.matching.solver.problem import Ints, Mask
from tests.planted import Fault

_PLACING = "tests/spec/matching/test_placing.py"
_SWAPPING = "tests/spec/matching/test_swapping.py"
_RULES = Left._rules


def tell_apart_first(self: Left, a: Ints, b: Ints) -> Iterator[tuple[str, Mask]]:
    """Count who is kept apart before any other rule."""
    rules = dict(_RULES(self, a, b))
    yield from {"apart": rules.pop("apart"), **rules}.items()


FAULTS = [
    Fault(
        "exclusion-counted-first",
        "people",
        "services/matching/remaining.py",
        lambda: setattr(Left, "_rules", tell_apart_first),
        (
            f"{_PLACING}::test_who_is_barred_and_kept_apart_by_another_rule_too_is_told_what_they_would_be_told_anyhow",
            f"{_SWAPPING}::test_an_exclusion_is_judged_as_a_reporting_line_and_changes_no_other_answer",
        ),
    ),
]
