"""Many accept, exclude and leave at once: a seat is filled once, and how a pair ended cannot be told from outside."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine
from datetime import datetime, timedelta
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import pytest

from contracts.all import CATALOG
from contracts.fact import Fact
from contracts.matching import (
    DeclineCause,
    PairDeclined,
    PairFormed,
    PairReleased,
    PersonExcluded,
    SeatFreed,
    SeatsSet,
    SeatTaken,
)
from contracts.streams import Audience
from local.story.cast import Member
from local.story.web import Json, Web
from local.topics import SERVICES
from tests.programs import walk
from tests.programs.crowd import Crowd, Request, race, scarce
from tests.programs.house import House

pytestmark = pytest.mark.integration

T = TypeVar("T")
CALLERS = 1000
MENTORS, EXECUTIVES = 19, 7
WANTED, SHY, STILL = 1, 2, 4
"""The executive whom everybody wants, the one who excludes somebody, and the one whose mentor is away for a while."""
WORLDS = {"the mentor left the pair": 0, "the program ended it": 3, "the mentor left the program": 6}
"""How a pair ends, and which executive it happens to; the roster says the same of these three."""


@pytest.fixture(scope="module")
def gathered(services: House) -> Crowd:
    """A crowd that has enrolled."""

    async def gather(web: Web) -> Crowd:
        made = scarce(services, web, EXECUTIVES, MENTORS)
        await made.gather()
        return made

    return _told(services, gather)


def _told(services: House, story: Callable[[Web], Coroutine[Any, Any, T]]) -> T:
    async def tell() -> T:
        async with Web(services.installation, patience=120) as web:
            return await story(web)

    return asyncio.run(tell())


def _facts(services: House, prefix: str) -> dict[str, list[Fact]]:
    """All facts of matching's streams whose names begin so, by stream."""
    found: dict[str, list[Fact]] = {}
    with services.root() as client:
        commits = client["counterpoint_matching"]["journal"].find({"stream": {"$regex": f"^{prefix}"}})
        for commit in commits.sort([("stream", 1), ("from", 1)]):
            events = [CATALOG.read(e["type"], e["v"], e["data"]) for e in commit["events"]]
            found.setdefault(commit["stream"], []).extend(events)
    return found


# -- one seat ---------------------------------------------------------------------------------------------------------


@pytest.mark.guarantee("running")
@pytest.mark.guarantee("people")
def test_a_thousand_accepts_of_one_seat_make_one_pair_whoever_excludes_or_leaves_or_is_away_meanwhile(
    services: House, gathered: Crowd
) -> None:
    program, wanted = gathered.story.program, gathered.executives[WANTED]
    wanting = gathered.mentors[: MENTORS - len(WORLDS) - 3]
    excluding, excluded, leaving, pausing = wanting[:3], wanting[3:6], wanting[6:9], wanting[9:11]
    staying, going = wanting[9:], [*excluding, *excluded, *leaving]
    each = [staying[n % len(staying)] for n in range(CALLERS - len(going))] + going
    proposals = gathered.proposals(each, wanted, agreed=True)
    _told(services, lambda web: web.settled())
    accepts = [_consent(gathered, wanted, proposal) for proposal in proposals]
    others = [_exclude(gathered, m, wanted) for m in excluding] + [_exclude(gathered, wanted, m) for m in excluded]
    others += [(m.login, "enrollment", gathered.story.at("/participations/me/withdraw"), {}) for m in leaving]
    others += [_pause(gathered, m) for m in pausing]
    before = services.asked.conflicts
    said = asyncio.run(race(services, [*accepts[:8], *others, *accepts[8:]]))
    assert services.asked.conflicts - before > 10, "nobody was in anybody's way"
    assert {s.status for s in said[8 : 8 + len(others)]} == {200, 201}, "something was refused that needs nothing"
    answers = Counter(s.body.get("state", s.body.get("type")) for s in said if s.who == wanted.login)
    assert answers["formed"] and answers["declined"], answers
    _told(services, lambda web: web.settled())
    pairs = [facts for facts in _facts(services, f"{program}/pair/").values() if _of(wanted, facts)]
    assert sum(not isinstance(facts[-1], PairReleased) for facts in pairs) == 1
    assert {s.body["pair"] for s in said if s.body.get("state") == "formed"} == {_of(wanted, facts) for facts in pairs}
    seats = _facts(services, f"{program}/seat/")
    for facts in seats.values():
        _never_overrun(facts)
    own = seats[f"{program}/seat/{wanted.person}_executive"]
    assert sum(isinstance(f, SeatTaken) for f in own) == len(pairs) <= 1 + len(leaving), "only who left made room"
    assert {f.other for f in own if isinstance(f, PersonExcluded)} == {m.person for m in excluded}
    causes = Counter(
        f.cause for facts in _facts(services, f"{program}/proposal/").values() for f in facts
        if isinstance(f, PairDeclined)
    )  # fmt: skip
    for cause in (DeclineCause.seat_taken, DeclineCause.declined):
        assert causes[cause], f"nothing was {cause}"
    paired = {facts[0].mentor for facts in pairs if isinstance(facts[0], PairFormed)}
    away = [m for m in pausing if m.person not in paired]
    late = gathered.proposals(away, wanted, agreed=True)
    told = asyncio.run(race(services, [_consent(gathered, wanted, proposal) for proposal in late]))
    assert [(s.status, str(s.body["type"]).rpartition(":")[2]) for s in told] == [(409, "paused")] * len(away)


