"""Chaos for as long as one likes: rounds with consecutive seeds until so many facts were said: `make chaos`."""

from __future__ import annotations

import argparse
import asyncio
import secrets
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.chaos.driver import Run, chaos
from tests.chaos.servers import Servers, servers
from tests.chaos.world import warm

ROUND = 90.0
"""Seconds of faults in a round; every round has a world of its own."""


def a_round(seed: int) -> Run:
    """Every fourth round has tasks, and small commands; the others say as much as they can."""
    return Run(seed, ROUND, times=3, echo=True) if seed % 4 == 0 else Run(seed, ROUND, times=60, echo=False)


def say(text: str) -> None:
    """One line of progress, at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


async def rounds(started: Servers, folder: Path, seed: int, events: int, minutes: float) -> int:
    """Answers 0 where nothing was found amiss in any round, 1 after the first in which something was."""
    began = time.monotonic()
    total: Counter[str] = Counter()
    n = 0
    while total["facts"] < events and time.monotonic() - began < minutes * 60:
        verdict = await chaos(started, folder, a_round(seed + n), say)
        total += verdict.counts
        n += 1
        took = time.monotonic() - began
        say(f"== {n} rounds, {total['facts']} facts, {total['restarts']} restarts, {took:.0f} s")
        if verdict.findings:
            say(f"== seed {seed + n - 1} found something: make chaos SEED={seed + n - 1}")
            return 1
    say(f"== nothing amiss: {dict(total)}")
    return 0


def main() -> int:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000, help="facts to say in all")
    parser.add_argument("--minutes", type=float, default=120, help="no round begins after so many")
    parser.add_argument("--seed", type=int, default=None, help="of the first round; each further one has the next")
    told = parser.parse_args()
    seed = secrets.randbelow(1_000_000) if told.seed is None else told.seed
    folder = Path(tempfile.mkdtemp(prefix="counterpoint-chaos-"))
    say(f"== {told.events} facts, seed {seed}, logs in {folder}")
    warm()
    with servers(folder) as started:
        code = asyncio.run(rounds(started, folder, seed, told.events, told.minutes))
    if not code:
        shutil.rmtree(folder)
    return code


if __name__ == "__main__":
    sys.exit(main())
