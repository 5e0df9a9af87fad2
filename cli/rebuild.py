"""`counterpoint rebuild`: fill a service's views again beside the live ones and change over, go back, tidy up."""

from typing import Annotated, Any

import typer

from cli import jobs, running
from cli.failure import Failure
from cli.screen import AsJson, out
from local.topics import SERVICES

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
    last = jobs.watch(told, service, "rebuild", {"REBUILD": _what(back, drop_old)}, json=json)
    if not json:
        out.print(ending(service, last), markup=False)


def ending(service: str, line: dict[str, Any]) -> str:
    """What is said at the end."""
    if "live" in line:
        return f"{service}: version {line['live']} is live."
    dropped = ", ".join(map(str, line["dropped"]))
    return f"{service}: dropped version {dropped}." if dropped else f"{service}: there was nothing to drop."


def _what(back: bool, drop_old: bool) -> str:
    return "back" if back else "drop-old" if drop_old else "forward"
