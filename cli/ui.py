"""`counterpoint ui`: the page that shows how events travel, for a stack that runs or one that has left its spans."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import httpx
import typer

from cli import running
from cli.failure import Failure
from cli.screen import err, out
from cli.traces import spans_folder
from cli.viewer import server

HEALTH_SECONDS = 2.0
"""A service that takes longer to say how it is does not answer."""

Port = Annotated[
    int | None,
    typer.Option("--ui-port", min=1, max=65535, help=f"Where the page is. Default: {server.PORT}, or any free one."),
]


def ui(port: Port = None) -> None:
    """Show in a browser how events travel, until Ctrl-C."""
    with viewing(port) as page:
        out.print(f"How events travel: {page}")
        err.print("Ctrl-C ends it.")
        try:
            while True:
                time.sleep(1)
        except KeyboardInterrupt:
            return


@contextmanager
def viewing(port: int | None) -> Iterator[str]:
    """Serve the page of the chosen stack while the block lasts; its address. Failure where the port is taken."""
    folder = spans_folder()
    with server.serving(folder, free_port(port), services) as page:
        yield page


def free_port(port: int | None) -> int:
    """The port for the page: the one asked for, else the usual one or any that is free. Failure where it is taken."""
    try:
        with server.listen(port) as listening:
            return int(listening.getsockname()[1])
    except OSError:
        raise Failure(f"Something listens on port {port} already. Choose another: --ui-port") from None


def address(port: int) -> str:
    """Where the page is."""
    return f"http://{server.HOST}:{port}"


async def services() -> dict[str, Any]:
    """How each service of the chosen stack is, by name; nothing where no stack runs, None for one that says nothing."""
    try:
        urls = running.stack()["services"]
    except Failure:
        return {}
    async with httpx.AsyncClient(timeout=HEALTH_SECONDS, trust_env=False) as http:
        return dict(zip(urls, await asyncio.gather(*(_health(http, url) for url in urls.values())), strict=True))


async def _health(http: httpx.AsyncClient, url: str) -> dict[str, Any] | None:
    try:
        said = (await http.get(f"{url}/health/lag")).raise_for_status().json()
        return {
            "behind": sum(int(item["behind"] or 0) for item in said["items"]),
            "seconds": max((float(item["seconds"] or 0) for item in said["items"]), default=0.0),
            "parked": int(said["parked"]),
            "due": int(said["tasks"].get("due", 0)),
            "late": float(said["tasks"].get("late_seconds", 0)),
        }
    except (httpx.HTTPError, ValueError, KeyError, TypeError):
        return None