def _of(executive: Member, facts: list[Fact]) -> str | None:
    """The pair that these facts are of, where it is the executive's."""
    formed = facts[0]
    return formed.pair if isinstance(formed, PairFormed) and formed.executive == executive.person else None


def _never_overrun(facts: list[Fact]) -> None:
    """No seat is taken that is not there, nor after the person has left, nor while they are away."""
    capacity, taken, paused = 0, 0, False
    for fact in facts:
        match fact:
            case SeatsSet():
                capacity, paused = fact.capacity, bool(fact.paused)
            case SeatTaken():
                taken += 1
                assert taken <= capacity and not paused
            case SeatFreed():
                taken -= 1


@pytest.mark.guarantee("people")
def test_of_a_yes_and_an_exclusion_at_once_one_comes_first(services: House, gathered: Crowd) -> None:
    """After the exclusion nothing forms; a pair that was quicker stays until somebody leaves it."""
    executive, mentor = gathered.executives[SHY], gathered.mentors[-1]
    program, seats = gathered.story.program, f"{gathered.story.program}/seat/{executive.person}_executive"
    proposals = gathered.proposals([mentor] * 8, executive, agreed=True)
    requests = [_consent(gathered, executive, proposal) for proposal in proposals]
    said = asyncio.run(race(services, [*requests[:4], _exclude(gathered, mentor, executive), *requests[4:]]))
    assert said[4].status == 200
    pair = said[4].body["pair"]
    order = [type(f) for f in _facts(services, f"{program}/seat/{mentor.person}_mentor").popitem()[1]]
    taken = SeatTaken in order
    assert bool(pair) == taken
    assert not taken or order.index(SeatTaken) < order.index(PersonExcluded)
    assert taken == any(isinstance(f, SeatTaken) for f in _facts(services, seats)[seats])


@pytest.mark.guarantee("people")
def test_an_exclusion_is_shown_to_who_set_it_and_to_nobody_else(services: House, gathered: Crowd) -> None:
    _told(services, lambda web: _excluded(web, services, gathered))


async def _excluded(web: Web, services: House, crowd: Crowd) -> None:
    executive, mentor, at = crowd.executives[SHY], crowd.mentors[-2], crowd.story.at
    one, all_own = at(f"/exclusions/{mentor.person}"), at("/exclusions")
    [proposal] = crowd.proposals([mentor], executive)
    for _ in range(2):
        told = await web.put(executive.login, "matching", one, {})
    assert (told.body["pair"], told.after) == (None, ()), "who excludes was told that somebody has been asked"
    assert await web.items(executive.login, "matching", all_own) == [{"person": mentor.person}]
    for who in (mentor.login, crowd.founder):
        assert await web.items(who, "matching", all_own) == []
    no: Json = {"answer": "no"}
    path = at(f"/proposals/{proposal}/consent")
    assert (await web.post(mentor.login, "matching", path, no)).body["state"] == "declined"
    assert (await web.refused(409, mentor.login, "POST", "matching", path, {"answer": "yes"}))["title"]
    later = crowd.proposals([mentor], executive, agreed=True)
    await web.settled()
    shown = await web.items(executive.login, "matching", at("/proposals/mine"))
    assert later[0] not in [item["proposal"] for item in shown], "who excludes is asked all the same"
    with services.root() as client:
        sealed = client["counterpoint_matching"]["journal"].find({"stream": {"$regex": "/seat/"}, "pending": True})
        assert list(sealed) == [], "something sealed waits to be published"
    await web.delete(executive.login, "matching", one)
    assert await web.items(executive.login, "matching", all_own) == []


