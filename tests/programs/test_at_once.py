"""Coordinators who do the same thing at the same moment: one round runs at a time, and nobody is picked too often."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.programs.crowd import FOUNDER, Said, race
from tests.programs.house import House
from tests.programs.office import PEOPLE, Office, told

pytestmark = [pytest.mark.integration, pytest.mark.guarantee("running")]

SEATS = 2
TIMES = 3
"""How often each request is sent."""


def test_rounds_that_are_opened_and_pairs_that_are_picked_at_once_are_one_after_the_other(services: House) -> None:
    async def story(office: Office) -> None:
        await _open(services, office)
        await _pick(services, office)

    told(services, "at-once-", story, SEATS)


async def _open(services: House, office: Office) -> None:
    """Of eight rounds one runs."""
    path = office.story.at("/rounds")
    said = await race(services, [(FOUNDER, "matching", path, {"kind": "cohort"}) for _ in range(8)])
    assert _outcomes(said) == {(201, ""): 1, (409, "round-running"): 7}
    [office.round] = [s.body["round"] for s in said if s.status == 201]
    await office.until(lambda found: found["state"] == "solved")


async def _pick(services: House, office: Office) -> None:
    """Everybody is picked for one executive with fewer seats: the first have them, and nobody loses theirs again."""
    wanted = office.crowd.executives[0].person
    picks = [
        (
            FOUNDER,
            "matching",
            office.story.at(f"/rounds/{office.round}/pairs"),
            {"mentor": m.person, "executive": wanted},
        )
        for m in office.crowd.mentors * TIMES
    ]
    said = await race(services, picks)
    assert {s.status for s in said} == {201, 409}
    locked = await office.proposals(executive=wanted, verdict="locked")
    assert len(locked) == SEATS and {p["state"] for p in locked} == {"proposed"}
    assert {p for s in said if s.status == 201 for p in s.body["proposals"]} == {p["proposal"] for p in locked}
    assert {code for status, code in _outcomes(said) if status == 409} == {"locked"}
    standing = await office.standing()
    assert max(Counter(p["executive"] for p in standing).values()) == SEATS
    assert max(Counter(p["mentor"] for p in standing).values()) == 1 and len(standing) == PEOPLE


def _outcomes(said: list[Said]) -> Counter[tuple[int, str]]:
    return Counter((s.status, str(s.body.get("type", "")).rpartition(":")[2]) for s in said)
