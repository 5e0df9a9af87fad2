"""Two programs with the same people: who was a pair in one is none in the other, and the other is not told why."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from local.story.cast import Cast
from local.story.state import Silence, Story
from local.story.web import Json, Web, together
from tests.programs.crowd import FOUNDER, Crowd, Request, race
from tests.programs.house import House
from tests.programs.office import PEOPLE, Office
from tests.programs.season import roster

pytestmark = [pytest.mark.integration, pytest.mark.guarantee("G9")]

YES: Json = {"answer": "yes"}


def test_whoever_was_a_pair_in_one_program_is_none_in_another_also_at_the_same_moment(services: House) -> None:
    async def story() -> None:
        async with Web(services.installation, patience=120) as web:
            file = roster(services.folder, PEOPLE, PEOPLE, prefix="met-", everywhere="bengaluru")
            casts = [Cast.read(file) for _ in range(2)]
            north, south = (Office(Crowd(services, Story(web, cast, Silence()), capacity=1)) for cast in casts)
            for office in (north, south):  # a roster's people are the same in both
                await office.crowd.gather()
            await _meet(north)
            await _apart(north, south)
            await _race(services, north, south)

    asyncio.run(story())


async def _meet(north: Office) -> None:
    """The first two become a pair."""
    mentor, executive = north.crowd.mentors[0], north.crowd.executives[0]
    ask = await north.ask(None, mentor, executive)
    await north.consent(mentor, ask, YES)
    assert (await north.consent(executive, ask, YES))["state"] == "formed"


async def _apart(north: Office, south: Office) -> None:
    """The other program does not let them meet again, as it would not where one is above the other."""
    mentor, executive = south.crowd.mentors[0], south.crowd.executives[0]
    assert mentor.person == north.crowd.mentors[0].person
    for who in (None, mentor, executive):
        assert (await south.problem(who, mentor, executive))["type"].endswith("not-possible")
    found = await south.solve()
    assert len(found) == PEOPLE
    assert (mentor.person, executive.person) not in {(p["mentor"], p["executive"]) for p in found}
    query = f"mentor={mentor.person}&executive={executive.person}"
    why = (await south.get(f"/rounds/{south.round}/explanation?{query}")).body
    assert (why["answer"], why["rule"], why["terms"]) == ("rule", "apart", [])


async def _race(services: House, north: Office, south: Office) -> None:
    """Of two programs in which the same two say yes at the same moment, one has the pair."""
    others = range(1, PEOPLE)
    asked = {
        (n, office.story.program): office.crowd.proposals(
            [office.crowd.mentors[n]], office.crowd.executives[n], agreed=True
        )
        for n in others
        for office in (north, south)
    }
    requests: list[Request] = [
        (south.crowd.executives[n].login, "matching", f"/programs/{program}/proposals/{proposal}/consent", dict(YES))
        for (n, program), [proposal] in asked.items()
    ]
    said = await race(services, requests)
    assert {s.status for s in said} == {200}
    assert [Counter(s.body["state"] for s in said[k : k + 2]) for k in range(0, len(said), 2)] == [
        {"formed": 1, "declined": 1} for _ in others
    ]
    await north.web.settled()
    lists = await together(north.web.items(FOUNDER, "matching", office.story.at("/pairs")) for office in (north, south))
    pairs = [(p["mentor"], p["executive"]) for items in lists for p in items]
    assert len(pairs) == len(set(pairs)) == PEOPLE
