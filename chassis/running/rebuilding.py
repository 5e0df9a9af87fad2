"""The process of role `rebuild`: fills a version of the inbox, tells its progress in JSON lines, and ends."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from chassis.receiving.rebuild import Cannot, Progress, Rebuild
from chassis.running.lease import LeaseLost, Taken, lease

if TYPE_CHECKING:
    from chassis.running.runtime import Runtime

DONE, REFUSED, STOPPED = 0, 1, 130


async def main(runtime: Runtime) -> int:
    """Do what `REBUILD` says; the process's exit code. SIGTERM stops it: what is filled stays, to be gone on with."""
    job = asyncio.create_task(_work(runtime))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, job.cancel)
    try:
        _tell(await job)
        return DONE
    except (Cannot, Taken, LeaseLost) as why:
        _tell({"refused": str(why)})
        return REFUSED
    except asyncio.CancelledError:
        return STOPPED
    finally:
        with contextlib.suppress(Exception):
            await runtime.database.close()


async def _work(runtime: Runtime) -> dict[str, Any]:
    async with lease(runtime.database, "rebuild"):
        return await _alone(runtime)


async def _alone(runtime: Runtime) -> dict[str, Any]:
    settings = runtime.settings
    rebuild = Rebuild(
        runtime.database,
        runtime.versions,
        runtime.inbox_of,
        settings.kafka_bootstrap,
        settings.rebuild_records,
        lambda progress: _tell(_shown(progress)),
        runtime.grant,
    )
    if settings.rebuild == "drop-old":
        return {"dropped": await rebuild.drop()}
    return {"live": await (rebuild.back() if settings.rebuild == "back" else rebuild.forward())}


def _shown(progress: Progress) -> dict[str, Any]:
    shown = asdict(progress)
    return shown | {"rate": round(progress.rate), "left": None if progress.left is None else round(progress.left, 1)}


def _tell(line: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()
