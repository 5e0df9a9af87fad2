"""Where a solve may start: the choice and the prices that were best for the same people under other conditions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from services.matching.solver.problem import Certificate, Ints, Problem, Result
from services.matching.solver.scores import Scores


@dataclass(frozen=True)
class Warm:
    """Pairs (row, row) and the prices of both sides; `unit` is what a person, or a pair, was worth in these prices."""

    pairs: Ints
    mentor_prices: Ints
    executive_prices: Ints
    unit: int

    @classmethod
    def of(cls, problem: Problem, result: Result, certificate: Certificate) -> Self:
        """The answer to a problem as the start for another with the same rows."""
        return cls(result.pairs, certificate.mentor_prices, certificate.executive_prices, problem.unit)

    def prices(self, problem: Problem, side: int) -> Ints:
        """The prices of one side in what a person or pair is worth now."""
        before = (self.mentor_prices, self.executive_prices)[side]
        if len(before) != len((problem.mentors, problem.executives)[side]):
            raise ValueError("a start is for the same people")
        return in_units(before, self.unit, problem.unit)


def in_units(prices: Ints, old: int, new: int) -> Ints:
    """Prices in which a person or a pair was worth `old`, where they are worth `new`."""
    return np.asarray(prices + (2 * prices + old) // (2 * old) * (new - old))


def kept(warm: Warm, problem: Problem, order: list[Ints], scores: Scores, apart: Ints) -> Ints:
    """The pairs of the start that are still allowed and have seats, in the given orders; the best first where a person
    has fewer seats than pairs."""
    place = []
    for rows, side in zip(order, (problem.mentors, problem.executives), strict=True):
        where = np.full(len(side), -1)
        where[rows] = np.arange(len(rows))
        place.append(where)
    pairs = np.stack([place[k][warm.pairs[:, k]] for k in (0, 1)], axis=1)
    pairs = pairs[(pairs >= 0).all(axis=1)]
    out = {tuple(pair) for pair in apart.tolist()}
    pairs = pairs[np.array([tuple(pair) not in out for pair in pairs.tolist()], dtype=np.bool_)]
    pairs = pairs[scores.allowed(pairs[:, 0], pairs[:, 1])]
    best = np.lexsort((pairs[:, 1], pairs[:, 0], -scores.points(pairs[:, 0], pairs[:, 1])))
    pairs = pairs[best]
    for k in (0, 1):
        pairs = pairs[_rank(pairs[:, k]) < problem.seats(k)[order[k]][pairs[:, k]]]
    return pairs


def _rank(ends: Ints) -> Ints:
    """How many entries with the same end come before each."""
    order = np.argsort(ends, kind="stable")
    counts = np.bincount(ends)
    begin = np.repeat(np.cumsum(counts) - counts, counts)
    rank = np.empty(len(ends), dtype=np.int64)
    rank[order] = np.arange(len(ends)) - begin
    return rank
