"""Commands to ask for a pair without a round: as a coordinator, or with their token as one of the two."""

from typing import Annotated

import typer

from cli.matching import call, done, read
from cli.screen import AsJson, Program, as_json, out, table

asks = typer.Typer(
    no_args_is_help=True,
    help="Asking for a pair without a round: as the coordinator, or as somebody else with their COUNTERPOINT_TOKEN.",
)


@asks.command("for")
def ask_for(
    mentor: Annotated[str, typer.Argument(help="The mentor (pe_…).")],
    executive: Annotated[str, typer.Argument(help="The executive (pe_…).")],
    program: Program = None,
    json: AsJson = False,
) -> None:
    """Ask for a pair by the rules of a round: the other one is asked, and for a coordinator the mentor first."""
    asked = call("POST", program, "/proposals", {"mentor": mentor, "executive": executive})
    done(asked, f"{asked['proposal']}: {asked['state']}, until {asked['answer_by']} at the longest", json)


@asks.command("list")
def list_asks(program: Program = None, json: AsJson = False) -> None:
    """List what was asked for, and what became of it; as a coordinator, what coordinators have asked for."""
    found = read(program, "/proposals/asked")["items"]
    if json:
        as_json(found)
    elif found:
        rows = [(a["proposal"], a["mentor"], a["executive"], a["state"], a["answer_by"]) for a in found]
        out.print(table("", ("proposal", "mentor", "executive", "state", "answer by"), rows))
    else:
        out.print("Nothing has been asked for.")


@asks.command("withdraw")
def withdraw(
    proposal: Annotated[str, typer.Argument(help="The proposal's id (pp_…).")],
    program: Program = None,
    json: AsJson = False,
) -> None:
    """Take back what one of the two has asked for themselves; they are not told whether the other one had answered."""
    done(call("POST", program, f"/proposals/{proposal}/consent", {"answer": "no"}), f"{proposal}: taken back", json)
