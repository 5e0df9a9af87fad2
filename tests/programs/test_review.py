"""A coordinator reviews a round: swaps, picks and locks pairs, and publishes what is decided, part by part."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from local.story.cast import Cast
from local.story.state import Silence, Story
from local.story.web import Json, Web, check
from tests.programs.crowd import FOUNDER, Crowd
from tests.programs.house import House
from tests.programs.season import roster

pytestmark = pytest.mark.integration

PEOPLE = 4
"""On each side."""


class Office:
    """A program with a few people, and the commands its coordinator gives."""

    def __init__(self, crowd: Crowd) -> None:
        self.crowd, self.web, self.story = crowd, crowd.story.web, crowd.story
        self.round = ""

    async def solve(self) -> list[Json]:
        """Open a round; answers its proposals."""
        self.round = (await self.post("/rounds", {"kind": "cohort"}))["round"]
        await self.until(lambda found: found["state"] == "solved")
        return await self.proposals()

    async def until(self, so: Callable[[Json], bool]) -> Json:
        """Wait until the round is so."""

        async def look() -> Json | None:
            found: Json = (await self.get(f"/rounds/{self.round}")).body
            return found if so(found) else None

        return await self.web.until(look, "the round is as expected")

    async def proposals(self, **fields: Any) -> list[Json]:
        """The proposals of the round that have these fields, once all that was said is known."""
        await self.web.settled()
        found = await self.web.items(FOUNDER, "matching", self.story.at(f"/rounds/{self.round}/proposals"))
        return [p for p in found if all(p[name] == value for name, value in fields.items())]

    async def get(self, path: str) -> Any:
        return await self.web.get(FOUNDER, "matching", self.story.at(path))

    async def post(self, path: str, body: Json | None = None, **headers: str) -> Any:
        return await self.web.post(FOUNDER, "matching", self.story.at(path), body, **headers)

    async def refused(self, path: str, body: Json) -> str:
        """The type of problem that a command is refused with."""
        problem = await self.web.refused(409, FOUNDER, "POST", "matching", self.story.at(path), body)
        return str(problem["type"]).rpartition(":")[2]

    async def asked(self, login: str) -> list[Json]:
        """What somebody is asked."""
        found = await self.web.get(login, "matching", self.story.at("/proposals/mine"))
        return list(found["items"])

    def login(self, person: str) -> str:
        return self.story.cast.by_person(person).login


def told(services: House, prefix: str, story: Callable[[Office], Coroutine[Any, Any, None]]) -> None:
    """Tell a story in a program of its own, with as many mentors as executives."""

    async def tell() -> None:
        async with Web(services.installation, patience=120) as web:
            file = roster(services.folder, executives=PEOPLE, mentors=PEOPLE, prefix=prefix, everywhere="bengaluru")
            crowd = Crowd(services, Story(web, Cast.read(file), Silence()), capacity=1)
            await crowd.gather()
            await story(Office(crowd))

    asyncio.run(tell())


def test_a_round_is_changed_by_hand_and_published_part_by_part(services: House) -> None:
    told(services, "review-", _reviewed)


async def _reviewed(office: Office) -> None:
    found = await office.solve()
    assert len(found) == PEOPLE
    one, two, three, four = sorted(found, key=lambda p: str(p["proposal"]))
    await _swap(office, one, two)
    await _pick(office, three, four)
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
    standing = [p for p in await office.proposals(state="proposed") if p["verdict"] != "swapped"]
    assert new in {p["proposal"] for p in standing}
    people = [p[side] for p in standing for side in ("mentor", "executive")]
    assert len(people) == len(set(people)), "somebody is proposed twice"


async def _publish(office: Office) -> None:
    """Locked pairs are published, what has no verdict stays; then the coordinator approves and publishes the rest."""
    path = f"/rounds/{office.round}"
    await office.web.settled()
    standing = [p for p in await office.proposals(state="proposed") if p["verdict"] in ("locked", None)]
    first, *others = sorted(standing, key=lambda p: str(p["proposal"]))
    for other in others:
        await office.post(f"/proposals/{other['proposal']}/review", {"verdict": "unlocked"})
    assert await office.refused(f"{path}/publish", {}) == "undecided"
    part = await office.post(f"{path}/publish", {"rest": "keep"})
    assert (part["published"], part["kept"]) == (1, len(others))
    assert [p["proposal"] for p in await office.proposals(state="asked")] == [first["proposal"]]
    assert len(await office.asked(office.login(first["mentor"]))) == 1
    assert await office.asked(office.login(first["executive"])) == []
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
