"""The process of role `rebuild`: fills a version of the inbox, tells its progress in JSON lines, and ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chassis.receiving.rebuild import Rebuild
from chassis.running import job

if TYPE_CHECKING:
    from chassis.running.runtime import Runtime


async def main(runtime: Runtime) -> int:
    """Do what `REBUILD` says; the process's exit code."""
    return await job.main(runtime, "rebuild", lambda: _work(runtime))


async def _work(runtime: Runtime) -> dict[str, Any]:
    settings = runtime.settings
    rebuild = Rebuild(
        runtime.database,
        runtime.versions,
        runtime.inbox_of,
        settings.kafka,
        settings.rebuild_records,
        job.show,
        runtime.grant,
    )
    if settings.rebuild == "drop-old":
        return {"dropped": await rebuild.drop()}
    return {"live": await (rebuild.back() if settings.rebuild == "back" else rebuild.forward())}
