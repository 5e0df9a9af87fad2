"""The solver at any size: `python -m bench.matching typical 100000` solves one cohort and says what it took; `--table`
prints the tables of docs/matching.md, `--huge` that of 100,000 a side, each cohort in a process of its own."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from bench import peers
from bench.cohorts import FAMILIES, cohort
from bench.figures import Figure
from services.matching.solver import Problem, solve

ONE_SEAT = (("typical", 2000), ("tight", 2000), ("typical", 10_000), ("tight", 10_000))
PUBLISHED = (("typical", 100), ("tight", 100), ("typical", 200), ("tight", 200))
"""More takes `mentor-match` minutes."""


def matching(size: int = 1000) -> list[Figure]:
    """Seconds and megabytes for each family, and for one seat each the ratio to scipy on a dense matrix."""
    found = []
    for family in FAMILIES:
        ours = _apart(family, size, 3, "solve")
        found.append(Figure(f"matching {size:,}², {family}", ours["wall"], "s"))
    ours, dense = (
        _apart("typical", 2 * size, 1, "solve"),
        _apart("typical", 2 * size, 1, "scipy"),
    )
    assert ours["value"] == dense["value"], "not the same optimum"
    name = f"matching {2 * size:,}², one seat each"
    for what, unit in (("wall", "s"), ("megabytes", "MB")):
        ratio = ours[what] / dense[what]
        found.append(Figure(f"{name} (floor: scipy, dense)", ours[what], unit, dense[what], ratio))
    return found


def _apart(family: str, size: int, seats: int, how: str, kept: Path | None = None) -> dict[str, Any]:
    """What a process of its own says of a cohort, or what `kept` has of an earlier run; where it ended badly, with what
    (negative is the signal; too little memory is -9)."""
    asked = [family, str(size), str(seats), how]
    lines = kept.read_text().splitlines() if kept and kept.exists() else []
    for line in map(json.loads, lines):
        if line["asked"] == asked:
            return dict(line["told"])
    done = subprocess.run(
        [sys.executable, "-m", "bench.matching", *asked],
        stdout=subprocess.PIPE,
        text=True,
    )
    told: dict[str, Any] = {"failed": done.returncode} if done.returncode else json.loads(done.stdout)
    if kept and not done.returncode:
        with kept.open("a") as file:
            file.write(json.dumps({"asked": asked, "told": told}) + "\n")
    return told


def measure(posed: Problem, how: str) -> dict[str, Any]:
    """One cohort, solved by us with all scores, or by a peer that is given them. `cpu` is of all threads; on a machine
    that does other things too it is the figure to believe."""
    if how in peers.PEERS:
        told = peers.measure(posed, how)
    else:
        began, spent = time.perf_counter(), time.process_time()
        result, certificate = solve(posed, fast=True)
        took = {
            "wall": round(time.perf_counter() - began, 2),
            "cpu": round(time.process_time() - spent, 2),
        }
        assert certificate.value == certificate.bound, "not proven"
        told = {
            "value": certificate.value,
            "pairs": len(result.pairs),
            "total": result.total,
        } | took
    return told | {"megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024}


def tables(kept: Path | None) -> Iterator[str]:
    """The tables of docs/matching.md, line after line as they are measured."""
    yield from families(5000, FAMILIES, kept)
    yield "\n| one seat each | ours, with all scores | scipy, scores given | lapx, scores given |\n|---|---|---|---|"
    for family, size in ONE_SEAT:
        ours = _apart(family, size, 1, "solve", kept)
        cells = [_cell(ours)]
        for peer in ("scipy", "lapx"):
            if not peers.there(peer):
                cells.append("not installed")
                continue
            told = _apart(family, size, 1, peer, kept)
            both = "failed" not in told and "failed" not in ours
            ratio = f" ({told['cpu'] / ours['cpu']:.1f} ×)" if both else ""
            cells.append(_cell(told) + ratio + (", ANOTHER OPTIMUM" if both and told["value"] != ours["value"] else ""))
        yield f"| {size:,}², {family} | {' | '.join(cells)} |"
    if not peers.there("mentor-match"):
        return
    yield "\n| one seat each | ours: pairs, points, seconds | mentor-match: pairs, points, seconds |\n|---|---|---|"
    for family, size in PUBLISHED:
        both_told = [_apart(family, size, 1, how, kept) for how in ("solve", "mentor-match")]
        yield f"| {size}², {family} | {' | '.join(map(_result, both_told))} |"


def families(size: int, which: Sequence[str], kept: Path | None) -> Iterator[str]:
    """A line for each family, with up to three seats, as it is measured."""
    yield f"| {size:,}², up to three seats | pairs | seconds | processor seconds | memory |\n|---|---|---|---|---|"
    for family in which:
        told = _apart(family, size, 3, "solve", kept)
        if "failed" in told:
            cells = ["", _cell(told), "", ""]
        else:
            memory = f"{told['megabytes'] / 1000:.2f} GB"
            cells = [
                f"{told['pairs']:,}",
                f"{told['wall']} s",
                f"{told['cpu']} s",
                memory,
            ]
        yield f"| {family} | {' | '.join(cells)} |"


def _cell(told: dict[str, Any]) -> str:
    if "failed" in told:
        return f"failed ({told['failed']})"
    return f"{told['wall']} s, processor {told['cpu']} s, {told['megabytes'] / 1000:.2f} GB"


def _result(told: dict[str, Any]) -> str:
    return _cell(told) if "failed" in told else f"{told['pairs']}, {told['total']:,}, {told['wall']} s"


def main() -> None:
    """Entry point: one cohort, or tables of many."""
    asked = ArgumentParser(description=__doc__)
    asked.add_argument("family", nargs="?", default="typical", choices=FAMILIES)
    asked.add_argument("size", nargs="?", default=1000, type=int, help="people a side")
    asked.add_argument("seats", nargs="?", default=3, type=int, help="most seats of one person")
    asked.add_argument("how", nargs="?", default="solve", choices=("solve", *peers.PEERS))
    asked.add_argument("--table", action="store_true", help="the tables of docs/matching.md")
    asked.add_argument(
        "--huge",
        action="store_true",
        help="all families at 100,000 a side, or as --size and --only say",
    )
    asked.add_argument(
        "--size",
        dest="huge_size",
        default=100_000,
        type=int,
        help="people a side for --huge",
    )
    asked.add_argument(
        "--only",
        nargs="+",
        choices=FAMILIES,
        default=FAMILIES,
        help="families for --huge",
    )
    asked.add_argument(
        "--kept",
        type=Path,
        help="a file of results: what is in it is not measured again",
    )
    given = asked.parse_args()
    if given.table or given.huge:
        lines = tables(given.kept) if given.table else families(given.huge_size, given.only, given.kept)
        for line in lines:
            sys.stdout.write(line + "\n")
            sys.stdout.flush()
        return
    solve(cohort("typical", 10), fast=True)  # compiled before the clock starts
    told = measure(cohort(given.family, given.size, seats=given.seats), given.how)
    sys.stdout.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    main()
