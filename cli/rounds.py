"""Commands of a coordinator for a matching round, from its opening to its publication."""

from typing import Annotated, Any

import typer

from cli import running
from cli.failure import FAILED
from cli.screen import AsJson, Program, as_json, out, table

rounds = typer.Typer(no_args_is_help=True, help="A matching round: open, show, proposals, review, approve, publish.")

RoundId = Annotated[str, typer.Argument(help="The round's id (ro_…).")]


def _call(method: str, program: str | None, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    told = running.stack()
    content = {} if body is None else {"json": body}
    return running.request(told, method, "matching", f"/programs/{running.program(told, program)}{path}", **content)


@rounds.command("open")
def open_round(program: Program = None, json: AsJson = False) -> None:
    """Open a round on everybody who can be matched; it is solved at once."""
    opened = _call("POST", program, "/rounds", {"kind": "cohort"})
    if json:
        as_json(opened)
    else:
        out.print(f"{opened['round']}\nNext: counterpoint round show {opened['round']}")


@rounds.command("show")
def show_round(round_id: RoundId, program: Program = None, json: AsJson = False) -> None:
    """Show how far a round is and what came out."""
    found = _call("GET", program, f"/rounds/{round_id}")
    if json:
        as_json(found)
        return
    rows = [(name, value) for name, value in found.items() if not isinstance(value, list | dict)]
    out.print(table("", ("", "value"), rows))
    out.print(f"Not placed: {len(found.get('unplaced', ()))}")


@rounds.command("verify")
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


@rounds.command("proposals")
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


@rounds.command("review")
def review(
    proposal: Annotated[str, typer.Argument(help="The proposal's id (pp_…).")],
    verdict: Annotated[str, typer.Argument(help="approved, rejected, locked or unlocked.")],
    program: Program = None,
    json: AsJson = False,
) -> None:
    """Judge one proposal; the last verdict before publication counts."""
    _done(_call("POST", program, f"/proposals/{proposal}/review", {"verdict": verdict}), f"{proposal}: {verdict}", json)


@rounds.command("approve")
def approve(round_id: RoundId, program: Program = None, json: AsJson = False) -> None:
    """Approve every proposal that has no verdict yet."""
    _done(_call("POST", program, f"/rounds/{round_id}/approvals", {}), "Approved what had no verdict.", json)


@rounds.command("publish")
def publish(round_id: RoundId, program: Program = None, json: AsJson = False) -> None:
    """Let the result out: the mentors are asked for their consent."""
    _done(_call("POST", program, f"/rounds/{round_id}/publish", {}), "Published; the mentors are asked first.", json)


def _done(answer: dict[str, Any], text: str, json: bool) -> None:
    if json:
        as_json(answer)
    else:
        out.print(text)
