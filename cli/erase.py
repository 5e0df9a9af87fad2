"""`counterpoint erase`: have everything personal of somebody deleted, follow it, and look whether a text is left."""

import time
from typing import Annotated, Any

import typer

from cli import running
from cli.failure import FAILED, Failure
from cli.screen import AsJson, Program, as_json, out, progress, table
from local import scan
from local.stackfile import StackFile

APerson = Annotated[str, typer.Argument(metavar="PERSON", help="Whose data: a person's id (pe_…).")]

erase = typer.Typer(no_args_is_help=True, help="Delete everything personal of somebody, with proof.")


@erase.command("person")
def person(
    person: APerson,
    program: Program = None,
    wait: Annotated[float, typer.Option("--wait", help="Seconds to follow it; 0 only asks.")] = 60.0,
    json: AsJson = False,
) -> None:
    """Ask for an erasure and follow it; end with 1 where it is not over when the time is."""
    told = running.stack()
    path = f"/programs/{running.program(told, program)}/erasures"
    running.request(told, "POST", "enrollment", path, json={"person": person})
    deadline = time.monotonic() + wait
    with progress(f"Erasing {person}"):
        found = _state(told, path, person)
        while found["state"] != "erased" and time.monotonic() < deadline:
            time.sleep(0.3)
            found = _state(told, path, person)
    _show(found, json)
    raise typer.Exit(FAILED if wait and found["state"] != "erased" else 0)


@erase.command("status")
def status(person: APerson, program: Program = None, json: AsJson = False) -> None:
    """Show who has deleted, who has not yet, until when they must, and in the end the proof."""
    told = running.stack()
    _show(_state(told, f"/programs/{running.program(told, program)}/erasures", person), json)


@erase.command("scan")
def scan_for(
    texts: Annotated[list[str], typer.Argument(help="A name, an address, a login: whatever must be nowhere.")],
    json: AsJson = False,
) -> None:
    """Look for texts in every topic, segment file, collection, log and span of the local stack; 1 where one is."""
    told = running.stack()
    if not told["mongo_uris"]:
        raise Failure("This stack's passwords are not here: only a stack that this machine started can be scanned.")
    with progress("Looking everywhere"):
        found = scan.scan(told, texts)
    if json:
        as_json({"looked": found.looked, "hits": found.hits})
    else:
        looked = ", ".join(f"{n} {what}" for what, n in found.looked.items())
        out.print(f"Looked at {looked}.")
        if found.hits:
            out.print(table("", ("where", "how often"), sorted(found.hits.items()), ("how often",)))
        else:
            out.print("Nothing was found.")
    raise typer.Exit(FAILED if found.hits else 0)


def _state(told: StackFile, path: str, person: str) -> dict[str, Any]:
    return running.request(told, "GET", "enrollment", f"{path}/{person}")


def _show(found: dict[str, Any], json: bool) -> None:
    if json:
        as_json(found)
        return
    rows = [(name, found[name]) for name in ("person", "state", "due", "proof") if found[name]]
    rows += [(f"deleted by {service}", n) for service, n in found["deleted"].items()]
    rows += [("missing", service) for service in found["missing"]]
    out.print(table("", ("", "value"), rows))
    if found["overdue"]:
        out.print("It is overdue.")
