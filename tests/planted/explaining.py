"""Faults in what people are told about who goes with whom."""

from __future__ import annotations

from collections.abc import Iterator

from services.matching import explaining
from services.matching.explaining import PairWhy
from services.matching.remaining import Left
from services.matching.solution import Solution
from services.matching.solver.problem import Ints, Mask
from tests.planted import Fault

_PLACING = "tests/spec/matching/test_placing.py"
_SWAPPING = "tests/spec/matching/test_swapping.py"
_API = "tests/spec/matching/test_explaining_api.py"
_RULES, _PAIR = Left._rules, explaining.pair


def tell_apart_first(self: Left, a: Ints, b: Ints) -> Iterator[tuple[str, Mask]]:
    """Count who is kept apart before any other rule."""
    rules = dict(_RULES(self, a, b))
    yield from {"apart": rules.pop("apart"), **rules}.items()


def name_who_is_barred(solution: Solution, mentor: int, executive: int, *, priced: bool = True) -> PairWhy:
    """Tell a reporting line from everything else that keeps two apart."""
    why = _PAIR(solution, mentor, executive, priced=priced)
    barred = (why.mentor.person, why.executive.person) in solution.cohort.barred
    return why.model_copy(update={"rule": "excluded"}) if barred else why


FAULTS = [
    Fault(
        "exclusion-counted-first",
        "people",
        "services/matching/remaining.py",
        lambda: setattr(Left, "_rules", tell_apart_first),
        (
            f"{_PLACING}::test_who_is_barred_and_kept_apart_by_another_rule_too_is_told_what_they_would_be_told_anyhow",
            f"{_SWAPPING}::test_an_exclusion_is_judged_as_a_reporting_line_and_changes_no_other_answer",
            f"{_API}::test_where_another_rule_keeps_two_apart_an_exclusion_changes_no_byte",
        ),
    ),
    Fault(
        "exclusion-named",
        "people",
        "services/matching/explaining.py",
        lambda: setattr(explaining, "pair", name_who_is_barred),
        (f"{_API}::test_an_exclusion_reads_like_a_reporting_line",),
    ),
]
