"""What others make of the same cohorts, one seat each: dense assignment, and a published matcher of mentors.

scipy comes with the requirements for development. Who wants the others too installs them beside:
`uv pip install -r requirements/bench.txt`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np

from services.matching.solver import Problem
from services.matching.solver.scores import Scores

MODULES = {"scipy": "scipy", "lapx": "lap", "mentor-match": "matching"}


def there(peer: str) -> bool:
    """Whether a peer is installed."""
    return find_spec(MODULES[peer]) is not None


def dense(posed: Problem) -> tuple[Any, Any]:
    """What every pair gains by the goal (one seat each) and its points, both 0 where it is not allowed."""
    scores, (pair, *first) = Scores(posed), posed.gains()
    gains = np.zeros((len(posed.mentors), len(posed.executives)), dtype=np.float64)
    points = np.zeros(gains.shape, dtype=np.int16)
    columns = np.arange(gains.shape[1])[None, :]
    for at in range(0, len(gains), 64):
        rows = np.arange(at, min(at + 64, len(gains)))[:, None]
        allowed = scores.allowed(rows, columns)
        points[at : at + 64] = np.where(allowed, scores.points(rows, columns), 0)
        gain = points[at : at + 64] + pair + first[0][rows] + first[1][columns]
        gains[at : at + 64] = np.where(allowed, gain, 0)
    for table in (gains, points):
        table[posed.apart[:, 0], posed.apart[:, 1]] = 0
    return gains, points


def scipy(gains: Any, points: Any) -> tuple[Any, Any]:
    """`linear_sum_assignment`."""
    from scipy.optimize import linear_sum_assignment

    i, j = linear_sum_assignment(gains, maximize=True)
    return i, j


def lapx(gains: Any, points: Any) -> tuple[Any, Any]:
    """`lapjvs`."""
    i, j = import_module("lap").lapjvs(-gains, return_cost=False, prefer_float32=False)
    return i, j


def mentor_match(gains: Any, points: Any) -> tuple[Any, Any]:
    """Its own way: rules that add points or forbid, then Munkres on what it has as a score."""
    process, rule = import_module("matching.process"), import_module("matching.rules.rule")

    class Points:
        def apply(self, match: Any) -> int:
            return int(points[match.mentor.row, match.mentee.row])

    made = []
    for kind, count in zip((process.Mentor, process.Mentee), gains.shape, strict=True):
        side = [kind(grade=1, email=f"{kind.__name__} {n}") for n in range(count)]
        for n, person in enumerate(side):
            person.row = n
        made.append(side)
    forbidden = rule.Disqualify(lambda match: gains[match.mentor.row, match.mentee.row] == 0)
    process.process_data(made[0], made[1], [[Points(), forbidden]])
    pairs = [(mentor.row, mentee.row) for mentor in made[0] for mentee in mentor.mentees]
    i, j = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    return i, j


PEERS: dict[str, Callable[[Any, Any], tuple[Any, Any]]] = {"scipy": scipy, "lapx": lapx, "mentor-match": mentor_match}


def measure(posed: Problem, peer: str) -> dict[str, Any]:
    """What a peer finds, and its seconds without those for the scores."""
    gains, points = dense(posed)
    began, spent = time.perf_counter(), time.process_time()
    i, j = PEERS[peer](gains, points)
    took = {"wall": round(time.perf_counter() - began, 2), "cpu": round(time.process_time() - spent, 2)}
    real = gains[i, j] > 0
    told = {"value": int(gains[i, j].sum()), "pairs": int(real.sum()), "total": int(points[i[real], j[real]].sum())}
    return told | took
