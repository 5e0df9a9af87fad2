"""`counterpoint republish`: fill a topic again from its service's journal, under the name of its next generation."""

from typing import Annotated

import typer

from cli import jobs, running
from cli.failure import Failure
from cli.screen import AsJson, out
from local.topics import SERVICES

Service = Annotated[str, typer.Argument(help=f"One of: {', '.join(SERVICES)}")]
Kind = Annotated[str, typer.Argument(help="Which of its topics: events or internal.")]
Partitions = Annotated[
    int | None, typer.Option(help="How many partitions, a power of two; by default as many as the topic has.")
]


def republish(service: Service, kind: Kind = "events", partitions: Partitions = None, json: AsJson = False) -> None:
    """Send everything a service has said to the next generation of its topic, and go on there.

    For a topic that was lost or cut short, or needs more partitions. Everything goes on meanwhile; asked again after an
    interruption, it goes on where it stopped. The generation before stays until somebody deletes it.
    """
    if service not in SERVICES or kind not in ("events", "internal"):
        raise typer.BadParameter(f"a service is one of {', '.join(SERVICES)}, a topic is events or internal")
    told = running.stack()
    if not told["pids"]:
        raise Failure(
            "This stack runs in containers: docker compose run --rm -e COUNTERPOINT_ROLE=republish"
            f" -e COUNTERPOINT_REPUBLISH={kind} {service}-prepare python -m services.{service}"
        )
    wanted = {"REPUBLISH_PARTITIONS": str(partitions)} if partitions else {}
    last = jobs.watch(told, service, "republish", {"REPUBLISH": kind, **wanted}, json=json)
    if not json:
        out.print(f"{service}: its facts are said on {last['topic']} now.", markup=False)
