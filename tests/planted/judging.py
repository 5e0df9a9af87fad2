"""Faults in what is told of two people whom the rules keep apart."""

from __future__ import annotations

from typing import Any

from services.matching import arrays, judging
from tests.planted import Fault

_PROBLEM = arrays.problem


def _exclusions_have_a_name(cohort: Any) -> Any:
    posed, apart = _PROBLEM(cohort)
    if len(apart.partner):
        judging.APART = "excluded"
    return posed, apart


FAULTS = [
    Fault(
        "an-exclusion-is-named",
        "people",
        "services/matching/judging.py",
        lambda: setattr(judging, "problem", _exclusions_have_a_name),
        (
            "tests/spec/matching/test_swapping.py"
            "::test_an_exclusion_is_judged_as_a_reporting_line_and_changes_no_other_answer",
        ),
    ),
]
