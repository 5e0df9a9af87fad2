"""A program with a few people, what its coordinator does with a round, and what its people ask each other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from local.story.cast import Cast, Member
from local.story.state import Silence, Story
from local.story.web import Json, Web
from tests.programs.crowd import FOUNDER, Crowd
from tests.programs.house import House
from tests.programs.season import roster

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

    async def standing(self) -> list[Json]:
        """The proposals that the round's result is made of."""
        return [p for p in await self.proposals(state="proposed") if p["verdict"] not in ("rejected", "swapped")]

    async def get(self, path: str) -> Any:
        return await self.web.get(FOUNDER, "matching", self.story.at(path))

    async def post(self, path: str, body: Json | None = None, **headers: str) -> Any:
        return await self.web.post(FOUNDER, "matching", self.story.at(path), body, **headers)

    async def refused(self, path: str, body: Json) -> str:
        """The type of problem that a command is refused with."""
        problem = await self.web.refused(409, FOUNDER, "POST", "matching", self.story.at(path), body)
        return str(problem["type"]).rpartition(":")[2]

    def member(self, person: str) -> Member:
        """Whom a person id stands for."""
        return self.story.cast.by_person(person)

    async def ask(self, who: Member | None, mentor: Member, executive: Member) -> Json:
        """Somebody asks for a pair; None is the coordinator."""
        body = {"mentor": mentor.person, "executive": executive.person}
        return await self._said(_login(who), "/proposals", body)

    async def problem(self, who: Member | None, mentor: Member, executive: Member, status: int = 409) -> Json:
        """What somebody is told who may not ask for a pair."""
        body = {"mentor": mentor.person, "executive": executive.person}
        return await self.web.refused(status, _login(who), "POST", "matching", self.story.at("/proposals"), body)

    async def asks(self, who: Member) -> list[Json]:
        """What somebody has asked for."""
        return await self.web.items(who.login, "matching", self.story.at("/proposals/asked"))

    async def questions(self, who: Member) -> list[Json]:
        """What somebody's answer is awaited for."""
        return await self.web.items(who.login, "matching", self.story.at("/proposals/mine"))

    async def consent(self, who: Member, ask: Json, answer: Json) -> Json:
        """Somebody answers."""
        return await self._said(who.login, f"/proposals/{ask['proposal']}/consent", dict(answer))

    async def _said(self, login: str, path: str, body: Json) -> Json:
        """Give a command, and wait until lists show what it did."""
        said = await self.web.post(login, "matching", self.story.at(path), body)
        await self.web.seen(FOUNDER, "matching", self.story.at("/pairs"), said.after)
        return dict(said.body)

    async def exclude(self, who: Member, other: Member) -> None:
        """Somebody rules out a partner."""
        await self.web.put(who.login, "matching", self.story.at(f"/exclusions/{other.person}"), {})


def _login(who: Member | None) -> str:
    return who.login if who else FOUNDER


def told(services: House, prefix: str, story: Callable[[Office], Coroutine[Any, Any, None]], capacity: int = 1) -> None:
    """Tell a story in a program of its own, with as many mentors as executives, of whom each has so many seats."""

    async def tell() -> None:
        async with Web(services.installation, patience=120) as web:
            file = roster(services.folder, executives=PEOPLE, mentors=PEOPLE, prefix=prefix, everywhere="bengaluru")
            crowd = Crowd(services, Story(web, Cast.read(file), Silence()), capacity=capacity)
            await crowd.gather()
            await story(Office(crowd))

    asyncio.run(tell())