def _consent(crowd: Crowd, who: Member, proposal: str) -> Request:
    return who.login, "matching", crowd.story.at(f"/proposals/{proposal}/consent"), {"answer": "yes"}


def _pause(crowd: Crowd, who: Member) -> Request:
    today = crowd.story.now().astimezone(ZoneInfo(who.zone)).date()
    return who.login, "enrollment", crowd.story.at("/participations/me/pauses"), {"starts": today.isoformat()}


def _exclude(crowd: Crowd, who: Member, whom: Member) -> Request:
    return who.login, "matching", crowd.story.at(f"/exclusions/{whom.person}"), {"method": "PUT"}


# -- leaving ----------------------------------------------------------------------------------------------------------


@pytest.mark.guarantee("people")
def test_the_executives_world_is_the_same_whoever_ended_the_pair(services: House, gathered: Crowd) -> None:
    """Everything that the executive is answered by all four services, and every published fact that names the two."""
    worlds = _told(services, lambda web: _worlds(web, services, gathered))
    left, *others = WORLDS
    for other in others:
        for about in worlds[left]:
            assert worlds[other][about] == worlds[left][about], f"{other}: {about} tells it"


async def _worlds(web: Web, services: House, crowd: Crowd) -> dict[str, dict[str, Any]]:
    """What there is to see, by how the pair ended and what it is about."""
    mentors = dict(zip(WORLDS, crowd.mentors[MENTORS - 2 - len(WORLDS) :], strict=False))
    pairs = {how: crowd.join(mentors[how], crowd.executives[n]) for how, n in WORLDS.items()}
    await web.settled()
    left, ended, gone = WORLDS
    path = crowd.story.at("/pairs/{}")
    reason: Json = {"reason": "nobody looks at this"}
    for _ in range(2):
        await web.post(mentors[left].login, "matching", path.format(pairs[left]) + "/leave", reason, If_Match='"77"')
    seen = await web.get(crowd.founder, "matching", path.format(pairs[ended]))
    await web.post(crowd.founder, "matching", path.format(pairs[ended]) + "/end", If_Match=seen.etag)
    await web.post(mentors[gone].login, "enrollment", crowd.story.at("/participations/me/withdraw"))
    await web.post(mentors[gone].login, "matching", path.format(pairs[gone]) + "/leave")  # who has left the program can
    await web.settled()
    found = {}
    for how, pair in pairs.items():
        executive, mentor = crowd.executives[WORLDS[how]], mentors[how]
        seats = _facts(services, f"{crowd.story.program}/seat/{executive.person}_executive").popitem()[1]
        told = {"published": _published(services, pair), "its place in the queue": [type(f).__name__ for f in seats]}
        told |= await _answers(services, crowd, executive, pair)
        found[how] = {key: walk.comparable(value, _names(executive, mentor)) for key, value in told.items()}
    return found


def _names(executive: Member, mentor: Member) -> dict[str, str]:
    """What is different between any two pairs of people."""
    both = {"the executive": executive, "the mentor": mentor}
    return {key: word for word, m in both.items() for key in (m.person, m.name, m.login, m.employee)}


async def _answers(services: House, crowd: Crowd, executive: Member, pair: str) -> dict[str, Any]:
    """What the executive is answered wherever anything can be asked for, about their own pair and anything else."""
    things = walk.things_of(services, crowd.story.program)
    about = {p for facts in _facts(services, f"{crowd.story.program}/proposal/").values() for p in _proposals(facts)}
    things |= {"pair": [pair], "session": _sessions(services, pair), "person": [executive.person]}
    things["proposal"] = sorted(about)[:3]
    answers: dict[str, Any] = {}
    async with walk.Caller(services) as caller:
        for operation in await caller.operations():
            if operation.method == "GET" and "{program}" in operation.path and things.keys() >= {*operation.needs}:
                for path in operation.paths(crowd.story.program, things):
                    answer = await caller.ask(executive.login, operation, path)
                    answers.setdefault(operation.name, []).append([answer.status_code, answer.json()])
    return answers


def _proposals(facts: list[Fact]) -> set[str]:
    return {str(getattr(f, "proposal", "")) for f in facts}


def _sessions(services: House, pair: str) -> list[str]:
    with services.root() as client:
        journal = client["counterpoint_scheduling"]["journal"]
        streams = journal.distinct("stream", {"stream": {"$regex": "/session/"}, "events.data": {"$regex": pair}})
    return sorted(stream.rpartition("/")[2] for stream in streams)


