"""A round that is computed again from what is kept gives the same bytes: elsewhere, in any order, on any threads."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from contracts.matching import SolutionOrdered, Verdict
from services.matching.cohort import Cohort
from services.matching.erasure import RESULT
from services.matching.freezing import INPUT
from services.matching.placing import Placement, replayed
from services.matching.solving import solve
from tests.spec.matching.people import PROGRAM, ROUND
from tests.spec.matching.test_solving import STREAM, judge, living, world

ROOT = Path(__file__).parents[3]
ELSEWHERE = """
import json, sys
from functools import partial
from services.matching import placing
from services.matching.cohort import Cohort
from services.matching.placing import Revision, place
told = json.load(sys.stdin)
placing.solve = partial(placing.solve, threads=told["threads"], fast=told["fast"])
placement = place(Cohort.model_validate(told["input"]), Revision.model_validate(told["revision"]))
sys.stdout.write(placement.model_dump_json())
"""


def elsewhere(frozen: dict[str, Any], revision: Any, threads: int, fast: bool) -> str:
    """The result as another process computes it, to which the people come in another order."""
    chance = random.Random(threads)
    mixed = {**frozen, **{side: chance.sample(frozen[side], len(frozen[side])) for side in ("mentors", "executives")}}
    told = json.dumps({"input": mixed, "revision": revision, "threads": threads, "fast": fast})
    env = {**os.environ, "PYTHONHASHSEED": str(threads)}
    done = subprocess.run(
        [sys.executable, "-c", ELSEWHERE], input=told, env=env, cwd=ROOT, capture_output=True, text=True, check=True
    )
    return done.stdout


@pytest.mark.guarantee("running")
async def test_a_round_computed_again_elsewhere_gives_the_same_bytes() -> None:
    """Once as it was first solved, and once as it was solved around verdicts."""
    work = world()
    await solve(ROUND, work)
    for again in (False, True):
        if again:
            first, second, third, *_ = living(work)
            judge(work, first, Verdict.rejected)
            judge(work, second, Verdict.rejected)
            judge(work, third, Verdict.locked)
            work.streams[STREAM].append(SolutionOrdered(program=PROGRAM, round=ROUND))
            await solve(ROUND, work)
        frozen, kept = work.documents.kept[INPUT, ROUND], work.documents.kept[RESULT, ROUND]
        result = Placement.model_validate(kept)
        assert bool(result.revision.locked) == again and bool(result.revision.apart) == again
        for threads, fast in ((1, False), (3, True)):
            assert elsewhere(frozen, kept["revision"], threads, fast) == result.model_dump_json()
        assert replayed(Cohort.model_validate(frozen), result) == []


async def test_a_result_that_cannot_be_computed_again_is_noticed() -> None:
    work = world()
    await solve(ROUND, work)
    frozen = Cohort.model_validate(work.documents.kept[INPUT, ROUND])
    result = Placement.model_validate(work.documents.kept[RESULT, ROUND])
    first, *others = result.mentor_prices
    assert replayed(frozen, result.model_copy(update={"mentor_prices": [first + 1, *others]})) != []
