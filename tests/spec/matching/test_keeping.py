"""What is too long for one document is kept in parts, read as it was, and forgotten row by row."""

from __future__ import annotations

from typing import Any

import pytest
from bson import encode

from chassis.deciding.commands import Conflict
from contracts.matching import Verdict
from services.matching import keeping
from services.matching.cohort import Cohort
from services.matching.erasure import CUT, RESULT, _clear
from services.matching.freezing import INPUT
from services.matching.keeping import pack, part_of, puts, some, strike, whole
from services.matching.placing import Placement, check, replayed
from services.matching.solving import solve
from tests.spec.matching.people import PROGRAM, ROUND, candidate
from tests.spec.matching.test_solving import judge, living, world
from tests.spec.matching.work import Work

ROWS = 4
LARGEST = 16 * 1024 * 1024
"""Bytes that MongoDB takes as one document."""


@pytest.fixture(autouse=True)
def few(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep four rows together, so that a few people are many parts."""
    if "as it is" not in request.node.name:
        monkeypatch.setattr(keeping, "ROWS", ROWS)


def people(count: int) -> list[dict[str, Any]]:
    return [{"person": f"pe_{n:05}", "seats": 1} for n in range(count)]


async def keep(work: Any, doc: dict[str, Any], kind: str = INPUT) -> None:
    for write in await puts(work, kind, PROGRAM, ROUND, doc):
        await write(None)  # type: ignore[arg-type]


def parts(work: Any, kind: str = INPUT) -> list[str]:
    return sorted(id for of, id in work.documents.kept if of == part_of(kind))


@pytest.mark.parametrize("count", [0, 1, ROWS - 1, ROWS, ROWS + 1, 2 * ROWS, 2 * ROWS + 1])
async def test_a_document_is_read_as_it_was_at_every_boundary(count: int) -> None:
    work = Work({})
    doc = {"program": "x", "mentors": people(count), "prices": list(range(count)), "executives": people(1)}
    await keep(work, doc)
    assert await whole(work, INPUT, PROGRAM, ROUND) == doc
    assert len(parts(work)) == (0 if count <= ROWS else 2 * -(-count // ROWS))
    if count <= ROWS:  # as it has always been kept
        assert work.documents.kept[INPUT, ROUND] == doc


async def test_nothing_is_nothing() -> None:
    assert await whole(Work({}), INPUT, PROGRAM, ROUND) is None
    assert not await strike(Work({}), INPUT, PROGRAM, ROUND, lambda row: False)


@pytest.mark.parametrize("wanted", [[0], [3, 4], [7, 8], [12], [0, 12], [99]])
async def test_some_people_are_read_from_the_parts_they_are_in_alone(wanted: list[int]) -> None:
    work, asked = Work({}), []
    await keep(work, {"mentors": people(13), "barred": [["a", "b"]] * 5})
    real = work.documents.among

    async def among(kind: str, scope: str, ids: Any) -> Any:
        asked.extend(i for i in ids if "/mentors/" in i)
        return await real(kind, scope, ids)

    work.documents.among = among  # type: ignore[method-assign]
    found = await some(work, INPUT, PROGRAM, ROUND, {f"pe_{n:05}" for n in wanted})
    assert found == {"mentors": [p for n, p in enumerate(people(13)) if n in wanted], "barred": [["a", "b"]] * 5}
    assert len(asked) == len({min(n, 12) // ROWS for n in wanted})


async def test_what_is_replaced_while_it_is_read_is_read_again_or_not_at_all() -> None:
    work = Work({})
    await keep(work, {"mentors": people(9)})
    old = work.documents.kept[INPUT, ROUND]
    await keep(work, {"mentors": people(10)})
    new, reads = work.documents.kept[INPUT, ROUND], iter([old])
    real = work.documents.get

    async def get(kind: str, scope: str, id: str) -> Any:
        return next(reads, None) or await real(kind, scope, id)

    work.documents.get = get  # type: ignore[method-assign]
    assert (await whole(work, INPUT, PROGRAM, ROUND) or {})["mentors"] == people(10)
    work.documents.kept[INPUT, ROUND] = old
    with pytest.raises(Conflict):
        await whole(work, INPUT, PROGRAM, ROUND)
    assert new != old


async def test_rows_are_struck_out_of_every_part_and_of_the_head() -> None:
    work = Work({})
    await keep(work, {"mentors": people(9), "few": people(3), "within": {"rows": people(2)}})
    gone = {"pe_00001", "pe_00008"}
    for there in (True, False):
        assert await strike(work, INPUT, PROGRAM, ROUND, lambda row: row["person"] not in gone) is there
    left = [p for p in people(9) if p["person"] not in gone]
    found = await whole(work, INPUT, PROGRAM, ROUND)
    assert found == {"mentors": left, "few": [people(3)[0], people(3)[2]], "within": {"rows": people(1)}}


async def test_a_round_in_parts_is_solved_verified_replayed_solved_again_and_forgotten() -> None:
    work = world()
    frozen = work.documents.kept.pop((INPUT, ROUND))
    await keep(work, frozen)
    await solve(ROUND, work)
    judge(work, next(iter(living(work))), Verdict.rejected)
    await solve(ROUND, work)
    assert len(parts(work)) == 4 and parts(work, RESULT)
    cohort = Cohort.model_validate(await whole(work, INPUT, PROGRAM, ROUND))
    result = Placement.model_validate(await whole(work, RESULT, PROGRAM, ROUND))
    assert check(cohort, result) == replayed(cohort, result) == []
    assert {(p.mentor, p.executive) for p in result.placed} == living(work).keys()
    person = cohort.mentors[-1].person
    assert await _clear(work, PROGRAM, ROUND, person) == 2
    assert work.documents.kept[CUT, ROUND] == {"people": 1}
    for kind in (INPUT, RESULT):
        assert person not in str(await whole(work, kind, PROGRAM, ROUND))
    assert await _clear(work, PROGRAM, ROUND, person) == 0


def test_a_round_of_20000_a_side_fits_into_documents_as_it_is() -> None:
    usual = candidate("ada", 1).model_dump(mode="json") | {"line": [f"pe_{n:026}" for n in range(8)]}
    everybody = [usual | {"person": f"pe_{n:026}"} for n in range(20_000)]
    terms = dict.fromkeys(("seeks", "offers", "level", "function", "place", "overlap", "channel"), 1000)
    pair = {"score": 7000, "terms": terms}
    placed = [{"mentor": f"pe_{n:026}", "executive": f"pe_{n:026}", **pair} for n in range(60_000)]
    prices = list(range(10**9, 10**9 + 20_000))
    for doc in (
        {"mentors": everybody, "executives": everybody, "barred": [["pe_a", "pe_b"]] * 60_000},
        {"placed": placed, "unplaced": [], "mentor_prices": prices, "executive_prices": prices},
    ):
        packed = pack(doc)
        sizes = [len(encode(each)) for each in (packed.head, *packed.parts.values())]
        assert max(sizes) < LARGEST // 16 and sum(sizes) < LARGEST
