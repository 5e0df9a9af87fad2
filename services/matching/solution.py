"""A frozen cohort with its answer, from which everything is explained: rows by person, partners, scores, rules."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from contracts.enrollment import Term
from contracts.types import Side
from services.matching.arrays import problem
from services.matching.cohort import Candidate, Cohort
from services.matching.placing import Placement
from services.matching.remaining import Left
from services.matching.solver import TERMS, Certificate, Problem, Result
from services.matching.solver.asking import Solved
from services.matching.solver.problem import Ints
from services.matching.solver.scores import Scores

SIDES = (Side.mentor, Side.executive)


@dataclass(frozen=True)
class Solution:
    """`cohort` is in order, so that its people are the rows of what was `solved`."""

    cohort: Cohort
    solved: Solved

    @classmethod
    def of(cls, cohort: Cohort) -> Solution:
        """Solve a cohort."""
        ordered = cohort.in_order()
        return cls(ordered, Solved.of(problem(ordered)[0]))

    @classmethod
    def kept(cls, cohort: Cohort, placement: Placement) -> Solution:
        """A placement of the cohort as it was kept. Where somebody of it was erased meanwhile, its prices are of other
        people: nothing can be asked of them."""
        ordered = placement.revision.of(cohort)
        rows = [{c.person: row for row, c in enumerate(side)} for side in (ordered.mentors, ordered.executives)]

        def here(pairs: Iterable[tuple[str, str]]) -> Ints:
            found = [[rows[0][m], rows[1][e]] for m, e in pairs if m in rows[0] and e in rows[1]]
            return np.array(found, dtype=np.int64).reshape(-1, 2)

        posed = replace(problem(ordered)[0], locked=here(placement.revision.locked))
        placed = [p for p in placement.placed if p.mentor in rows[0] and p.executive in rows[1]]
        points = [[p.terms.get(Term(term), 0) for term in TERMS] for p in placed]
        result = Result(
            here((p.mentor, p.executive) for p in placed),
            np.array(points, dtype=np.int64).reshape(-1, len(TERMS)),
            sum(p.score for p in placed),
        )
        prices = (np.array(side, dtype=np.int64) for side in (placement.mentor_prices, placement.executive_prices))
        return cls(ordered, Solved(posed, result, Certificate(placement.value, placement.value, *prices)))

    @property
    def free(self) -> Problem:
        """The problem without locks: a round that is solved again has everything locked that stood before."""
        return replace(self.solved.problem, locked=self.solved.problem.locked[:0])

    def people(self, side: Side) -> Sequence[Candidate]:
        """Everybody on one side, row by row."""
        return self.cohort.mentors if side is Side.mentor else self.cohort.executives

    def row(self, side: Side, person: str) -> int | None:
        """The row of somebody on one side; None where they are not there."""
        return self._rows[side].get(person)

    def partners(self, side: Side, row: int) -> list[tuple[str, int]]:
        """Who somebody was placed with, and the points of each pair."""
        return self._partners[side].get(row, [])

    @cached_property
    def scores(self) -> Scores:
        """The rules and terms of the cohort."""
        return Scores(self.solved.problem)

    @cached_property
    def left(self) -> Left:
        """What keeps people apart."""
        return Left(self.solved.problem, self.scores)

    @cached_property
    def _rows(self) -> dict[Side, dict[str, int]]:
        return {side: {c.person: row for row, c in enumerate(self.people(side))} for side in SIDES}

    @cached_property
    def _partners(self) -> dict[Side, dict[int, list[tuple[str, int]]]]:
        found: dict[Side, dict[int, list[tuple[str, int]]]] = {side: {} for side in SIDES}
        result = self.solved.result
        for (i, j), points in zip(result.pairs.tolist(), result.points.sum(axis=1).tolist(), strict=True):
            found[Side.mentor].setdefault(i, []).append((self.cohort.executives[j].person, points))
            found[Side.executive].setdefault(j, []).append((self.cohort.mentors[i].person, points))
        return found
