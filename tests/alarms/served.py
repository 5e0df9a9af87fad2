"""One process of a tally service that stumbles: over some amounts it cannot fold, or its task fails, or never ends.

Told besides, in variables COUNTERPOINT_TEST_*: TALLY the name of the pair, SERVICE `writer` or `hearer`, and MENDED a
file that is there once all of that is mended.
"""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from chassis.receiving.tasks import Task, Tasks, Work
from chassis.running.program import run
from chassis.running.settings import Role
from chassis.testing.tally import TallyServices
from tests.outages.tallies import served
from tests.planted import plant_from_environment

PREFIX = "COUNTERPOINT_TEST_"
FOLDED_BADLY, FAILS, HANGS = 66, 13, 31
"""Amounts to stumble over."""


def main(told: Any) -> None:
    """Serve until told to stop."""
    plant_from_environment()
    tally = TallyServices(told[PREFIX + "TALLY"], echo=False)
    mended = Path(told[PREFIX + "MENDED"]).exists

    def fold(amount: int) -> None:
        if amount == FOLDED_BADLY and not mended():
            raise RuntimeError("cannot be folded")

    async def stumble(fact: Any, work: Work) -> None:
        if fact.amount == FAILS and not mended():
            raise RuntimeError("cannot be done")
        if fact.amount == HANGS and not mended():
            work.tell(1)
            await asyncio.sleep(3600)

    tally.poison = fold
    services = served(tally)
    services["hearer"] = replace(
        services["hearer"], tasks=Tasks([Task("stumble", tally.Added, stumble, role=Role.solver)])
    )
    run(services[told[PREFIX + "SERVICE"]])


if __name__ == "__main__":
    main(os.environ)
