"""The solver against every possible choice, and the prices that prove it right."""

from __future__ import annotations

import numpy as np
from hypothesis import given as for_all
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from services.matching import solver
from services.matching.solver import Mask, Problem, bound, prices, solve


@st.composite
def problems(draw: st.DrawFn, most_seats: int = 3) -> Problem:
    """Tiny problems with many ties, with and without a gain for the first pair."""
    shape = draw(st.tuples(st.integers(0, 3), st.integers(0, 3)))
    first = draw(st.sampled_from([0, 1000]))
    seats = st.integers(0, most_seats)

    def ints(size: int, of: st.SearchStrategy[int]) -> solver.Ints:
        return np.array(draw(st.lists(of, min_size=size, max_size=size)), dtype=np.int64)

    return Problem(
        scores=draw(arrays.arrays(np.int64, shape, elements=st.integers(0, draw(st.sampled_from([1, 4, 50]))))),
        allowed=draw(arrays.arrays(np.bool_, shape)),
        row_seats=ints(shape[0], seats),
        column_seats=ints(shape[1], seats),
        row_first=ints(shape[0], st.sampled_from([0, first])),
        column_first=ints(shape[1], st.sampled_from([0, first])),
    )


def best_of_all(problem: Problem) -> int:
    """The most that any choice of pairs gains, by trying all."""
    cells = [(int(i), int(j)) for i, j in np.argwhere(problem.allowed)]

    def rest(k: int, chosen: Mask) -> int:
        if k == len(cells):
            return problem.value(chosen)
        without = rest(k + 1, chosen)
        i, j = cells[k]
        if chosen[i].sum() >= problem.row_seats[i] or chosen[:, j].sum() >= problem.column_seats[j]:
            return without
        chosen[i, j] = True
        with_it = rest(k + 1, chosen)
        chosen[i, j] = False
        return max(without, with_it)

    return rest(0, np.zeros(problem.scores.shape, dtype=np.bool_))


@settings(max_examples=300, deadline=None)
@for_all(problems())
def test_no_choice_is_better_and_the_prices_prove_it(problem: Problem) -> None:
    solution = solve(problem)
    chosen = np.zeros(problem.scores.shape, dtype=np.bool_)
    for i, j in solution.pairs:
        assert problem.allowed[i, j]
        chosen[i, j] = True
    assert (chosen.sum(axis=1) <= problem.row_seats).all()
    assert (chosen.sum(axis=0) <= problem.column_seats).all()
    assert problem.value(chosen) == solution.value == best_of_all(problem)
    assert solution.optimal
    rows, columns = np.array(solution.row_prices), np.array(solution.column_prices)
    assert bound(problem, rows.astype(np.int64), columns.astype(np.int64)) == solution.value


@settings(max_examples=100, deadline=None)
@for_all(problems(), st.randoms())
def test_whatever_the_prices_the_bound_holds(problem: Problem, chance: st.DataObject) -> None:
    """Weak duality: wrong prices prove nothing false."""
    rng = np.random.default_rng(chance.randrange(2**32))  # type: ignore[attr-defined]
    rows = rng.integers(-60, 1100, problem.scores.shape[0])
    columns = rng.integers(-60, 1100, problem.scores.shape[1])
    assert bound(problem, rows, columns) >= best_of_all(problem)


@settings(max_examples=100, deadline=None)
@for_all(problems(most_seats=1))
def test_a_worse_choice_is_never_called_optimal(problem: Problem) -> None:
    nothing = np.zeros(problem.scores.shape, dtype=np.bool_)
    if best_of_all(problem) > 0:
        assert bound(problem, *prices(problem, nothing)) > problem.value(nothing)


def test_a_pair_is_used_once_where_both_have_several_seats() -> None:
    """Repeated rows and columns would join the best two twice."""
    two = np.array([2, 2])
    problem = Problem(
        scores=np.array([[9, 1], [1, 0]]),
        allowed=np.ones((2, 2), dtype=np.bool_),
        row_seats=two,
        column_seats=two,
        row_first=np.zeros(2, dtype=np.int64),
        column_first=np.zeros(2, dtype=np.int64),
    )
    solution = solve(problem)
    assert solution.value == 11
    assert solution.optimal


def test_the_same_problem_has_the_same_answer() -> None:
    rng = np.random.default_rng(7)
    ties = Problem(
        scores=rng.integers(0, 2, (30, 20)),
        allowed=rng.random((30, 20)) < 0.5,
        row_seats=np.ones(30, dtype=np.int64),
        column_seats=np.full(20, 2),
        row_first=np.full(30, 1000),
        column_first=np.full(20, 1000),
    )
    assert solve(ties) == solve(ties)
