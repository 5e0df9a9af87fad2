"""The process of role `republish`: fills another generation of a topic, tells its progress in JSON lines, and ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chassis.distributing.republish import Republish
from chassis.running import job

if TYPE_CHECKING:
    from chassis.running.runtime import Runtime


async def main(runtime: Runtime) -> int:
    """Republish what `REPUBLISH` names; the process's exit code."""
    return await job.main(runtime, "republish", lambda: _work(runtime))


async def _work(runtime: Runtime) -> dict[str, Any]:
    settings, service = runtime.settings, runtime.service
    republish = Republish(
        service.name,
        service.catalog,
        runtime.database,
        settings.kafka,
        f"counterpoint.{service.name}.{settings.republish}",
        settings.partitions,
        settings.republish_partitions,
        job.show,
    )
    return {"topic": (await republish.run()).name}
