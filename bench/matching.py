"""The solver at any size: `python -m bench.matching typical 100000` solves one cohort in a process of its own and says
what it took; `--table` prints the tables of docs/matching.md, `--huge` that of 100,000 a side."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
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
    ours, dense = _apart("typical", 2 * size, 1, "solve"), _apart("typical", 2 * size, 1, "scipy")
    assert ours["value"] == dense["value"], "not the same optimum"
    name = f"matching {2 * size:,}², one seat each"
    for what, unit in (("wall", "s"), ("megabytes", "MB")):
        ratio = ours[what] / dense[what]
        found.append(Figure(f"{name} (floor: scipy, dense)", ours[what], unit, dense[what], ratio))
    return found


def _apart(family: str, size: int, seats: int, how: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "bench.matching", family, str(size), str(seats), how]
    told: dict[str, Any] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
    return told


def measure(posed: Problem, how: str) -> dict[str, Any]:
    """One cohort, solved by us with all scores, or by a peer that is given them. `cpu` is of all threads; on a machine
    that does other things too it is the figure to believe."""
    if how in peers.PEERS:
        told = peers.measure(posed, how)
    else:
        began, spent = time.perf_counter(), time.process_time()
        result, certificate = solve(posed, fast=True)
        took = {"wall": round(time.perf_counter() - began, 2), "cpu": round(time.process_time() - spent, 2)}
        assert certificate.value == certificate.bound, "not proven"
        told = {"value": certificate.value, "pairs": len(result.pairs), "total": result.total} | took
    return told | {"megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024}


def tables() -> Iterator[str]:
    """The tables of docs/matching.md, line after line as they are measured."""
    yield from _families(5000)
    yield "\n| one seat each | ours, with all scores | scipy, scores given | lapx, scores given |\n|---|---|---|---|"
    for family, size in ONE_SEAT:
        ours = _apart(family, size, 1, "solve")
        cells = [_cell(ours)]
        for peer in ("scipy", "lapx"):
            told = _apart(family, size, 1, peer) if peers.there(peer) else None
            ratio = f" ({told['cpu'] / ours['cpu']:.1f} ×)" if told else ""
            same = "" if told is None or told["value"] == ours["value"] else ", ANOTHER OPTIMUM"
            cells.append((_cell(told) if told else "not installed") + ratio + same)
        yield f"| {size:,}², {family} | {' | '.join(cells)} |"
    if not peers.there("mentor-match"):
        return
    yield "\n| one seat each | ours: pairs, points, seconds | mentor-match: pairs, points, seconds |\n|---|---|---|"
    for family, size in PUBLISHED:
        both = [_apart(family, size, 1, how) for how in ("solve", "mentor-match")]
        yield f"| {size}², {family} | {' | '.join(_result(each) for each in both)} |"


def _families(size: int) -> Iterator[str]:
    yield f"| {size:,}², up to three seats | pairs | seconds | processor seconds | memory |\n|---|---|---|---|---|"
    for family in FAMILIES:
        told = _apart(family, size, 3, "solve")
        memory = f"{told['megabytes'] / 1000:.2f} GB"
        yield f"| {family} | {told['pairs']:,} | {told['wall']} s | {told['cpu']} s | {memory} |"


def _cell(told: dict[str, Any]) -> str:
    return f"{told['wall']} s, processor {told['cpu']} s, {told['megabytes'] / 1000:.2f} GB"


def _result(told: dict[str, Any]) -> str:
    return f"{told['pairs']}, {told['total']:,}, {told['wall']} s"


def main() -> None:
    """Entry point: `--table`, `--huge`, or family, people a side, most seats, `solve` or a peer."""
    if sys.argv[1:] in (["--table"], ["--huge"]):
        for line in tables() if sys.argv[1] == "--table" else _families(100_000):
            sys.stdout.write(line + "\n")
            sys.stdout.flush()
        return
    family, size, seats, how = (*sys.argv[1:], *("typical", "1000", "3", "solve")[len(sys.argv) - 1 :])
    solve(cohort("typical", 10), fast=True)  # compiled before the clock starts
    sys.stdout.write(json.dumps(measure(cohort(family, int(size), seats=int(seats)), how)) + "\n")


if __name__ == "__main__":
    main()
