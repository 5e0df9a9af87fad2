"""The command that imports a roster."""

from pathlib import Path
from typing import Annotated

import typer

from cli import running
from cli.screen import AsJson, Program, as_json, out, progress, table


def import_roster(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, readable=True, help="A CSV file.")],
    program: Program = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would happen; change nothing.")] = False,
    json: AsJson = False,
) -> None:
    """Import a roster; faulty rows come back with row, column, code and value."""
    told = running.stack()
    path = f"/programs/{running.program(told, program)}/roster?dry_run={str(dry_run).lower()}"
    with progress(f"Importing {file.name}"):
        taken = running.request(
            told, "POST", "enrollment", path, content=file.read_bytes(), headers={"Content-Type": "text/csv"}
        )
    if json:
        as_json(taken)
        return
    counts = ", ".join(f"{taken[name]} {name}" for name in ("rows", "accepted", "new", "changed", "unchanged"))
    out.print(f"{'Would be' if dry_run else 'Imported'}: {counts}, {len(taken['rejected'])} rejected")
    if taken["rejected"]:
        columns = ("row", "column", "code", "value", "message")
        out.print(table("", columns, [[fault[name] for name in columns] for fault in taken["rejected"]], ("row",)))
