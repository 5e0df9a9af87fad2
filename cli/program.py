"""Commands of a coordinator: import a roster, and take a matching round from its opening to its publication."""

from pathlib import Path
from typing import Annotated, Any

import typer

from cli import running
from cli.failure import FAILED
from cli.screen import AsJson, as_json, out, progress, table

Program = Annotated[
    str | None, typer.Option("--program", envvar="COUNTERPOINT_PROGRAM", help="Default: the demo's, or the only one.")
]


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


round_ = typer.Typer(no_args_is_help=True, help="A matching round: open, show, proposals, review, approve, publish.")

RoundId = Annotated[str, typer.Argument(help="The round's id (ro_…).")]


def _call(method: str, program: str | None, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    told = running.stack()
    content = {} if body is None else {"json": body}
    return running.request(told, method, "matching", f"/programs/{running.program(told, program)}{path}", **content)


@round_.command("open")
def open_round(program: Program = None, json: AsJson = False) -> None:
    """Open a round on everybody who can be matched; it is solved at once."""
    opened = _call("POST", program, "/rounds", {"kind": "cohort"})
    if json:
        as_json(opened)
    else:
        out.print(f"{opened['round']}\nNext: counterpoint round show {opened['round']}")


@round_.command("show")
def show_round(round_id: RoundId, program: Program = None, json: AsJson = False) -> None:
    """Show how far a round is and what came out."""
    found = _call("GET", program, f"/rounds/{round_id}")
    if json:
        as_json(found)
        return
    rows = [(name, value) for name, value in found.items() if not isinstance(value, list | dict)]
    out.print(table("", ("", "value"), rows))
    out.print(f"Not placed: {len(found.get('unplaced', ()))}")


@round_.command("verify")
def verify(round_id: RoundId, program: Program = None, json: AsJson = False) -> None:
    """Check that a round's result is what it says and that nothing better exists; fails where it is not."""
    found = _call("GET", program, f"/rounds/{round_id}/verification")
    if json:
        as_json(found)
    elif found["proven"]:
        out.print("Proven: the pairs keep every rule, and no other choice is better.")
    else:
        out.print("\n".join(found["wrong"]))
    if not found["proven"]:
        raise typer.Exit(FAILED)


@round_.command("proposals")
def proposals(round_id: RoundId, program: Program = None, json: AsJson = False) -> None:
    """List the pairs a round proposes, with what each score is made of."""
    items: list[dict[str, Any]] = []
    after: str | None = ""
    while after is not None:
        page = _call("GET", program, f"/rounds/{round_id}/proposals?limit=200{after and f'&after={after}'}")
        items += page["items"]
        after = page["next"]
    if json:
        as_json(items)
        return
    rows = [
        (i["proposal"], i["score"], " ".join(f"{term} {n}" for term, n in i["terms"].items()), i["verdict"], i["state"])
        for i in items
    ]
    out.print(table("", ("proposal", "score", "terms", "verdict", "state"), rows, ("score",)))


@round_.command("review")
def review(
    proposal: Annotated[str, typer.Argument(help="The proposal's id (pp_…).")],
    verdict: Annotated[str, typer.Argument(help="approved, rejected, locked or unlocked.")],
    program: Program = None,
    json: AsJson = False,
) -> None:
    """Judge one proposal; the last verdict before publication counts."""
    _done(_call("POST", program, f"/proposals/{proposal}/review", {"verdict": verdict}), f"{proposal}: {verdict}", json)


@round_.command("approve")
def approve(round_id: RoundId, program: Program = None, json: AsJson = False) -> None:
    """Approve every proposal that has no verdict yet."""
    _done(_call("POST", program, f"/rounds/{round_id}/approvals", {}), "Approved what had no verdict.", json)


@round_.command("publish")
def publish(round_id: RoundId, program: Program = None, json: AsJson = False) -> None:
    """Let the result out: the mentors are asked for their consent."""
    _done(_call("POST", program, f"/rounds/{round_id}/publish", {}), "Published; the mentors are asked first.", json)


def _done(answer: dict[str, Any], text: str, json: bool) -> None:
    if json:
        as_json(answer)
    else:
        out.print(text)
