"""Commands of a coordinator between a round's solution and its publication: verdicts, changes by hand, open places."""

from typing import Annotated

import typer

from cli import explained
from cli.explained import Json
from cli.matching import call, done, read
from cli.rounds import RoundId
from cli.screen import AsJson, Program, as_json, out, table

reviewing = typer.Typer()

DoIt = Annotated[bool, typer.Option("--do-it", help="Do it. Without, its price is told and nothing happens.")]


@reviewing.command("review")
def review(
    proposal: Annotated[str, typer.Argument(help="The proposal's id (pp_…).")],
    verdict: Annotated[str, typer.Argument(help="approved, rejected, locked or unlocked.")],
    program: Program = None,
    json: AsJson = False,
) -> None:
    """Judge one proposal; the last verdict before publication counts. A rejected pair is replaced."""
    done(call("POST", program, f"/proposals/{proposal}/review", {"verdict": verdict}), f"{proposal}: {verdict}", json)


@reviewing.command("swap")
def swap(
    round_id: RoundId,
    first: Annotated[str, typer.Argument(help="A proposal's id (pp_…).")],
    second: Annotated[str, typer.Argument(help="Another proposal's id.")],
    do_it: DoIt = False,
    program: Program = None,
    json: AsJson = False,
) -> None:
    """Exchange the partners of two proposals, or tell what that would cost."""
    path = f"/rounds/{round_id}/swaps"
    if do_it:
        done(call("POST", program, path, {"first": first, "second": second}), "Swapped and locked.", json)
        return
    _price(read(program, path, first=first, second=second), json)


@reviewing.command("pick")
def pick(
    round_id: RoundId,
    mentor: Annotated[str, typer.Argument(help="The mentor (pe_…).")],
    executive: Annotated[str, typer.Argument(help="The executive (pe_…).")],
    do_it: DoIt = False,
    program: Program = None,
    json: AsJson = False,
) -> None:
    """Put a pair into the round and lock it, or tell what that would cost; the others are placed anew around it."""
    path = f"/rounds/{round_id}/pairs"
    if do_it:
        done(call("POST", program, path, {"mentor": mentor, "executive": executive}), "Picked and locked.", json)
    else:
        _price(read(program, path, mentor=mentor, executive=executive), json)


def _price(found: Json, json: bool) -> None:
    """What a change would do."""
    if json:
        as_json(found)
        return
    rows = [("now", p["mentor"], p["executive"], p["score"], "") for p in found["before"]]
    rows += [("then", p["mentor"], p["executive"], p["score"], p["why_not"]) for p in found["after"]]
    out.print(table("", ("", "mentor", "executive", "points", "not possible"), rows, ("points",)))
    figures = found["round"]
    out.print(
        explained.outcomes(
            [(name, {**of, "points": of["total"]}) for name in ("now", "then") for of in [figures[name]]]
        )
    )
    out.print(f"In all: {found['points']:+,} points; the best round has {figures['optimum']:,}. To do it: --do-it")


@reviewing.command("places")
def places(round_id: RoundId, program: Program = None, json: AsJson = False) -> None:
    """List whose pair of a round came to nothing after somebody was asked, and who have a seat for another one."""
    found = read(program, f"/rounds/{round_id}/open-places")["items"]
    if json:
        as_json(found)
    elif found:
        rows = [(p["person"], p["side"], str(p["cause"]).replace("_", " "), p["proposal"]) for p in found]
        out.print(table("", ("person", "side", "why", "proposal"), rows))
        out.print("Next: counterpoint round open --kind cohort, or counterpoint ask for <mentor> <executive>")
    else:
        out.print("None: every pair of it that was asked for is waited for, or formed.")


@reviewing.command("approve")
def approve(round_id: RoundId, program: Program = None, json: AsJson = False) -> None:
    """Approve every proposal that has no verdict yet."""
    done(call("POST", program, f"/rounds/{round_id}/approvals", {}), "Approved what had no verdict.", json)
