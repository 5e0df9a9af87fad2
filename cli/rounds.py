"""Commands of a coordinator for a matching round: what it can give, its opening, result, explanation, publication."""

import time
from contextlib import nullcontext
from typing import Annotated

import typer
from rich.status import Status

from cli import explained
from cli.explained import Json
from cli.failure import FAILED, Failure
from cli.matching import call, done, items_of, read
from cli.screen import AsJson, Program, as_json, as_json_line, err, out, table

rounds = typer.Typer(
    no_args_is_help=True, help="A matching round: before it, open, watch, show, explain, review, publish."
)

RoundId = Annotated[str, typer.Argument(help="The round's id (ro_…).")]
Kind = Annotated[str, typer.Option(help="cohort, newcomers (who never had a pair) or repair (who have none any more).")]
LOOK = 0.2


@rounds.command("feasibility")
def feasibility(kind: Kind = "cohort", program: Program = None, json: AsJson = False) -> None:
    """Before a round: what it would give, whom no round can place and why, and what each rule costs."""
    found = read(program, "/feasibility", kind=kind, limit="200")
    people, after = found["items"], found["next"]
    while after is not None:
        page = read(program, "/feasibility", kind=kind, limit="200", after=after)
        people, after = people + page["items"], page["next"]
    if json:
        as_json({**found, "items": people, "next": None})
        return
    out.print(f"{found['mentors']:,} mentors and {found['executives']:,} executives have a free seat. A round now:")
    rows = [("now", found["now"])]
    rows += [(_weaker(weaker), weaker) for weaker in found["weaker"] or ()]
    out.print(explained.outcomes(rows))
    if found["weaker"] is None:
        out.print("Too many people to solve it again for each rule.")
    if not people:
        out.print("Everybody can be placed with somebody.")
        return
    out.print(f"\nNo round can place {len(people):,} of them:")
    out.print(explained.reasons(people))
    out.print(explained.without(people))


def _weaker(weaker: Json) -> str:
    rule, to = weaker["rule"], weaker["to"]
    return f"{rule}: {to}" if to is not None else f"without {rule.replace('_', ' ')}"


@rounds.command("open")
def open_round(
    kind: Kind = "cohort",
    watch: Annotated[bool, typer.Option("--watch", help="Stay until it is solved.")] = False,
    program: Program = None,
    json: AsJson = False,
) -> None:
    """Open a round on everybody who can be matched; it is solved at once."""
    opened = call("POST", program, "/rounds", {"kind": kind})
    if watch:
        _watch(opened["round"], program, json)
    elif json:
        as_json(opened)
    else:
        out.print(f"{opened['round']}\nNext: counterpoint round watch {opened['round']}")


@rounds.command("watch")
def watch_round(round_id: RoundId, program: Program = None, json: AsJson = False) -> None:
    """Show how far a round is until it is solved; fails where it was abandoned."""
    _watch(round_id, program, json)


def _watch(round_id: str, program: str | None, json: bool) -> None:
    """On a terminal one line that changes; elsewhere a line for each step, with --json as JSON."""
    before = ""
    with err.status("") if err.is_terminal and not json else nullcontext() as status:
        while True:
            found = read(program, f"/rounds/{round_id}")
            step = _step(found)
            if step != before:
                _tell(step, found, status, json)
            before = step
            if found["state"] != "opened" and not found.get("ordered"):
                break
            time.sleep(LOOK)
    if found["state"] == "abandoned":
        raise Failure(f"{round_id} was abandoned")
    if not json:
        out.print(f"{round_id}\nNext: counterpoint round show {round_id}")


def _tell(step: str, found: Json, status: Status | None, json: bool) -> None:
    if json:
        as_json_line({"round": found["round"], "state": found["state"], "progress": found.get("progress")})
    elif status is not None and found["state"] == "opened":
        status.update(step)
    else:
        out.print(step, markup=False)


def _step(found: Json) -> str:
    """How far a round is, in words."""
    if found["state"] != "opened":
        counts = f"{found['proposed']:,} pairs, {found['total']:,} points, in {found['millis']:,} ms"
        return f"{found['state']}: {counts}" + (", proven" if found["optimal"] else "")
    progress = found.get("progress")
    if not progress:
        return "opened"
    share = "" if progress["percent"] is None else f" {progress['percent']}%"
    return f"{progress['phase']} {progress['done']}" + (f" of {progress['total']}{share}" if progress["total"] else "")


