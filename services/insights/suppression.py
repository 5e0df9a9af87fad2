"""Which cells of a report are hidden: the small ones, and as many more as it takes that none can be worked out.

The attacker knows every shown cell, every sum, and that a hidden cell of a sum is at least 1 (a 0 is shown). A hidden
cell is safe when it could have another value, with the other hidden cells changed to match. All tables are judged
together.

What else relates figures is not known here (that nobody enrols who did not answer). Where it would leave a hidden cell
no room, a table has no such cell, no sum, or only discreet cells; the figures say where and why.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from services.insights.tables import (
    Cell,
    CellId,
    ShownRow,
    ShownTable,
    Sum,
    Table,
    figure_cell,
    hidden_cell,
    no_data_cell,
)


def publish(tables: Sequence[Table], floor: int) -> list[ShownTable]:
    """The tables as everybody may see them. `floor`: people behind a figure, at least."""
    cells = {id: cell for table in tables for id, cell in table.ids().items()}
    gone = hidden(cells, [s for table in tables for s in table.sums], floor)
    return [_shown(table, gone, floor) for table in tables]


def hidden(cells: Mapping[CellId, Cell], sums: Sequence[Sum], floor: int) -> frozenset[CellId]:
    """The cells to hide: first those below the floor, then the smallest others until no hidden cell is exposed."""
    gone = {id for id, cell in cells.items() if cell.below(floor)}
    while exposed := next((id for id in sorted(gone) if not _could_be_another(id, gone, cells, sums)), None):
        gone.add(_cover(exposed, gone, cells, sums))
    return frozenset(gone)


def _cover(exposed: CellId, gone: set[CellId], cells: Mapping[CellId, Cell], sums: Sequence[Sum]) -> CellId:
    """The smallest shown cell, other than a zero, that fewest sums away helps to work `exposed` out.

    There is one: were all of them hidden, all could be twice as large, and none would be exposed.
    """
    seen = near = {exposed}
    while near:
        near = {id for s in sums if near & {s.total, *s.parts} for id in (s.total, *s.parts)}
        near = {id for id in near - seen if cells[id].value > 0}
        if shown := near - gone:
            return min(shown, key=lambda id: (cells[id].value, id))
        seen = seen | near
    raise AssertionError(f"{exposed} is exposed, and everything around it is hidden")


def _could_be_another(id: CellId, gone: set[CellId], cells: Mapping[CellId, Cell], sums: Sequence[Sum]) -> bool:
    """Whether all that is shown would be the same if this cell were one more, or one less."""
    known = [s for s in sums if gone & {s.total, *s.parts}]
    return any(cells[id].value + step >= 1 and _balance({id: step}, gone, cells, known) for step in (1, -1))


def _balance(change: dict[CellId, int], gone: set[CellId], cells: Mapping[CellId, Cell], sums: Sequence[Sum]) -> bool:
    """Whether steps of one in further hidden cells can put every sum right again.

    Steps of one suffice: sums by row and column are a network, and any difference of two solutions of a network
    is made of such steps.
    """
    for s in sums:
        off = sum(change.get(id, 0) for id in s.parts) - change.get(s.total, 0)
        if off == 0:
            continue
        for id in (*s.parts, s.total):
            step = (-1 if off > 0 else 1) * (-1 if id == s.total else 1)
            free = id in gone and id not in change and cells[id].value + step >= 1
            if free and _balance(change | {id: step}, gone, cells, sums):
                return True
        return False
    return True


def _shown(table: Table, gone: frozenset[CellId], floor: int) -> ShownTable:
    rows = []
    for row, label in table.rows.items():
        shown = []
        for column in table.columns:
            cell = table.cells.get((row, column))
            if cell is None:
                continue
            if CellId(table.key, row, column) in gone:
                shown.append(hidden_cell(column, floor))
            elif cell.value == 0 and not cell.collected:
                shown.append(no_data_cell(column))
            else:
                shown.append(figure_cell(column, cell))
        rows.append(ShownRow(key=row, label=label, cells=shown))
    return ShownTable(table=table.key, title=table.title, rows=rows)
