"""The solver at any size: `python -m bench.matching typical 100000` solves one cohort in a process of its own and says
what it took; `make bench` compares it with scipy's dense solver on the same cohorts."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from typing import Any

import numpy as np

from bench.cohorts import FAMILIES, cohort
from bench.figures import Figure
from services.matching.solver import Problem, solve
from services.matching.solver.scores import Scores


def matching(size: int = 1000) -> list[Figure]:
    """Seconds and megabytes for each family, and for one seat each the ratio to scipy on a dense matrix."""
    found = []
    for family in FAMILIES:
        ours = _apart(family, size, 3, "solve")
        assert ours["proven"], family
        found.append(Figure(f"matching {size:,}², {family}", ours["seconds"], "s"))
    ours, dense = _apart("typical", 2 * size, 1, "solve"), _apart("typical", 2 * size, 1, "dense")
    assert ours["value"] == dense["value"], "not the same optimum"
    name = f"matching {2 * size:,}², one seat each"
    for what, unit in (("seconds", "s"), ("megabytes", "MB")):
        ratio = ours[what] / dense[what]
        found.append(Figure(f"{name} (floor: scipy, dense)", ours[what], unit, dense[what], ratio))
    return found


def _apart(family: str, size: int, seats: int, how: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "bench.matching", family, str(size), str(seats), how]
    told: dict[str, Any] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return told


def measure(posed: Problem, how: str) -> dict[str, Any]:
    """One cohort, solved by us or by scipy on a dense matrix; both compute all scores themselves. `cpu` is of all
    threads; on a machine that does other things too it is the figure to believe."""
    began, spent = time.perf_counter(), time.process_time()
    told: dict[str, Any] = _dense(posed) if how == "dense" else _sparse(posed)
    return told | {
        "seconds": round(time.perf_counter() - began, 2),
        "cpu": round(time.process_time() - spent, 2),
        "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


def _sparse(posed: Problem) -> dict[str, Any]:
    result, certificate = solve(posed, fast=True)
    proven = certificate.value == certificate.bound
    return {"value": certificate.value, "proven": proven, "pairs": len(result.pairs), "total": result.total}


def _dense(posed: Problem) -> dict[str, Any]:
    """One seat each: scores in blocks, the assignment on the whole matrix."""
    from scipy.optimize import linear_sum_assignment

    scores, (pair, *first) = Scores(posed), posed.gains()
    gains = np.zeros((len(posed.mentors), len(posed.executives)), dtype=np.float64)
    columns = np.arange(gains.shape[1])[None, :]
    for at in range(0, len(gains), 64):
        rows = np.arange(at, min(at + 64, len(gains)))[:, None]
        gain = scores.points(rows, columns) + pair + first[0][rows] + first[1][columns]
        gains[at : at + 64] = np.where(scores.allowed(rows, columns), gain, 0)
    gains[posed.apart[:, 0], posed.apart[:, 1]] = 0
    began = time.process_time()
    i, j = linear_sum_assignment(gains, maximize=True)
    return {"value": int(gains[i, j].sum()), "assignment": round(time.process_time() - began, 2)}


def main() -> None:
    """Entry point: family, people a side, most seats, `solve` or `dense`."""
    family, size, seats, how = (*sys.argv[1:], *("typical", "1000", "3", "solve")[len(sys.argv) - 1 :])
    solve(cohort("typical", 10), fast=True)  # compiled before the clock starts
    print(json.dumps(measure(cohort(family, int(size), seats=int(seats)), how)))


if __name__ == "__main__":
    main()