@rounds.command("show")
def show_round(round_id: RoundId, program: Program = None, json: AsJson = False) -> None:
    """Show how far a round is and what came out: scores, who has nobody and why, what other objectives would give."""
    found = read(program, f"/rounds/{round_id}")
    if found["state"] in ("opened", "abandoned"):
        as_json(found) if json else out.print(_step(found) if found["state"] == "opened" else "abandoned")
        return
    people = items_of(program, f"/rounds/{round_id}/explanation")
    objectives = _objectives(program, round_id)
    if json:
        as_json({**found, "people": people, "objectives": objectives})
        return
    rows = [(name, value) for name, value in found.items() if not isinstance(value, list | dict)]
    out.print(table("", ("", "value"), rows))
    scores = [partner["score"] for p in people if p["side"] == "mentor" for partner in p["partners"]]
    out.print("\n[bold]Points of the pairs[/bold]")
    for line in explained.histogram(scores):
        out.print(line, markup=False)
    alone = [p for p in people if p["reason"]]
    out.print(f"\n[bold]Without a partner[/bold]: {len(alone):,}")
    if alone:
        out.print(explained.reasons(alone))
        out.print(explained.without(sorted(alone, key=lambda p: (p["reason"] == "taken", p["reason"]))))
    if objectives:
        out.print("\n[bold]What the objectives would give[/bold]")
        out.print(explained.outcomes([(o["objective"], o) for o in objectives]))


def _objectives(program: str | None, round_id: str) -> list[Json]:
    """Nothing where they cannot be told any more, or the program is too large."""
    try:
        return list(read(program, f"/rounds/{round_id}/objectives")["items"])
    except Failure as failure:
        if failure.code != FAILED:
            raise
        return []


@rounds.command("explain")
def explain(
    round_id: RoundId,
    person: Annotated[str, typer.Argument(help="Somebody (pe_…); of two, the mentor.")],
    other: Annotated[str | None, typer.Argument(metavar="[EXECUTIVE]", help="The executive (pe_…).")] = None,
    program: Program = None,
    json: AsJson = False,
) -> None:
    """Explain why two are a pair or none and what that would cost; of one person, with whom and why with nobody."""
    query = {"mentor": person, "executive": other} if other else {"person": person}
    found = read(program, f"/rounds/{round_id}/explanation", **query)
    if json:
        as_json(found)
    elif other:
        explained.show_pair(found)
    else:
        for each in found["items"]:
            explained.show_person(each)


@rounds.command("compare")
def compare(
    round_id: RoundId,
    other: Annotated[str, typer.Argument(metavar="OTHER", help="Another round's id.")],
    program: Program = None,
    json: AsJson = False,
) -> None:
    """Show what differs between two rounds: pairs that stayed, changed, came and went, and everybody's points."""
    told = explained.compared(*(items_of(program, f"/rounds/{each}/explanation") for each in (round_id, other)))
    if json:
        as_json(told)
    else:
        explained.show_compared((round_id, other), told)


@rounds.command("verify")
def verify(
    round_id: RoundId,
    replay: Annotated[
        bool, typer.Option("--replay", help="Compute it again as well, and compare byte for byte.")
    ] = False,
    program: Program = None,
    json: AsJson = False,
) -> None:
    """Check that a round's result is what it says and that nothing better exists; fails where it is not."""
    found = read(program, f"/rounds/{round_id}/verification", replay=str(replay).lower())
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
    items = items_of(program, f"/rounds/{round_id}/proposals")
    if json:
        as_json(items)
        return
    rows = [
        (i["proposal"], i["score"], " ".join(f"{term} {n}" for term, n in i["terms"].items()), i["verdict"], i["state"])
        for i in items
    ]
    out.print(table("", ("proposal", "score", "terms", "verdict", "state"), rows, ("score",)))


@rounds.command("publish")
def publish(
    round_id: RoundId,
    rest: Annotated[str | None, typer.Option(help="keep or drop proposals without a verdict.")] = None,
    program: Program = None,
    json: AsJson = False,
) -> None:
    """Let the result out: the mentors are asked for their consent."""
    body = {"rest": rest} if rest else {}
    done(call("POST", program, f"/rounds/{round_id}/publish", body), "Published; the mentors are asked first.", json)


@rounds.command("abandon")
def abandon(round_id: RoundId, program: Program = None, json: AsJson = False) -> None:
    """Give a round up before it is published; what it proposes comes to nothing, and nobody is told."""
    done(call("POST", program, f"/rounds/{round_id}/abandon", {}), "Abandoned.", json)
