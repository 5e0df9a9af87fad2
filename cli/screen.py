"""What commands show: tables and lines for people, JSON for programs, and progress on a terminal only."""

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

WIDTH_WITHOUT_TERMINAL = 200


def _console(*, stderr: bool) -> Console:
    """Without a terminal lines are long enough to stay whole, so that other programs can read them."""
    console = Console(stderr=stderr, highlight=False)
    return console if console.is_terminal else Console(stderr=stderr, highlight=False, width=WIDTH_WITHOUT_TERMINAL)


out = _console(stderr=False)
"""Results."""
err = _console(stderr=True)
"""Progress and errors."""

Program = Annotated[
    str | None, typer.Option("--program", envvar="COUNTERPOINT_PROGRAM", help="Default: the demo's, or the only one.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


def as_json(value: object) -> None:
    """Print one JSON document."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def as_json_line(value: object) -> None:
    """Print one JSON document on one line, at once."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], right: Sequence[str] = ()) -> Table:
    """A table of texts; the columns named in `right` are aligned to the right. Nothing in it is read as markup."""
    made = Table(title=title or None, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for column in columns:
        made.add_column(column, justify="right" if column in right else "left", header_style="dim", overflow="fold")
    for row in rows:
        made.add_row(*(cell if isinstance(cell, Text) else Text("" if cell is None else str(cell)) for cell in row))
    return made


@contextmanager
def progress(text: str) -> Iterator[None]:
    """A spinner while something takes longer than a moment; nothing without a terminal."""
    if err.is_terminal:
        with err.status(text):
            yield
    else:
        yield
