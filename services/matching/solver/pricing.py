"""Pricing: for each mentor the executives who are worth more than the two prices, among all of them, best first."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from services.matching.solver import sweep
from services.matching.solver.compiling import compiled
from services.matching.solver.problem import Ints, Mask
from services.matching.solver.scores import Scores, tie

_compiled_sweep = compiled(sweep.sweep)
CHUNK = 128
"""Rows of one piece of work."""
CLASS = 2000
"""Columns that a row sees at first, at least."""
MOST_AGAIN = 0.7
"""The share of all pairs from which on it is simpler to look at everybody."""
NOTHING = -(2**61)
BLOCK = 2**17
"""Pairs that numpy looks at a time."""


@dataclass
class Found:
    """Pairs and what each gains, ordered by row."""

    rows: Ints
    columns: Ints
    gains: Ints


class Pricing:
    """Finds the pairs of a problem that are worth more than their prices, but for those to `skip`. What is found is the
    same for any number of threads."""

    def __init__(self, scores: Scores, pair: int, most: int, fast: bool, threads: int | None) -> None:
        self.scores, self.pair, self.most, self.fast, self.threads = scores, pair, most, fast, threads
        self.arrays = sweep.arrays(scores) if fast else None
        self.shape = len(scores.mentors), len(scores.executives)
        self._seen: tuple[Ints, Ints, Mask] | None = None

    def first(self, prices: Ints, skip: Ints) -> Found:
        """The best of each row at these prices; in a large problem only among every n-th column, each row in its class,
        which is enough to learn good prices."""
        classes = max(1, self.shape[1] // CLASS)
        floors = np.full(self.shape[0], NOTHING)
        parts = [
            self._among(
                np.arange(k, self.shape[0], classes), np.arange(k, self.shape[1], classes), floors, prices, skip
            )
            for k in range(classes)
        ]
        return _joined(parts)

    def near(self, floors: Ints, prices: Ints, skip: Ints) -> Found:
        """The best of each row at these prices among all columns, also where that is below its floor."""
        everybody, columns = (np.arange(n) for n in self.shape)
        found = self._among(everybody, columns, np.full(self.shape[0], NOTHING), prices, skip)
        above = found.rows[found.gains > floors[found.rows] + prices[found.columns]]
        self._seen = floors.copy(), prices.copy(), self._cut(above)
        return found

    def better(self, floors: Ints, prices: Ints, skip: Ints) -> Found:
        """For each row the best columns whose gain less price is above its floor; none means that there is none.

        A pair that was not worth it before is looked at again only if one of its two prices fell since then, or if its
        row had found more than could be told.
        """
        everybody, all_columns = (np.arange(n) for n in self.shape)
        if self._seen is None:
            again, fell = np.ones(self.shape[0], dtype=np.bool_), np.zeros(self.shape[1], dtype=np.bool_)
        else:
            before, dear, cut = self._seen
            again, fell = (floors < before) | cut, prices < dear
        looks = int(again.sum()) * self.shape[1] + int(fell.sum()) * self.shape[0]
        if looks > MOST_AGAIN * self.shape[0] * self.shape[1]:
            again[:], fell[:] = True, False
        parts = [self._among(everybody[again], all_columns, floors, prices, skip)]
        if fell.any():
            parts.append(self._among(everybody[~again], all_columns[fell], floors, prices, skip))
        found = _joined(parts)
        self._seen = floors.copy(), prices.copy(), self._cut(found.rows)
        return found

    def _cut(self, rows: Ints) -> Mask:
        """Whether a row found as many as can be told, so that there may be more."""
        return np.asarray(np.bincount(rows, minlength=self.shape[0]) == self.most)

    def _among(self, rows: Ints, columns: Ints, floors: Ints, prices: Ints, skip: Ints) -> Found:
        """At most so many columns a row as are wanted; of equal ones those that the tie breaker prefers."""
        skip = skip[np.lexsort((skip[:, 1], skip[:, 0]))]
        start = np.searchsorted(skip[:, 0], np.arange(len(floors) + 1))
        left = np.ascontiguousarray(skip[:, 1])
        best = sweep.Best.none(len(rows), self.most)
        data = self.arrays
        if data and len(columns) < self.shape[1]:
            data = sweep.narrowed(data, columns)

        def work(first: int) -> None:
            last = min(first + CHUNK, len(rows))
            if data:
                asked = prices[columns]
                _compiled_sweep(data, first, last, rows, columns, floors, asked, self.pair, start, left, best)
            else:
                self._plainly(first, last, rows, columns, floors, prices, start, left, best)

        with ThreadPoolExecutor(self.threads) as pool:
            list(pool.map(work, range(0, len(rows), CHUNK)))
        places, slots = np.nonzero(best.columns >= 0)
        names = best.columns[places, slots]
        return Found(rows[places], names, best.worth[places, slots] + prices[names])

    def _plainly(
        self, first: int, last: int, rows: Ints, columns: Ints, floors: Ints, prices: Ints, start: Ints, skip: Ints,
        best: sweep.Best,
    ) -> None:  # fmt: skip
        """What the compiled sweep does, in numpy."""
        ids = self.scores.mentors.ids, self.scores.executives.ids
        size = max(1, BLOCK // max(1, len(columns)))
        for at in range(first, last, size):
            places = np.arange(at, min(at + size, last))
            a, b = rows[places, None], columns[None, :]
            worth = self.scores.points(a, b) + self.pair - prices[b]
            open_ = self.scores.allowed(a, b) & (worth > floors[a])
            for k, row in enumerate(rows[places]):
                here = np.isin(columns, skip[start[row] : start[row + 1]], invert=True)
                found = np.flatnonzero(open_[k] & here)
                ties = tie(ids[0][row], ids[1][columns[found]])
                chosen = found[np.lexsort((ties, -worth[k, found]))[: self.most]]
                best.columns[places[k], : len(chosen)] = columns[chosen]
                best.worth[places[k], : len(chosen)] = worth[k, chosen]


def _joined(parts: list[Found]) -> Found:
    rows, columns, gains = (np.concatenate([getattr(p, f) for p in parts]) for f in ("rows", "columns", "gains"))
    order = np.lexsort((columns, rows))
    return Found(rows[order], columns[order], gains[order])
