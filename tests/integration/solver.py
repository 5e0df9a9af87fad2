"""A solver process of matching that begins to solve a round, says so in a file, and goes on only once it is told to.

Its settings are those of any service process. Told besides, in COUNTERPOINT_TEST_FOLDER: where it writes `begun`, waits
for `go`, and writes `given up` where it finds that another has taken the round over.
"""

from __future__ import annotations

import os
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

from chassis.receiving import runner
from chassis.receiving.tasks import NotYet
from chassis.running.program import run
from services.matching import solving, tasks
from services.matching.placing import Placement
from services.matching.service import SERVICE
from tests.planted import plant_from_environment

LEASE = timedelta(seconds=2)
FOLDER = "COUNTERPOINT_TEST_FOLDER"


def wait_for_a_word(folder: Path) -> None:
    """Make this process slow at the one moment, and make it tell when it gives up."""
    real_place, real_solve = solving.place, solving.solve

    def place(*arguments: Any, **more: Any) -> Placement:
        (folder / "begun").touch()
        while not (folder / "go").exists():
            time.sleep(0.02)
        return real_place(*arguments)  # not told when to stop, as if it were asleep until the end

    async def solve(round: str, work: Any) -> None:
        try:
            await real_solve(round, work)
        except NotYet:
            (folder / "given up").touch()
            raise

    solving.place, tasks.solve = place, solve  # type: ignore[attr-defined]
    runner._LEASE = LEASE


if __name__ == "__main__":
    plant_from_environment()
    wait_for_a_word(Path(os.environ[FOLDER]))
    run(SERVICE)
