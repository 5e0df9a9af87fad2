"""One process of a tally service that answers HTTP; its settings are those of any service process.

Told besides, in variables COUNTERPOINT_TEST_*: TALLY the name of the pair, SERVICE `writer` or `hearer`, TRACE a file
that gets a line when a batch is begun and another when it has taken effect, DELAY the seconds that each batch waits
before it is applied, and BLOCKS the amount whose fold blocks the process.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from chassis.receiving.inbox import Inbox
from chassis.receiving.records import Record
from chassis.running.program import run
from chassis.testing.tally import TallyServices
from tests.outages.tallies import served
from tests.planted import plant_from_environment

PREFIX = "COUNTERPOINT_TEST_"


def trace_batches(file: Path, delay: float) -> None:
    """Write down every batch of this process, before and after; a delayed one takes any time up to twice the delay."""
    real = Inbox.apply

    async def apply(self: Inbox, records: Sequence[Record]) -> int:
        with file.open("a") as out:
            out.write(f"begun {len(records)}\n")
        await asyncio.sleep(random.uniform(0, 2 * delay))
        applied = await real(self, records)
        with file.open("a") as out:
            out.write(f"done {len(records)}\n")
        return applied

    Inbox.apply = apply  # type: ignore[method-assign]


def main(told: Any) -> None:
    """Serve until told to stop."""
    plant_from_environment()
    trace_batches(Path(told[PREFIX + "TRACE"]), float(told[PREFIX + "DELAY"]))
    tally = TallyServices(told[PREFIX + "TALLY"], echo=False)
    tally.poison = lambda amount: time.sleep(600) if amount == int(told[PREFIX + "BLOCKS"]) else None
    run(served(tally)[told[PREFIX + "SERVICE"]])


if __name__ == "__main__":
    main(os.environ)
