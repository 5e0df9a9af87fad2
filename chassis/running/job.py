"""An operator's process: does one long thing, tells its progress in JSON lines, and ends."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sys
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from chassis.running.lease import LeaseLost, Taken, lease
from chassis.running.pace import Progress
from chassis.running.spans import Told

if TYPE_CHECKING:
    from chassis.running.runtime import Runtime

DONE, REFUSED, STOPPED = 0, 1, 130


class Cannot(Told):
    """What was asked for cannot be done; the text says why, for an operator."""


async def main(runtime: Runtime, what: str, work: Callable[[], Awaitable[dict[str, Any]]]) -> int:
    """Do `work`, which no other process of the service does meanwhile; the process's exit code.

    SIGTERM stops it: what is done stays, to be gone on with.
    """

    async def alone() -> dict[str, Any]:
        async with lease(runtime.database, what):
            return await work()

    job = asyncio.create_task(alone())
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, job.cancel)
    try:
        tell(await job)
        return DONE
    except (Cannot, Taken, LeaseLost) as why:
        tell({"refused": str(why)})
        return REFUSED
    except asyncio.CancelledError:
        return STOPPED
    finally:
        with contextlib.suppress(Exception):
            await runtime.database.close()


def show(progress: Progress) -> None:
    """Tell how far it is."""
    tell(progress.shown())


def tell(line: dict[str, Any]) -> None:
    """Print a line."""
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()
