"""Pricing: for each mentor the executives who are worth more than the two prices, among all of them, best first."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np

from services.matching.solver import sweep
from services.matching.solver.compiling import compiled
from services.matching.solver.problem import Ints, Problem
from services.matching.solver.scores import Scores, tie
from services.matching.solver.warm import in_units

_compiled_sweep = compiled(sweep.sweep)
CHUNK = 128
"""Rows of one piece of work."""
PARTS = 16
"""Rows that look again do so in so many parts, each at columns of its own."""
MOST_AGAIN = 0.2
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

    def turned(self) -> Found:
        """The same pairs with the sides exchanged."""
        return _joined([Found(self.columns, self.rows, self.gains)])


class Pricing:
    """Finds the pairs of a problem that are worth more than their prices, but for those to `skip`. What is found is the
    same for any number of threads."""

    def __init__(self, scores: Scores, pair: int, most: int, fast: bool, threads: int | None) -> None:
        self.scores, self.pair, self.most, self.fast, self.threads = scores, pair, most, fast, threads
        self.arrays = sweep.arrays(scores) if fast else None
        self.shape = len(scores.mentors), len(scores.executives)
        self._nothing = np.full(self.shape[0], NOTHING)
        self._seen: tuple[Ints, Ints] | None = None

    def sample(self, prices: Ints, skip: Ints, classes: int) -> Found:
        """Some of the best of each row at these prices among every so many columns, each row in its class: enough to
        learn good prices."""
        rows, columns = self.shape
        parts = [
            self._among(
                np.arange(k, rows, classes), np.arange(k, columns, classes), self._nothing, prices, skip, self.most // 2
            )
            for k in range(classes)
        ]
        return _joined(parts)

    def some(self, rows: Ints, prices: Ints, skip: Ints) -> Found:
        """The best of these rows at these prices among all columns, also where that is worth less than the two."""
        return _joined([self._among(rows, np.arange(self.shape[1]), self._nothing, prices, skip, self.most)])

    def mirrored(self) -> Pricing:
        """The same with the sides exchanged."""
        return Pricing(_mirrored(self.scores), self.pair, self.most, self.fast, self.threads)

    def near(self, prices: Ints, skip: Ints, worst: Ints | None = None) -> Found:
        """The best of each row at these prices among all columns, also where that is worth less than the two prices.
        What is found must be known from then on: `better` looks only at what else there may be. `worst` is what at
        least so many of a row's columns are known to be worth beside their prices."""
        floors = self._nothing if worst is None else np.maximum(worst - 1, NOTHING)
        rows, columns = np.arange(self.shape[0]), np.arange(self.shape[1])
        found = _joined([self._among(rows, columns, floors, prices, skip, self.most)])
        worst = np.full(self.shape[0], -NOTHING)
        np.minimum.at(worst, found.rows, found.gains - prices[found.columns])
        worst[np.bincount(found.rows, minlength=len(worst)) < self.most] = NOTHING
        self._seen = worst, prices.copy()
        return found

    def better(self, floors: Ints, prices: Ints, skip: Ints) -> Found:
        """Columns whose gain less price is above their row's floor, some of each row that has any; none means that
        there is none. What is found must be known from then on.

        A row whose worst near column was so far below its floor looks again only at columns whose price has fallen by
        more than that since.
        """
        if self._seen is None:
            return self.near(prices, skip)
        worst, before = self._seen
        fell = before - prices
        enough = floors - worst
        rows = np.flatnonzero(enough < fell.max(initial=0))
        rows = rows[np.argsort(enough[rows], kind="stable")]
        parts = [part for part in np.array_split(rows, PARTS) if len(part)]
        looks = [(np.sort(part), np.flatnonzero(fell > enough[part[0]])) for part in parts]
        if sum(len(r) * len(c) for r, c in looks) > MOST_AGAIN * self.shape[0] * self.shape[1]:
            return self.near(prices, skip)
        return _joined([self._among(r, c, floors, prices, skip, self.most) for r, c in looks])

    def in_units(self, pair: int, old: int, new: int) -> None:
        """Go on where a person or a pair is worth `new` instead of `old`, and so is a pair's gain now.

        What is known of pairs stays true: an allowed pair that was worth no more than its row's worst beside the price
        of its column has a gain of at least its own unit, so the whole units in the two are at least as many.
        """
        self.pair = pair
        if self._seen is not None:
            worst, before = self._seen
            self._seen = np.where(worst == NOTHING, worst, in_units(worst, old, new)), in_units(before, old, new)

    def _among(self, rows: Ints, columns: Ints, floors: Ints, prices: Ints, skip: Ints, most: int) -> Found:
        """At most so many columns a row above its floor; of equal ones those that the tie breaker prefers."""
        skip = skip[np.lexsort((skip[:, 1], skip[:, 0]))]
        start = np.searchsorted(skip[:, 0], np.arange(len(floors) + 1))
        left = np.ascontiguousarray(skip[:, 1])
        rows = rows[np.argsort(self.scores.mentors.level[rows], kind="stable")]
        best = sweep.Best.none(len(rows), most)
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
                chosen = found[np.lexsort((ties, -worth[k, found]))[: best.columns.shape[1]]]
                best.columns[places[k], : len(chosen)] = columns[chosen]
                best.worth[places[k], : len(chosen)] = worth[k, chosen]


def _joined(parts: list[Found]) -> Found:
    if not parts:
        return Found(*(np.empty(0, dtype=np.int64) for _ in range(3)))
    rows, columns, gains = (np.concatenate([getattr(p, f) for p in parts]) for f in ("rows", "columns", "gains"))
    order = np.lexsort((columns, rows))
    return Found(rows[order], columns[order], gains[order])


def _mirrored(scores: Scores) -> Scores:
    """The same points and rules with the sides exchanged."""
    problem = scores.problem
    theirs, ours = (replace(side, level=-side.level) for side in (problem.mentors, problem.executives))
    seeks, offers, *rest = problem.rules.weights
    return Scores(Problem(ours, theirs, replace(problem.rules, weights=(offers, seeks, *rest)), problem.goal))
