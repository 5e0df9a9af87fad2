"""Which rule keeps two people apart, and how many partners remain for somebody after each rule in turn."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from contracts.types import Side
from services.matching.arrays import obstacle
from services.matching.cohort import Candidate
from services.matching.solver import Problem
from services.matching.solver.problem import Ints, Mask
from services.matching.solver.scores import Scores

BLOCK = 2**18
"""Pairs looked at together."""
APART = "apart"
"""Reporting lines, earlier partners, who said no, and whom somebody excluded: one rule, the last one. Where any other
keeps the two apart too, it is that one that is told, with or without an exclusion; and where it is this one, not which
of them."""


class Left:
    """The hard rules of a problem, in the order in which they are told."""

    def __init__(self, problem: Problem, scores: Scores | None = None) -> None:
        self._scores = scores or Scores(problem)
        self._placeable = problem.mentors.placeable, problem.executives.placeable
        self._apart = problem.apart

    def rule(self, mentor: int, executive: int) -> str | None:
        """The first rule that keeps these two rows apart; None where they may go together."""
        a, b = np.array([mentor]), np.array([executive])
        return next((rule for rule, mask in self._rules(a, b) if not mask.any()), None)

    def partners(self, side: Side, rows: Ints) -> dict[str, Ints]:
        """For each rule in its order, how many partners it and those before it leave to each of the rows."""
        others = np.arange(len(self._placeable[0 if side is Side.executive else 1]))
        size = max(1, BLOCK // max(1, len(others)))
        blocks = [self._block(side, rows[at : at + size], others) for at in range(0, max(1, len(rows)), size)]
        return {rule: np.concatenate([block[rule] for block in blocks]) for rule in blocks[0]}

    def _block(self, side: Side, rows: Ints, others: Ints) -> dict[str, Ints]:
        a, b = (others, rows) if side is Side.executive else (rows, others)
        allowed = np.ones((len(a), len(b)), dtype=np.bool_)
        counts = {}
        for rule, mask in self._rules(a, b):
            allowed &= mask
            counts[rule] = allowed.sum(axis=0 if side is Side.executive else 1)
        return counts

    def _rules(self, a: Ints, b: Ints) -> Iterator[tuple[str, Mask]]:
        yield "placeable", self._placeable[0][a][:, None] & self._placeable[1][b][None, :]
        yield from self._scores.masks(a[:, None], b[None, :])
        yield APART, _without(self._apart, a, b)


def reason(candidate: Candidate, left: dict[str, int]) -> str:
    """Why somebody has nobody: what keeps them from any round, the rule that leaves none, or `taken`."""
    return obstacle(candidate) or next((rule for rule, count in left.items() if count == 0), "taken")


def _without(pairs: Ints, a: Ints, b: Ints) -> Mask:
    """All pairs of the ascending rows `a` and `b` but these."""
    mask = np.ones((len(a), len(b)), dtype=np.bool_)
    here = pairs[np.isin(pairs[:, 0], a) & np.isin(pairs[:, 1], b)]
    mask[np.searchsorted(a, here[:, 0]), np.searchsorted(b, here[:, 1])] = False
    return mask
