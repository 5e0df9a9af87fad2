"""`counterpoint rebuild`: fill a service's views again beside the live ones and change over, go back, tidy up."""

import contextlib
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.status import Status

from cli import running
from cli.failure import FAILED, Failure
from cli.screen import AsJson, as_json_line, err, out
from local.environment import PREFIX, environment
from local.files import CHECKOUT
from local.stackfile import StackFile
from local.topics import SERVICES

_END = 20.0

Service = Annotated[str, typer.Argument(help=f"One of: {', '.join(SERVICES)}")]
InboxName = Annotated[str, typer.Argument(help="A service has one inbox.", show_default=True)]
Back = Annotated[
    bool, typer.Option("--back", help="Bring the version that was live before up to date, and return to it.")
]
Drop = Annotated[bool, typer.Option("--drop-old", help="Remove every version that is not live.")]


def rebuild(
    service: Service, inbox: InboxName = "inbox", back: Back = False, drop_old: Drop = False, json: AsJson = False
) -> None:
    """Fill a new version of a service's views from the first record, while the live one goes on, and change over.

    Asked again after an interruption, it goes on where it stopped. The version before is kept until --drop-old.
    """
    if service not in SERVICES or inbox != "inbox":
        raise typer.BadParameter(f"a service is one of {', '.join(SERVICES)}, and its inbox is called inbox")
    if back and drop_old:
        raise typer.BadParameter("--back and --drop-old exclude each other")
    told = running.stack()
    if not told["pids"]:
        raise Failure(
            "This stack runs in containers: docker compose run --rm -e COUNTERPOINT_ROLE=rebuild"
            f" -e COUNTERPOINT_REBUILD={_what(back, drop_old)} {service}-prepare python -m services.{service}"
        )
    last: dict[str, Any] = {}
    with _spinner(json) as status:
        for last in _lines(told, service, _what(back, drop_old)):
            if json:
                as_json_line(last)
            elif status and "total" in last:
                status.update(progress(last))
    if "refused" in last:
        raise Failure(f"{service}: {last['refused']}")
    if not json:
        out.print(ending(service, last), markup=False)


def progress(line: dict[str, Any]) -> str:
    """What is shown of a line of progress."""
    share = line["done"] / line["total"] if line["total"] else 1.0
    left = "" if line["left"] is None else f", {line['left']:.0f} s left"
    return f"version {line['version']}: {line['done']:,} of {line['total']:,} ({share:.0%}), {line['rate']:,}/s{left}"


def ending(service: str, line: dict[str, Any]) -> str:
    """What is said at the end."""
    if "live" in line:
        return f"{service}: version {line['live']} is live."
    dropped = ", ".join(map(str, line["dropped"]))
    return f"{service}: dropped version {dropped}." if dropped else f"{service}: there was nothing to drop."


def _what(back: bool, drop_old: bool) -> str:
    return "back" if back else "drop-old" if drop_old else "forward"


@contextlib.contextmanager
def _spinner(quiet: bool) -> Iterator[Status | None]:
    if quiet or not err.is_terminal:
        yield None
    else:
        with err.status("Rebuilding") as status:
            yield status


def _lines(told: StackFile, service: str, what: str) -> Iterator[dict[str, Any]]:
    """What a process of role `rebuild` tells; Failure where it ends without having done it."""
    data = Path(told["data"])
    env = environment(
        data,
        service,
        process=f"{service}.rebuild",
        role="rebuild",
        port=0,
        kafka=told["kafka"],
        mongo=told["mongo_uris"][service],
        founders=(),
    )
    log = data / "logs" / f"{service}.rebuild.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with (
        log.open("w") as errors,
        subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-m", f"services.{service}"],
            env={**env, f"{PREFIX}REBUILD": what},
            cwd=CHECKOUT,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        ) as process,
    ):
        ended = False
        try:
            for text in process.stdout or ():
                line: dict[str, Any] = json.loads(text)
                ended = bool(line.keys() & {"live", "dropped", "refused"})
                yield line
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(_END)
                process.kill()
    if not ended:
        raise Failure(f"The rebuild of {service} ended early; see {log}", FAILED)
