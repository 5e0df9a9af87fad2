"""Faults in finding the best choice of pairs."""

from __future__ import annotations

import numpy as np

from services.matching.solver import solving
from services.matching.solver.grouping import Groups, handed_out
from services.matching.solver.pricing import Found, Pricing
from services.matching.solver.problem import Ints
from tests.planted import Fault

_SOLVER = "tests/spec/matching/test_solver.py"
_BETTER = Pricing.better


def forget_a_row(self: Pricing, floors: Ints, prices: Ints, skip: Ints) -> Found:
    """Call it proven without having looked at the first row again."""
    found = _BETTER(self, floors, prices, skip)
    there = found.rows > 0
    return Found(found.rows[there], found.columns[there], found.gains[there])


def forget_who_is_apart(tail: Ints, head: Ints, flow: Ints, sides: tuple[Groups, Groups], apart: Ints) -> Ints | None:
    """Hand out the pairs of people who are alike as if nobody were kept apart."""
    return handed_out(tail, head, flow, sides, np.empty((0, 2), dtype=np.int64))


FAULTS = [
    Fault(
        "row-not-priced",
        "running",
        "services/matching/solver/pricing.py",
        lambda: setattr(Pricing, "better", forget_a_row),
        (f"{_SOLVER}::test_one_seat_each_is_what_an_assignment_gives",),
    ),
    Fault(
        "alike-and-apart",
        "running",
        "services/matching/solver/grouping.py",
        lambda: setattr(solving, "handed_out", forget_who_is_apart),
        (
            f"{_SOLVER}::test_of_people_who_are_alike_everybody_is_kept_apart_from_whom_they_must",
            f"{_SOLVER}::test_where_groups_cannot_be_served_everybody_is_looked_at",
        ),
    ),
]
