"""A coordinator reviews a round: swaps, picks and locks pairs, and publishes what is decided, part by part."""

from __future__ import annotations

import pytest

from local.story.web import Json, check
from tests.programs.house import House
from tests.programs.office import PEOPLE, Office, told

pytestmark = pytest.mark.integration


def test_a_round_is_changed_by_hand_and_published_part_by_part(services: House) -> None:
    told(services, "review-", _reviewed)


async def _reviewed(office: Office) -> None:
    found = await office.solve()
    assert len(found) == PEOPLE
    one, two, three, four = sorted(found, key=lambda p: str(p["proposal"]))
    await _swap(office, one, two)
    await _pick(office, three, four)
    await _reject(office)
    await _publish(office)


async def _swap(office: Office, one: Json, two: Json) -> None:
    path = f"/rounds/{office.round}/swaps"
    price = (await office.get(f"{path}?first={one['proposal']}&second={two['proposal']}")).body
    crossed = {(one["mentor"], two["executive"]), (two["mentor"], one["executive"])}
    assert {(p["mentor"], p["executive"]) for p in price["after"]} == crossed
    assert all(p["allowed"] for p in price["after"])
    figures = price["round"]
    assert figures["then"]["total"] - figures["now"]["total"] == price["points"] <= 0
    assert figures["below"] == figures["optimum"] - figures["then"]["total"] >= 0
    assert figures["then"]["people"] == figures["now"]["people"] == 2 * PEOPLE
    assert await office.proposals() == await office.proposals(verdict=None), "a price changes nothing"
    both = {"first": one["proposal"], "second": two["proposal"]}
    key = {"Idempotency_Key": "swap"}
    made = (await office.post(path, both, **key))["proposals"]
    assert (await office.post(path, both, **key))["proposals"] == made
    assert await office.refused(path, both) == "replaced"
    assert {p["proposal"] for p in await office.proposals(verdict="locked", state="proposed")} == set(made)
    assert {p["proposal"] for p in await office.proposals(verdict="swapped")} == set(both.values())
    assert await office.refused(f"/proposals/{one['proposal']}/review", {"verdict": "approved"}) == "replaced"


async def _pick(office: Office, three: Json, four: Json) -> None:
    """A pair that is picked takes the place of two."""
    path = f"/rounds/{office.round}/pairs"
    pair = {"mentor": three["mentor"], "executive": four["executive"]}
    price = (await office.get(f"{path}?mentor={pair['mentor']}&executive={pair['executive']}")).body
    assert {p["proposal"] for p in price["before"]} == {three["proposal"], four["proposal"]}
    [new] = (await office.post(path, pair))["proposals"]
    standing = await office.standing()
    assert new in {p["proposal"] for p in standing} and len(standing) == PEOPLE, "the other two are placed anew"
    people = [p[side] for p in standing for side in ("mentor", "executive")]
    assert len(people) == len(set(people)), "somebody is proposed twice"


async def _reject(office: Office) -> None:
    """The round goes on without the pair, keeps all others, and takes it back where it is picked."""
    path = f"/rounds/{office.round}"
    before = await office.standing()
    gone = min(before, key=lambda p: str(p["proposal"]))
    assert (await office.post(f"/proposals/{gone['proposal']}/review", {"verdict": "rejected"}))["resolving"]
    await office.until(lambda found: found["proposed"] == len(before) - 1)
    pairs = {p["proposal"] for p in before}
    assert {p["proposal"] for p in await office.standing()} == pairs - {gone["proposal"]}
    assert (await office.get(f"{path}/verification"))["wrong"] == []
    await office.post(f"{path}/pairs", {side: gone[side] for side in ("mentor", "executive")})
    await office.until(lambda found: found["proposed"] == len(before))
    assert {p["proposal"] for p in await office.standing()} == pairs
    assert (await office.get(f"{path}/verification"))["wrong"] == []


async def _publish(office: Office) -> None:
    """Locked pairs are published, what has no verdict stays; then the coordinator approves and publishes the rest."""
    path = f"/rounds/{office.round}"
    first, *others = sorted(await office.standing(), key=lambda p: str(p["proposal"]))
    await office.post(f"/proposals/{first['proposal']}/review", {"verdict": "locked"})
    for other in others:
        await office.post(f"/proposals/{other['proposal']}/review", {"verdict": "unlocked"})
    assert await office.refused(f"{path}/publish", {}) == "undecided"
    part = await office.post(f"{path}/publish", {"rest": "keep"})
    assert (part["published"], part["kept"]) == (1, len(others))
    assert [p["proposal"] for p in await office.proposals(state="asked")] == [first["proposal"]]
    assert len(await office.questions(office.member(first["mentor"]))) == 1
    assert await office.questions(office.member(first["executive"])) == []
    assert (await office.get(path))["state"] == "solved"
    assert await office.refused(f"/proposals/{first['proposal']}/review", {"verdict": "rejected"}) == "not-reviewable"
    await office.post(f"{path}/approvals")
    last = await office.post(f"{path}/publish", {})
    assert (last["published"], last["kept"]) == (1 + len(others), 0)
    assert len(await office.proposals(state="asked")) == 1 + len(others)
    check((await office.get(path))["state"] == "published", "the round is published")
    assert await office.refused(f"{path}/swaps", {"first": first["proposal"], "second": others[0]["proposal"]}) == (
        "not-under-review"
    )
    assert (await office.get(f"{path}/open-places"))["items"] == []
    await office.consent(office.member(first["mentor"]), first, {"answer": "no"})
    places = (await office.get(f"{path}/open-places"))["items"]
    assert {(p["side"], p["person"]) for p in places} == {(side, first[side]) for side in ("mentor", "executive")}
    assert {p["cause"] for p in places} == {"declined"}
