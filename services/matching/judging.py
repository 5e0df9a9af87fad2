"""Two people judged by the rules of their program: whether they may be a pair, by which rule not, and how well."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from contracts.enrollment import Term
from services.matching.arrays import obstacle, problem
from services.matching.cohort import Candidate, Cohort
from services.matching.remaining import APART, Left
from services.matching.solver import TERMS
from services.matching.solver.scores import Scores

WHY = {
    "charter": "one of the two has not accepted the charter",
    "line_incomplete": "somebody is missing in the reporting line of one of the two",
    "language": "the two have no language in common",
    "level": "the two are not as many levels apart as the program asks for",
    "function": "the two are of the same function",
    "site": "the two are at the same site",
    "window": "the two have no common window that is as long as the program asks for",
    "overlap": "the two have less time in common than the program asks for",
    APART: "the rules of the program keep these two apart",
}
"""What each rule says, in words."""


class Judged(NamedTuple):
    """`rule` is the first of `WHY` that keeps the two apart, None where none does; the points are told either way."""

    mentor: Candidate
    executive: Candidate
    rule: str | None
    score: int
    terms: dict[Term, int]

    @property
    def after(self) -> list[str]:
        """The participation facts it rests on."""
        return [self.mentor.after, self.executive.after]


def judge(cohort: Cohort, mentor: str, executive: str) -> Judged | None:
    """How the rules of a cohort judge two people of it; None where one of the two is not in it."""
    ours = [c for c in cohort.mentors if c.person == mentor]
    theirs = [c for c in cohort.executives if c.person == executive]
    if not ours or not theirs:
        return None
    posed, _ = problem(cohort.model_copy(update={"mentors": ours, "executives": theirs}))
    scores, row = Scores(posed), np.zeros(1, dtype=np.int64)
    terms = {Term(term): int(points[0]) for term, points in zip(TERMS, scores.terms(row, row), strict=True)}
    rule = obstacle(ours[0]) or obstacle(theirs[0]) or Left(posed, scores).rule(0, 0)
    return Judged(ours[0], theirs[0], rule, sum(terms.values()), terms)
