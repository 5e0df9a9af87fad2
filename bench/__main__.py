"""`python -m bench`: measure, print a table, write `bench/latest.json`."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import sys
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench import deciding, distributing, matching, rebuilding, receiving
from bench.figures import Figure
from bench.world import servers
from chassis.running.runtime import settle

LATEST = Path(__file__).parent / "latest.json"


async def measure(runs: int) -> list[Figure]:
    """All figures, on servers of their own."""
    settle()
    found: list[Figure] = []
    with servers() as (running, folder):
        for name, part in (
            ("commands", deciding.commands(running, folder, runs)),
            ("relay", distributing.relay(running, folder, runs)),
            ("inbox, one fact a stream", receiving.inbox(running, folder, runs, 5000, 1)),
            ("inbox, six facts a stream", receiving.inbox(running, folder, runs, 1500, 6)),
            ("inbox, with tasks", receiving.inbox(running, folder, runs, 5000, 1, tasks=True)),
            ("visible", receiving.visible(running, folder)),
            ("rebuild", rebuilding.rebuild(running, folder)),
        ):
            sys.stderr.write(f"measuring: {name}\n")
            found += await part
    sys.stderr.write("measuring: matching\n")
    return found + matching.matching()


def table(found: list[Figure]) -> Table:
    """The figures as a table."""
    made = Table(title="Medians of one run on this machine; trust the ratios")
    for column in ("figure", "value", "unit", "floor", "ratio", "runs"):
        made.add_column(column, justify="left" if column in ("figure", "unit") else "right")
    for f in found:
        value = f"{f.value:,.0f}" if f.value >= 100 else f"{f.value:.3g}"
        floor = f"{f.floor:,.0f}" if f.floor else ""
        made.add_row(f.name, value, f.unit, floor, f"{f.ratio:.2f}" if f.ratio else "", str(f.runs))
    return made


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--runs", type=int, default=5, help="alternating repetitions of each figure")
    runs = parser.parse_args().runs
    logging.basicConfig(level=logging.ERROR)
    found = asyncio.run(measure(runs))
    LATEST.write_text(json.dumps([asdict(f) for f in found], indent=2) + "\n")
    Console(width=110).print(table(found))


if __name__ == "__main__":
    main()
