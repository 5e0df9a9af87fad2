"""A process of the writer that stops in the middle of a command over two streams, with its transaction open.

Started with one argument, JSON: `name` of the tally services, `settings` of the process, `program` and `things`. It
prints `open` when both commits are inserted, and commits when it is told to by a line on its standard input.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from chassis.deciding.commands import Origin
from chassis.deciding.decider import On
from chassis.running.runtime import Runtime
from chassis.running.settings import Settings
from chassis.testing.tally import Add, TallyServices


async def main(told: dict[str, Any]) -> None:
    """Run the command, and wait in its middle."""
    tally = TallyServices(told["name"])
    runtime = Runtime(tally.writer, Settings(**told["settings"]))

    async def wait(session: object) -> None:
        sys.stdout.write("open\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.readline)

    streams = [tally.totals.stream(told["program"], thing) for thing in told["things"]]
    add = Add(program=told["program"], amount=1)
    origin = Origin("dying", "d", correlation="test")
    await runtime.run(origin, *(On(tally.totals, stream, add) for stream in streams), also=[wait])
    sys.stdout.write("committed\n")


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.argv[1])))
