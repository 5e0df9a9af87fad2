"""The best matching: exact, with prices that prove it. Arrays in, pairs out; nothing here knows what a person is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment, linprog
from scipy.sparse import coo_array, hstack

VERSION = (1, 0, 0)
"""Another answer to the same problem, even an equally good one, is another version."""

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Problem:
    """Rows and columns that may be joined where `allowed`, each pair gaining its `score` (0 or more).

    A row or column can be in as many pairs as it has `seats`, each pair once; its first pair gains `first` on top.
    """

    scores: Ints
    allowed: Mask
    row_seats: Ints
    column_seats: Ints
    row_first: Ints
    column_first: Ints

    def value(self, chosen: Mask) -> int:
        """What a choice of pairs gains."""
        gained = int(self.scores[chosen].sum())
        return gained + int(self.row_first[chosen.any(axis=1)].sum() + self.column_first[chosen.any(axis=0)].sum())


@dataclass(frozen=True)
class Solution:
    """The chosen pairs, in order, and a price for each row and column. `optimal` is proven by the prices alone."""

    pairs: list[tuple[int, int]]
    value: int
    optimal: bool
    row_prices: list[int]
    column_prices: list[int]


def solve(problem: Problem) -> Solution:
    """The choice of pairs that gains most."""
    chosen = _assign(problem)
    rows, columns = prices(problem, chosen)
    value = problem.value(chosen)
    return Solution(
        pairs=[(int(i), int(j)) for i, j in np.argwhere(chosen)],
        value=value,
        optimal=bound(problem, rows, columns) == value,
        row_prices=rows.tolist(),
        column_prices=columns.tolist(),
    )


def _assign(problem: Problem) -> Mask:
    """Repeat each row and column by its seats and assign one to one. What is not allowed gains nothing and is dropped.

    Where both have several seats that may use one pair twice; only then the network is solved as a linear program.
    """
    row_of = np.repeat(np.arange(len(problem.row_seats)), problem.row_seats)
    column_of = np.repeat(np.arange(len(problem.column_seats)), problem.column_seats)
    chosen = np.zeros(problem.scores.shape, dtype=np.bool_)
    if not len(row_of) or not len(column_of):
        return chosen
    first_row = np.diff(row_of, prepend=-1) != 0
    first_column = np.diff(column_of, prepend=-1) != 0
    gains = problem.scores[np.ix_(row_of, column_of)]
    gains = gains + np.where(first_row, problem.row_first[row_of], 0)[:, None]
    gains += np.where(first_column, problem.column_first[column_of], 0)[None, :]
    gains[~problem.allowed[np.ix_(row_of, column_of)]] = 0
    i, j = linear_sum_assignment(gains, maximize=True)
    i, j = row_of[i], column_of[j]
    used = problem.allowed[i, j]
    i, j = i[used], j[used]
    chosen[i, j] = True
    return chosen if int(chosen.sum()) == len(i) else _flow(problem)


def _flow(problem: Problem) -> Mask:
    """The same problem as a flow: a network's matrix has whole numbers at every vertex, so the answer is whole."""
    i, j = np.nonzero(problem.allowed)
    m, n = problem.scores.shape
    pairs = len(i)
    ends = coo_array((np.ones(2 * pairs), (np.r_[i, m + j], np.r_[np.arange(pairs), np.arange(pairs)])), (m + n, pairs))
    seats = coo_array((-np.ones(m + n), (np.arange(m + n), np.arange(m + n))), (m + n, m + n))
    first = np.r_[problem.row_first, problem.column_first]
    capacity = np.r_[problem.row_seats, problem.column_seats]
    answer = linprog(
        c=-np.r_[problem.scores[i, j], first, np.zeros(m + n)],
        A_eq=hstack([ends, seats, seats]),
        b_eq=np.zeros(m + n),
        bounds=[(0, 1)] * pairs + [(0, min(1, c)) for c in capacity] + [(0, max(0, c - 1)) for c in capacity],
        method="highs-ds",
    )
    chosen = np.zeros(problem.scores.shape, dtype=np.bool_)
    taken = np.round(answer.x[:pairs]).astype(np.bool_)
    chosen[i[taken], j[taken]] = True
    return chosen


def prices(problem: Problem, chosen: Mask) -> tuple[Ints, Ints]:
    """What a seat of each row and column is worth, by the longest paths from the pool of seats in what is still open.

    They settle within as many rounds as there are people if, and only if, the choice cannot be improved.
    """
    most = int(problem.scores.max(initial=0) + problem.row_first.max(initial=0) + problem.column_first.max(initial=0))
    low = -(sum(chosen.shape) + 2) * (most + 1)
    used_rows, used_columns = chosen.sum(axis=1), chosen.sum(axis=0)
    rows = np.where(used_rows == 0, problem.row_first, np.where(used_rows < problem.row_seats, 0, low))
    rows = np.where(problem.row_seats == 0, low, rows)
    columns = np.where(used_columns >= 2, 0, np.where(used_columns == 1, -problem.column_first, low))
    open_gain = np.where(problem.allowed & ~chosen, problem.scores, 2 * low)
    back_gain = np.where(chosen, -problem.scores, 2 * low)
    for _ in range(sum(chosen.shape) + 1):
        next_columns = np.maximum(columns, (rows[:, None] + open_gain).max(axis=0, initial=low))
        next_rows = np.maximum(rows, (next_columns[None, :] + back_gain).max(axis=1, initial=low))
        if (next_columns == columns).all() and (next_rows == rows).all():
            break
        rows, columns = next_rows, next_columns
    return -rows, columns


def bound(problem: Problem, row_prices: Ints, column_prices: Ints) -> int:
    """No choice of pairs gains more than this, whatever the prices are (weak duality); exact integers."""
    reduced = problem.scores - row_prices[:, None] - column_prices[None, :]
    total = int(np.maximum(reduced, 0)[problem.allowed].sum())
    for seats, first, price in (
        (problem.row_seats, problem.row_first, row_prices),
        (problem.column_seats, problem.column_first, column_prices),
    ):
        total += int(np.maximum(first + price, 0)[seats > 0].sum())
        total += int((np.maximum(seats - 1, 0) * np.maximum(price, 0)).sum())
    return total
