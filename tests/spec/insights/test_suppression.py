"""No hidden cell can be worked out from what is shown; and nothing is hidden without need."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.insights.suppression import hidden, publish
from services.insights.tables import Cell, CellId, Sum, Table
from tests.spec.insights.attacker import bounds

FLOOR = 5


def line(**values: int) -> tuple[dict[CellId, Cell], list[Sum]]:
    """Cells of one person each, and their total."""
    cells = {CellId("t", "r", name): Cell(n, n) for name, n in values.items()}
    total = sum(values.values())
    all_ = CellId("t", "r", "all")
    return cells | {all_: Cell(total, total)}, [Sum(all_, tuple(cells))]


def names(gone: frozenset[CellId]) -> set[str]:
    return {id.column for id in gone}


def test_small_counts_are_hidden_and_zero_is_not() -> None:
    cells = {CellId("t", "r", str(n)): Cell(n, n) for n in range(8)}
    assert names(hidden(cells, [], FLOOR)) == {"1", "2", "3", "4"}


def test_a_large_number_of_few_people_is_hidden() -> None:
    cells = {CellId("t", "r", "moved"): Cell(12, 1)}
    assert names(hidden(cells, [], FLOOR)) == {"moved"}


def test_a_total_would_tell_so_the_next_smallest_is_hidden_too() -> None:
    assert names(hidden(*line(a=3, b=40, c=9), FLOOR)) == {"a", "c"}


def test_a_zero_never_covers_for_another_cell() -> None:
    assert names(hidden(*line(a=3, b=0, c=9), FLOOR)) == {"a", "c"}


def test_two_small_cells_cover_for_each_other() -> None:
    assert names(hidden(*line(a=3, b=4, c=9), FLOOR)) == {"a", "b"}


def test_ones_that_add_up_to_a_shown_total_hide_the_total() -> None:
    assert names(hidden(*line(a=1, b=1, c=1, d=1, e=1), FLOOR)) == {"a", "b", "c", "d", "e", "all"}


def test_where_nothing_is_small_nothing_is_hidden() -> None:
    assert not hidden(*line(a=5, b=6, c=0), FLOOR)


def test_a_cell_that_another_table_repeats_is_hidden_with_it() -> None:
    cells, sums = line(both=20, one=2, none=0)
    repeated = CellId("other", "held", "all")
    cells[repeated] = cells[CellId("t", "r", "all")]
    gone = hidden(cells, [*sums, Sum(CellId("t", "r", "all"), (repeated,))], FLOOR)
    assert {id.column for id in gone} == {"one", "both"}


def test_a_bridge_between_two_rows_is_found() -> None:
    """Each row and column has two hidden cells or none, and yet one of them follows from the others."""
    grid = {
        "r1": (1, 1, 9, 9, 9, 9),
        "r2": (1, 1, 1, 9, 9, 9),
        "r3": (9, 9, 1, 1, 1, 9),
        "r4": (9, 9, 9, 1, 1, 9),
    }
    cells, sums = table(list(grid.values()))
    small = {id for id, cell in cells.items() if cell.value < FLOOR}
    assert CellId("t", "1", "2") in small
    shown = {id: cell.value for id, cell in cells.items() if id not in small}
    low, high = bounds(shown, small, [(s.total, s.parts) for s in sums])[CellId("t", "1", "2")]
    assert low == high == 1, "the example is the one it claims to be"
    assert hidden(cells, sums, FLOOR) > small
    assert_safe(cells, sums)


def table(grid: list[tuple[int, ...]]) -> tuple[dict[CellId, Cell], list[Sum]]:
    """A table of people with sums by row, by column, and over all."""
    columns = range(len(grid[0]))
    values = {(str(r), str(c)): n for r, row in enumerate(grid) for c, n in enumerate(row)}
    for r, row in enumerate(grid):
        values[str(r), "all"] = sum(row)
    for c in (*map(str, columns), "all"):
        values["all", c] = sum(values[str(r), c] for r in range(len(grid)))
    cells = {CellId("t", r, c): Cell(n, n) for (r, c), n in values.items()}
    rows = [*(str(r) for r in range(len(grid))), "all"]
    by_row = [Sum(CellId("t", r, "all"), tuple(CellId("t", r, str(c)) for c in columns)) for r in rows]
    by_column = [
        Sum(CellId("t", "all", c), tuple(CellId("t", r, c) for r in rows[:-1])) for c in (*map(str, columns), "all")
    ]
    return cells, [*by_row, *by_column]


def assert_safe(cells: dict[CellId, Cell], sums: list[Sum]) -> None:
    gone = hidden(cells, sums, FLOOR)
    assert gone >= {id for id, cell in cells.items() if cell.value > 0 and cell.people < FLOOR}
    assert all(cells[id].value > 0 for id in gone)
    shown = {id: cell.value for id, cell in cells.items() if id not in gone}
    for id, (low, high) in bounds(shown, gone, [(s.total, s.parts) for s in sums]).items():
        assert low <= cells[id].value <= high
        assert low < high, f"{id} must be {low}"


counts = st.one_of(st.integers(0, 6), st.integers(0, 60))


@pytest.mark.guarantee("people")
@given(st.integers(1, 3).flatmap(lambda n: st.lists(st.tuples(*[counts] * n), min_size=1, max_size=7)))
@settings(max_examples=150, deadline=None)
def test_no_hidden_cell_of_any_table_can_be_worked_out(grid: list[tuple[int, ...]]) -> None:
    assert_safe(*table(grid))


@given(st.lists(st.tuples(counts, st.integers(0, 60)), min_size=1, max_size=8))
@settings(max_examples=100, deadline=None)
def test_nor_where_few_people_stand_behind_large_numbers(things: list[tuple[int, int]]) -> None:
    parts = {CellId("t", "r", str(i)): Cell(n, min(n, people)) for i, (n, people) in enumerate(things)}
    all_ = CellId("t", "r", "all")
    total = Cell(sum(c.value for c in parts.values()), max(c.people for c in parts.values()))
    assert_safe(parts | {all_: total}, [Sum(all_, tuple(parts))])


def test_a_cell_is_a_figure_a_zero_no_data_or_hidden() -> None:
    cells = {
        ("r", "many"): Cell(12, 12),
        ("r", "mean"): Cell(38, 12, tenths=True),
        ("r", "zero"): Cell(0, 0),
        ("r", "nothing"): Cell(0, 0, collected=False),
        ("r", "few"): Cell(4, 4),
    }
    columns = tuple(column for _, column in cells)
    (shown,) = publish([Table("t", "T", {"r": "R"}, (*columns, "absent"), cells)], FLOOR)
    assert [c.model_dump(exclude_none=True) for c in shown.rows[0].cells] == [
        {"column": "many", "state": "figure", "value": 12, "shown": "12"},
        {"column": "mean", "state": "figure", "value": 3.8, "shown": "3.8"},
        {"column": "zero", "state": "figure", "value": 0, "shown": "0"},
        {"column": "nothing", "state": "no_data", "shown": "no data yet"},
        {"column": "few", "state": "hidden", "shown": "hidden: fewer than 5"},
    ]
