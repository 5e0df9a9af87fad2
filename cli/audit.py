"""`counterpoint audit` and `heal`: whether a journal is whole and what Kafka was told, and mending it from there."""

import json as json_
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from cli import running
from cli.failure import FAILED, OK, Failure
from cli.screen import AsJson, as_json, out, progress, table
from local.environment import environment
from local.files import CHECKOUT
from local.stackfile import StackFile
from local.topics import SERVICES

AService = Annotated[str, typer.Argument(help=f"One of {', '.join(SERVICES)}.")]


def audit(service: AService, json: AsJson = False) -> None:
    """Walk a service's journal and its topics; end with 1 where anything is not as it must be."""
    told = running.stack()
    with progress(f"Auditing {service}"):
        found = once(told, service, "--audit")
    if json:
        as_json(found)
    else:
        _show(found)
    raise typer.Exit(FAILED if found["findings"] else OK)


def heal(
    service: AService,
    accept: Annotated[bool, typer.Option("--accept", help="Go on without what cannot be brought back.")] = False,
    json: AsJson = False,
) -> None:
    """Bring back from Kafka what a restored journal lacks; end with 1 where something cannot be brought back."""
    told = running.stack()
    with progress(f"Healing {service}"):
        found = once(told, service, "--heal-and-accept" if accept else "--heal")
    if json:
        as_json(found)
    else:
        out.print(f"{service}: {found['commits']} commits of {found['streams']} streams came back.")
        for trouble in found["troubles"]:
            out.print(f"Not healed: {trouble}", markup=False)
    raise typer.Exit(FAILED if found["troubles"] else OK)


def once(told: StackFile, service: str, argument: str) -> dict[str, Any]:
    """The JSON that a service's program prints when it is started with an argument, as the user who decides."""
    if service not in SERVICES:
        raise Failure(f"There is no service {service!r}: it is one of {', '.join(SERVICES)}.")
    if not told["mongo_uris"]:
        raise Failure(f"This stack's passwords are not here: run `python -m services.{service} {argument}` beside it.")
    env = environment(
        Path(told["data"]),
        service,
        process=f"{service}.once",
        role="api",
        port=0,
        kafka=told["kafka"],
        mongo=told["mongo_uris"][service],
        founders=(),
    )
    command = [sys.executable, "-m", f"services.{service}", argument]
    done = subprocess.run(command, env=env, cwd=CHECKOUT, capture_output=True, text=True, check=False)  # noqa: S603
    try:
        return dict(json_.loads(done.stdout))
    except ValueError:
        raise Failure(f"{service} ended with {done.returncode}:\n{done.stderr.strip()[-2000:]}") from None


def _show(found: dict[str, Any]) -> None:
    looked = f"{found['streams']} streams, {found['commits']} commits, {found['records']} records"
    if not found["findings"]:
        out.print(f"{found['service']}: {looked}; everything is as it must be.")
        return
    rows = [(f["kind"], f["where"], f["detail"]) for f in found["findings"]]
    out.print(table(f"{found['service']}: {looked}", ("what", "where", "why"), rows))
