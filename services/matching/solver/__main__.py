"""`python -m services.matching.solver`: compile the solver when an image is built, so that no process has to."""

from __future__ import annotations

import numpy as np

from services.matching.solver import WORDS, People, Problem, Rules, Warm, solve


def _one(level: int) -> People:
    words, ones = np.ones((1, 1), dtype=np.uint64), np.ones(1, dtype=np.int64)
    return People(
        ids=words[0], seats=ones, placeable=ones > 0, paired=ones < 0, priority=ones, level=ones * level,
        function=ones, site=ones, languages=words, channels=words[0], offers=words, seeks=words,
        free=np.full((1, 1, WORDS), 2**64 - 1, dtype=np.uint64),
    )  # fmt: skip


if __name__ == "__main__":
    posed = Problem(_one(1), _one(9), Rules((1,) * 7, 1, 45, 60))
    solve(posed, fast=True)
    nobody, free = np.empty((0, 2), dtype=np.int64), np.zeros(1, dtype=np.int64)
    solve(posed, fast=True, warm=Warm(nobody, free, free, posed.unit))  # with paths
