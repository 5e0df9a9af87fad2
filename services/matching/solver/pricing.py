"""Pricing: for each mentor the executives who are worth more than the two prices, among all of them, best first."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from services.matching.solver import sweep
from services.matching.solver.compiling import compiled
from services.matching.solver.problem import Ints
from services.matching.solver.scores import Scores, tie

_compiled_sweep = compiled(sweep.sweep)
CHUNK = 128
"""Rows of one piece of work."""
BLOCK = 2**17
"""Pairs that numpy looks at a time."""


@dataclass
class Found:
    """Pairs and what each gains, ordered by row."""

    rows: Ints
    columns: Ints
    gains: Ints


class Pricing:
    """All pairs of a problem that no `skip` excludes. What is found is the same for any number of threads."""

    def __init__(self, scores: Scores, pair: int, most: int, fast: bool, threads: int | None) -> None:
        self.scores, self.pair, self.most, self.fast, self.threads = scores, pair, most, fast, threads
        self.arrays = sweep.arrays(scores) if fast else None

    def best(self, floors: Ints, prices: Ints, skip: Ints) -> Found:
        """At most so many columns a row as are wanted, whose gain less price is above the row's floor; of equal ones
        those that the tie breaker prefers.
        """
        skip = skip[np.lexsort((skip[:, 1], skip[:, 0]))]
        start = np.searchsorted(skip[:, 0], np.arange(len(floors) + 1))
        left = np.ascontiguousarray(skip[:, 1])
        best = sweep.Best.none(len(floors), self.most)

        def work(first: int) -> None:
            last = min(first + CHUNK, len(floors))
            if self.fast:
                _compiled_sweep(self.arrays, first, last, floors, prices, self.pair, start, left, best)
            else:
                self._plainly(first, last, floors, prices, start, left, best)

        with ThreadPoolExecutor(self.threads) as pool:
            list(pool.map(work, range(0, len(floors), CHUNK)))
        rows, slots = np.nonzero(best.columns >= 0)
        columns = best.columns[rows, slots]
        order = np.lexsort((columns, rows))
        return Found(rows[order], columns[order], (best.worth[rows, slots] + prices[columns])[order])

    def _plainly(
        self, first: int, last: int, floors: Ints, prices: Ints, start: Ints, skip: Ints, best: sweep.Best
    ) -> None:
        """What the compiled sweep does, in numpy."""
        executives = np.arange(len(prices))
        ids = self.scores.mentors.ids, self.scores.executives.ids
        size = max(1, BLOCK // max(1, len(prices)))
        for at in range(first, last, size):
            rows = np.arange(at, min(at + size, last))
            a, b = rows[:, None], executives[None, :]
            worth = self.scores.points(a, b) + self.pair
            open_ = self.scores.allowed(a, b) & (worth - prices[b] > floors[a])
            for k, row in enumerate(rows):
                open_[k, skip[start[row] : start[row + 1]]] = False
                found = np.flatnonzero(open_[k])
                ties = tie(ids[0][row], ids[1][found])
                chosen = found[np.lexsort((ties, prices[found] - worth[k, found]))[: self.most]]
                best.columns[row, : len(chosen)] = chosen
                best.worth[row, : len(chosen)] = worth[k, chosen] - prices[chosen]