def _published(services: House, pair: str) -> list[Any]:
    """Every fact that others may hear and that names the pair, in the order of each stream."""
    found = []
    with services.root() as client:
        for service in SERVICES:
            for commit in client[f"counterpoint_{service}"]["journal"].find({"events.data": {"$regex": pair}}):
                category = CATALOG.categories[commit["stream"].split("/")[1]]
                if category.audience is not Audience.sealed:
                    found += [[e["type"], e["data"]] for e in commit["events"]]
    return found


# -- being away, and becoming another ---------------------------------------------------------------------------------


@pytest.mark.guarantee("people")
def test_a_pair_stands_still_while_somebody_is_away_and_is_flagged_when_it_breaks_a_rule(
    services: House, gathered: Crowd
) -> None:
    executive, mentor = gathered.executives[STILL], gathered.mentors[MENTORS - len(WORLDS) - 3]
    pair = gathered.join(mentor, executive)
    _told(services, lambda web: _away(web, gathered, pair, mentor, executive))
    _told(services, lambda web: _flagged(web, gathered, pair, mentor, executive))


async def _away(web: Web, crowd: Crowd, pair: str, mentor: Member, executive: Member) -> None:
    """Nothing is planned for those days, and all goes on when both are back."""
    at, pauses = crowd.story.at, crowd.story.at("/participations/me/pauses")
    today = crowd.story.now().astimezone(ZoneInfo(mentor.zone)).date()

    async def sessions(*states: str) -> list[Json]:
        found = await web.items(mentor.login, "scheduling", at(f"/pairs/{pair}/sessions"))
        return [session for session in found if session["state"] in states]

    async def still(paused: bool) -> bool:
        return (await web.get(executive.login, "matching", at(f"/pairs/{pair}")))["paused"] is paused

    await web.until(lambda: sessions("proposed"), "times are offered")
    pause = (await web.post(mentor.login, "enrollment", pauses, {"starts": today.isoformat()}))["pause"]
    await web.until(lambda: still(True), "the pair stands still")
    await web.settled()
    listed = await web.items(crowd.founder, "enrollment", at("/participations"))
    assert [(p["away"], p["back"]) for p in listed if p["person"] == mentor.person] == [(True, None)]
    assert [p["away"] for p in listed if p["person"] == executive.person] == [False]
    assert not await sessions("proposed", "scheduled"), "somebody is waited for who is away"
    later = {"starts": (today + timedelta(days=1)).isoformat(), "until": (today + timedelta(days=60)).isoformat()}
    await web.post(executive.login, "enrollment", pauses, later)
    await web.settled()
    await web.delete(mentor.login, "enrollment", f"{pauses}/{pause}")
    await web.until(lambda: still(False), "the pair goes on")
    [offered] = await web.until(lambda: sessions("proposed"), "times are offered again")
    first = min(datetime.fromisoformat(window["start"]) for window in offered["windows"])
    assert first.astimezone(ZoneInfo(executive.zone)).date() >= today + timedelta(days=60)


async def _flagged(web: Web, crowd: Crowd, pair: str, mentor: Member, executive: Member) -> None:
    """By what one of the two says, and by what a roster says of the other; and cleared again."""
    at, profile = crowd.story.at, crowd.story.at("/participations/me/profile")

    async def flags(*wanted: str) -> bool:
        shown = await web.get(crowd.founder, "matching", at(f"/pairs/{pair}"))
        asked = await web.items(crowd.founder, "insights", at("/attention"))
        return sorted(shown["flags"]) == sorted(wanted) == sorted(a["reason"] for a in asked if a["pair"] == pair)

    await web.until(lambda: flags(), "nothing is wrong")
    await web.patch(mentor.login, "enrollment", profile, {"languages": ["pt"]})
    await web.until(lambda: flags("language"), "they cannot talk to each other")
    rows = [row.split(",") for row in crowd.story.cast.text.splitlines()]
    level = rows[0].index("level")
    moved = [[*row[:level], "3", *row[level + 1 :]] if row[0] == executive.employee else row for row in rows]
    roster = "\n".join(",".join(row) for row in moved)
    await web.post(crowd.founder, "enrollment", at("/roster"), roster)
    await web.until(lambda: flags("language", "level"), "they are too near to each other")
    await web.patch(mentor.login, "enrollment", profile, {"languages": ["en", "pt"]})
    await web.until(lambda: flags("level"), "they can talk to each other")
    assert "flags" not in (await web.get(executive.login, "matching", at(f"/pairs/{pair}"))).body
    assert (await web.refused(403, executive.login, "GET", "insights", at("/attention")))["title"]
