"""What an attacker can work out of shown cells and sums: exact bounds by integer programming."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp


def bounds(
    shown: Mapping[Any, int], hidden: Collection[Any], sums: Sequence[tuple[Any, Sequence[Any]]]
) -> dict[Any, tuple[float, float]]:
    """The least and the largest value that each hidden cell can have. A sum is a total and its parts.

    The attacker knows `shown`, that hidden cells are whole numbers of at least 1, and that every sum holds.
    """
    order = {cell: i for i, cell in enumerate(hidden)}
    rows, totals = [], []
    for total, parts in sums:
        row, known = np.zeros(len(order)), 0
        for cell, sign in [(total, -1), *((part, 1) for part in parts)]:
            if cell in order:
                row[order[cell]] += sign
            else:
                known += sign * shown[cell]
        if row.any():
            rows.append(row)
            totals.append(-known)
    constraints = [LinearConstraint(np.array(rows), totals, totals)] if rows else []
    found = {}
    for cell, i in order.items():
        ends = []
        for sign in (1, -1):
            goal = np.zeros(len(order))
            goal[i] = sign
            answer = milp(goal, constraints=constraints, integrality=np.ones(len(order)), bounds=Bounds(1, 1_000_000))
            assert answer.success, "what is shown contradicts itself"
            ends.append(round(sign * answer.fun))
        found[cell] = (ends[0], ends[1])
    return found
