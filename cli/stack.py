"""Commands that start and stop the local stack, move its clock, and hand out tokens of its issuer."""

import re
import subprocess
import sys
from contextlib import nullcontext
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from cli import running, ui
from cli.failure import FAILED, USAGE, Failure
from cli.screen import AsJson, as_json, err, out, progress, table
from local import clock as travelling
from local import stackfile
from local.stack import Stack
from local.stackfile import StackFile

STARTING = "Starting Kafka, MongoDB and the four services"

Detach = Annotated[bool, typer.Option("--detach", help="Return once everything is ready, and leave it running.")]


def data() -> Path:
    """The data directory of the chosen stack."""
    return running.CHOSEN.file.parent


def start(stack: Stack) -> None:
    """Start servers, topics and services of a stack, and wait until all are ready."""
    stack.start_servers()
    stack.create_topics()
    stack.start_services()
    stack.start_outlet()
    stack.wait_ready()


def up(
    detach: Detach = False,
    with_ui: Annotated[bool, typer.Option("--ui", help="Also serve the page that shows how events travel.")] = False,
    port: ui.Port = None,
    json: AsJson = False,
) -> None:
    """Start Kafka, MongoDB, the four services and the outlet, until Ctrl-C or `counterpoint down`."""
    if detach:
        _detached(ui.free_port(port) if with_ui else None, json)
        return
    with Stack(data()) as stack:
        with progress(STARTING):
            start(stack)
        with ui.viewing(port) if with_ui else nullcontext() as page:
            _show(running.stack(), page, json)
            wait(stack)


def wait(stack: Stack) -> None:
    """Wait until Ctrl-C, or until another terminal ends the stack."""
    try:
        stack.wait()
    except KeyboardInterrupt:
        err.print("Stopping")


def _detached(port: int | None, json: bool) -> None:
    log = data() / "logs" / "up.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "cli.main", "--stack", str(running.CHOSEN.file), "up", "--json"]
    command += ["--ui", "--ui-port", str(port)] if port else []
    with progress(STARTING), log.open("wb") as output:
        child = subprocess.Popen(  # noqa: S603
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=output, start_new_session=True
        )
        assert child.stdout is not None
        ready = child.stdout.readline()  # it speaks once everything is ready, or ends
    if not ready:
        raise Failure(f"The stack did not start:\n{log.read_text()}", FAILED)
    _show(running.stack(), ui.address(port) if port else None, json)


def _show(told: StackFile, page: str | None, json: bool) -> None:
    if json:
        as_json({**told, "ui": page})
        sys.stdout.flush()
        return
    rows = [("Kafka", told["kafka"]), ("MongoDB", told["mongo"].rpartition("@")[2]), *told["services"].items()]
    rows += [("outlet", told["outlet"])]
    out.print(table("", ("what", "where"), rows))
    out.print(f"Everything about it: {running.CHOSEN.file}")
    out.print(f"How events travel: {page or 'counterpoint ui'}")


def down(
    keep_data: Annotated[bool, typer.Option("--keep-data", help="Leave the data for the next start.")] = False,
    json: AsJson = False,
) -> None:
    """Stop what this checkout started, and remove its data."""
    with progress("Stopping"):
        ended = stackfile.down(data(), remove=not keep_data)
    if json:
        as_json({"ended": ended})
    else:
        out.print(f"Stopped: {', '.join(ended)}" if ended else "Nothing was running.")


clock = typer.Typer(no_args_is_help=True, help="The stack's travelling clock.")


@clock.command("now")
def clock_now(json: AsJson = False) -> None:
    """Show the stack's time."""
    _tell(json)


@clock.command("forward")
def clock_forward(by: Annotated[str, typer.Argument(help="Such as 90m, 36h, 7d or 4w.")], json: AsJson = False) -> None:
    """Let time pass. It never goes back."""
    travelling.advance(Path(running.stack()["clock_file"]), duration(by))
    _tell(json)


def _tell(json: bool) -> None:
    now = travelling.now(Path(running.stack()["clock_file"]))
    if json:
        as_json({"now": now.isoformat(timespec="milliseconds")})
    else:
        out.print(f"{now:%A %d %B %Y %H:%M} UTC")


def duration(text: str) -> timedelta:
    """A length of time from a number and one of m, h, d, w."""
    found = re.fullmatch(r"(\d{1,5})([mhdw])", text)
    if found is None:
        raise Failure(f"{text!r} is no length of time; write 90m, 36h, 7d or 4w", USAGE)
    unit = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}[found[2]]
    return timedelta(**{unit: int(found[1])})


def token(
    role: Annotated[str, typer.Option("--as", help="coordinator, mentor, executive, sponsor, …, operator, subscriber")],
    person: Annotated[str | None, typer.Option("--person", help="A login or a person id.")] = None,
    json: AsJson = False,
) -> None:
    """Print a bearer token of the local issuer, good for one role of one person, for twelve hours."""
    told = running.stack()
    made = running.token(told, role, person)
    if json:
        as_json({"token": made, "role": role, "subject": running.subject(told, role, person)})
    else:
        sys.stdout.write(made + "\n")
