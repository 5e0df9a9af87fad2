"""The shapes of figures: raw cells, which know how many people stand behind them, and shown cells, which do not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict

NO_DATA = "no data yet"


class CellId(NamedTuple):
    """Where a cell is. Unique over all tables of a report."""

    table: str
    row: str
    column: str


@dataclass(frozen=True)
class Cell:
    """A figure before anything is hidden.

    `value` is a count, or a mean in tenths where `tenths`. `people` is how many distinct people stand behind it, at
    least. `collected` is false where there was nothing yet that could have been counted. `discreet` cells do not even
    show that they are 0: other figures leave so little room for them that a 0 beside them would tell the rest.
    """

    value: int
    people: int
    collected: bool = True
    tenths: bool = False
    discreet: bool = False

    def below(self, floor: int) -> bool:
        """Whether it must be hidden for its own sake."""
        return self.people < floor and (self.value > 0 or (self.discreet and self.collected))


@dataclass(frozen=True)
class Sum:
    """A fact of arithmetic that every reader knows: `total` is the sum of `parts`."""

    total: CellId
    parts: tuple[CellId, ...]


@dataclass(frozen=True)
class Table:
    """A table of raw figures. A row need not have a cell in every column."""

    key: str
    title: str
    rows: Mapping[str, str]
    """The label of each row, in order."""
    columns: tuple[str, ...]
    cells: Mapping[tuple[str, str], Cell]
    sums: tuple[Sum, ...] = field(default=())

    def ids(self) -> dict[CellId, Cell]:
        """Its cells by their place in the report."""
        return {CellId(self.key, row, column): cell for (row, column), cell in self.cells.items()}


class Shown(BaseModel):
    """Part of what is published, stored and read."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ShownCell(Shown):
    """A cell as everybody may see it; `value` only where it is a figure."""

    column: str
    state: Literal["figure", "no_data", "hidden"]
    value: int | float | None = None
    shown: str


class ShownRow(Shown):
    """A row as everybody may see it."""

    key: str
    label: str
    cells: list[ShownCell]


class ShownTable(Shown):
    """A table as everybody may see it."""

    table: str
    title: str
    rows: list[ShownRow]


def hidden_cell(column: str, floor: int) -> ShownCell:
    """A cell that too few people stand behind, or that would tell one such; which of the two is not said."""
    return ShownCell(column=column, state="hidden", shown=f"hidden: fewer than {floor}")


def no_data_cell(column: str) -> ShownCell:
    """A cell for which nothing was collected."""
    return ShownCell(column=column, state="no_data", shown=NO_DATA)


def figure_cell(column: str, cell: Cell) -> ShownCell:
    """A cell whose figure is safe to show."""
    value = cell.value / 10 if cell.tenths else cell.value
    return ShownCell(column=column, state="figure", value=value, shown=str(value))
