"""Whoever is erased leaves the rounds they were in, which then say that they cannot be computed again."""

from __future__ import annotations

import asyncio
from datetime import date
from typing import Any

import pytest

from chassis.receiving.tasks import NotYet
from contracts.enrollment import ErasureRequested, Objective
from contracts.fact import Fact
from contracts.matching import ErasureConfirmedByMatching, RoundKind, RoundOpened, RoundSolved
from services.matching import solving
from services.matching.erasure import CUT, RESULT, erase
from services.matching.freezing import INPUT
from services.matching.placing import place
from services.matching.tasks import solve_opened as solve
from tests.spec.matching.people import ADA, OMAR, PROGRAM, ROUND, an_id, candidate, cohort
from tests.spec.matching.work import Work

COHORT = cohort([candidate("ada", 2), candidate("bo", 2)], [candidate("omar", 6)])
ASKED = ErasureRequested(person=ADA, programs=[PROGRAM], due=date(2026, 10, 7))
opened = RoundOpened(
    program=PROGRAM,
    round=ROUND,
    kind=RoundKind.cohort,
    rules_version=1,
    objective=Objective.most_people,
    mentors=2,
    executives=1,
    input=COHORT.digest(),
    solver=[1, 0, 0],
)
STREAM = f"{PROGRAM}/round/{ROUND}"


def world() -> Work:
    work = Work({STREAM: [opened]})
    work.documents.kept[INPUT, ROUND] = COHORT.model_dump(mode="json")
    return work


def confirmed(work: Work) -> list[Fact]:
    return work.streams.get(f"org/matching-erasure/{ADA}", [])


async def test_their_rows_leave_a_round_that_is_over_and_it_is_flagged() -> None:
    work: Any = world()
    await solve(opened, work)
    assert ADA in str(work.documents.kept[RESULT, ROUND]) and ADA in str(work.documents.kept[INPUT, ROUND])
    await erase(ASKED, work)
    assert ADA not in str(work.documents.kept)
    assert an_id("pe", "bo") in str(work.documents.kept[INPUT, ROUND]), "the others stay"
    assert work.documents.kept[CUT, ROUND] == {"people": 1}
    assert [type(fact) for fact in confirmed(work)] == [ErasureConfirmedByMatching]
    await erase(ASKED, work)
    assert work.documents.kept[CUT, ROUND] == {"people": 1} and len(confirmed(work)) == 1


async def test_whoever_solves_a_round_meanwhile_has_to_begin_again_without_them() -> None:
    """Ada's row leaves while the solver computes with it: nothing about her is written."""
    work: Any = world()

    def erased_meanwhile(*arguments: Any, **more: Any) -> Any:
        asyncio.run(erase(ASKED, work))
        return place(*arguments, **more)

    with pytest.MonkeyPatch.context() as patch, pytest.raises(NotYet):
        patch.setattr(solving, "place", erased_meanwhile)
        await solve(opened, work)
    await solve(opened, work)
    assert isinstance(work.streams[STREAM][-1], RoundSolved) and len(confirmed(work)) == 1
    proposed = [fact for stream, facts in work.streams.items() if "/proposal/" in stream for fact in facts]
    assert ADA not in str(work.documents.kept) and ADA not in str(proposed) and len(proposed) == 1


async def test_a_round_without_them_is_as_it_was() -> None:
    work: Any = world()
    await solve(opened, work)
    before = {k: str(v) for k, v in work.documents.kept.items()}
    someone = ASKED.model_copy(update={"person": an_id("pe", "somebody else")})
    await erase(someone, work)
    assert {k: str(v) for k, v in work.documents.kept.items()} == before and OMAR in str(before)
