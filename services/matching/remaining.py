"""How many partners remain for somebody after each hard rule in turn: why nobody is left for them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from contracts.types import Side
from services.matching.arrays import Pairs
from services.matching.solver import Problem
from services.matching.solver.problem import Ints, Mask
from services.matching.solver.scores import Scores

BLOCK = 2**18
"""Pairs looked at together."""


class Left:
    """Counts over a problem, for whom they are asked for only."""

    def __init__(self, problem: Problem, apart: Pairs) -> None:
        self._scores = Scores(problem)
        self._placeable = problem.mentors.placeable, problem.executives.placeable
        self._apart = apart

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
        yield "line", _without(self._apart.line, a, b)
        for rule, mask in self._scores.masks(a[:, None], b[None, :]):
            if rule == "window":
                yield "partner", _without(self._apart.partner, a, b)
            yield rule, mask


def _without(pairs: Ints, a: Ints, b: Ints) -> Mask:
    """All pairs of the ascending rows `a` and `b` but these."""
    mask = np.ones((len(a), len(b)), dtype=np.bool_)
    here = pairs[np.isin(pairs[:, 0], a) & np.isin(pairs[:, 1], b)]
    mask[np.searchsorted(a, here[:, 0]), np.searchsorted(b, here[:, 1])] = False
    return mask
