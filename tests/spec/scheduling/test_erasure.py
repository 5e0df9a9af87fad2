"""Scheduling says that it has erased somebody after it has."""

from __future__ import annotations

import pytest

from contracts.scheduling import ErasureConfirmedByScheduling
from services.scheduling import erasure
from tests.spec.erasing import ASKED, PERSON, Work


@pytest.mark.guarantee("G8")
async def test_it_says_so_once_nothing_is_left() -> None:
    work = Work(views=3, texts=6)
    await erasure.erase(ASKED, work)  # type: ignore[arg-type]
    assert work.said == [(ErasureConfirmedByScheduling(person=PERSON, items=9), {})]
