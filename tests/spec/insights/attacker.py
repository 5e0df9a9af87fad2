"""What an attacker can work out of shown cells and sums: exact bounds by integer programming."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp


def bounds(
    shown: Mapping[Any, int],
    hidden: Collection[Any],
    sums: Sequence[tuple[Any, Sequence[Any]]],
    at_most: Sequence[tuple[Sequence[Any], Sequence[Any]]] = (),
    least: Callable[[Any], int] = lambda cell: 1,
) -> dict[Any, tuple[int, int]]:
    """The least and the largest value that each hidden cell can have. A sum is a total and its parts.

    The attacker knows `shown`, that hidden cells are whole numbers of at least `least`, that every sum holds, and
    that of each couple in `at_most` the cells of the first add up to no more than those of the second.
    """
    order = {cell: i for i, cell in enumerate(hidden)}
    matrix, lower, upper = [], [], []
    relations = [(parts, [total], True) for total, parts in sums] + [(less, more, False) for less, more in at_most]
    for less, more, equal in relations:
        row, known = np.zeros(len(order)), 0
        for cell, sign in [*((cell, 1) for cell in less), *((cell, -1) for cell in more)]:
            if cell in order:
                row[order[cell]] += sign
            else:
                known += sign * shown[cell]
        if row.any():
            matrix.append(row)
            lower.append(-known if equal else -np.inf)
            upper.append(-known)
        else:
            assert known == 0 if equal else known <= 0, "what is assumed does not hold"
    constraints = [LinearConstraint(np.array(matrix), lower, upper)] if matrix else []
    limits = Bounds([least(cell) for cell in order], 1_000_000)
    found = {}
    for cell, i in order.items():
        ends = []
        for sign in (1, -1):
            goal = np.zeros(len(order))
            goal[i] = sign
            answer = milp(goal, constraints=constraints, integrality=np.ones(len(order)), bounds=limits)
            assert answer.success, "what is shown contradicts itself"
            ends.append(round(sign * answer.fun))
        found[cell] = (ends[0], ends[1])
    return found
