"""Many callers want the same seat, or the same hour of the same person: exactly as many get it as there is room for."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any, TypeVar

import pytest

from contracts.all import CATALOG
from contracts.fact import Fact
from contracts.matching import PairFormed, SeatFreed, SeatTaken
from contracts.scheduling import SessionScheduled, SlotFreed, SlotHeld
from local.story.cast import Member
from local.story.web import Json, Web
from services.matching.forming import pair_id
from services.scheduling.sessions.diary import DIARY
from tests.programs.crowd import MENTORS, SEATS, Crowd, Request, Said, crowd, race
from tests.programs.house import House

pytestmark = [pytest.mark.integration, pytest.mark.guarantee("running")]

T = TypeVar("T")


@pytest.fixture(scope="module")
def gathered(services: House) -> Crowd:
    """A crowd that has enrolled."""
    return _told(services, crowd_of)


async def crowd_of(services: House, web: Web) -> Crowd:
    made = crowd(services, web)
    await made.gather()
    return made


def _told(services: House, story: Callable[[House, Web], Coroutine[Any, Any, T]]) -> T:
    async def tell() -> T:
        async with Web(services.installation, patience=120) as web:
            return await story(services, web)

    return asyncio.run(tell())


def _facts(services: House, service: str, stream: str) -> list[Fact]:
    """All facts of the streams whose names begin so, in the order of each stream."""
    with services.root() as client:
        journal = client[f"counterpoint_{service}"]["journal"]
        commits = journal.find({"stream": {"$regex": f"^{stream}"}}).sort([("stream", 1), ("from", 1)])
        return [CATALOG.read(e["type"], e["v"], e["data"]) for commit in commits for e in commit["events"]]


def test_of_many_pairs_that_would_form_at_once_as_many_do_as_there_are_seats(services: House, gathered: Crowd) -> None:
    program, executive = gathered.story.program, gathered.executives[0]
    proposals = gathered.propose(executive)
    yes: Json = {"answer": "yes"}
    paths = [f"/programs/{program}/proposals/{proposal}/consent" for proposal in proposals]
    mentors = [(m.login, "matching", path, dict(yes)) for m, path in zip(gathered.mentors, paths, strict=True)]
    assert {said.body["state"] for said in asyncio.run(race(services, mentors))} == {"waiting"}
    before = services.asked.conflicts
    said = asyncio.run(race(services, [(executive.login, "matching", path, dict(yes)) for path in paths]))
    assert Counter((s.status, s.body["state"]) for s in said) == {
        (200, "formed"): SEATS,
        (200, "declined"): MENTORS - SEATS,
    }
    assert services.asked.conflicts - before > 10, "nobody was in anybody's way"
    formed = [f for f in _facts(services, "matching", f"{program}/pair/") if isinstance(f, PairFormed)]
    formed = [f for f in formed if f.executive == executive.person]
    assert {f.pair for f in formed} == {s.body["pair"] for s in said if s.body["state"] == "formed"}
    assert _most_taken(services, program, executive.person) == SEATS
    for pair in formed:
        assert _most_taken(services, program, pair.mentor) == 1


def _most_taken(services: House, program: str, person: str) -> int:
    """The most seats of one person that were ever taken at once."""
    most, taken = 0, 0
    for fact in _facts(services, "matching", f"{program}/seat/{person}_"):
        taken += isinstance(fact, SeatTaken) - isinstance(fact, SeatFreed)
        most = max(most, taken)
    return most


def test_of_many_sessions_at_the_same_hour_of_one_person_one_is_booked(services: House, gathered: Crowd) -> None:
    program, executive = gathered.story.program, gathered.executives[1]
    pairs = gathered.form(executive)
    sessions = _told(services, lambda _, web: _proposed(web, gathered, pairs))
    windows = sessions[0]["windows"]
    assert len(windows) == 3 and all(s["windows"] == windows for s in sessions), "they should want the same hours"
    before = services.asked.conflicts
    first = asyncio.run(race(services, [_book(gathered, s, 0) for s in sessions]))
    assert _outcomes(first) == {200: 1, 409: MENTORS - 1}
    left = [s for s, said in zip(sessions, first, strict=True) if said.status != 200]
    second = asyncio.run(race(services, [_book(gathered, s, 1 + n % 2) for n, s in enumerate(left)]))
    assert _outcomes(second) == {200: 2, 409: MENTORS - 3}
    assert services.asked.conflicts - before > 10, "nobody was in anybody's way"
    booked = [f for f in _facts(services, "scheduling", f"{program}/session/") if isinstance(f, SessionScheduled)]
    slots = _slots(services, program, executive.person)
    assert {f.session for f in booked} == {slot.session for slot in slots} and len(booked) == len(slots) == 3
    _overlaps_nowhere(slots)
    late = max(slot.start for slot in slots) + timedelta(days=1)
    moved = asyncio.run(race(services, [_move(gathered, slot.session, late) for slot in slots]))
    assert _outcomes(moved) == {200: 1, 409: 2}
    _overlaps_nowhere(_slots(services, program, executive.person))


async def _proposed(web: Web, crowd: Crowd, pairs: Sequence[str]) -> list[Json]:
    """The session that each pair is offered times for, once all are."""

    async def sessions() -> list[Json] | None:
        found = []
        for mentor, pair in zip(crowd.mentors, pairs, strict=True):
            found += await web.items(mentor.login, "scheduling", crowd.story.at(f"/pairs/{pair}/sessions"))
        return found if len(found) == len(pairs) else None

    return await web.until(sessions, "every pair is offered times")


def _book(crowd: Crowd, session: Json, window: int) -> Request:
    """The mentor of a session takes one of its times."""
    mentor = next(m for m in crowd.mentors if pair_of(crowd, m) == session["pair"])
    path = f"/programs/{crowd.story.program}/sessions/{session['session']}/book"
    return mentor.login, "scheduling", path, {"window": window, "channel": "video"}


def _move(crowd: Crowd, session: str, start: datetime) -> Request:
    """The executive whom all want moves a booked session, of which they saw the booking."""
    path = f"/programs/{crowd.story.program}/sessions/{session}/move"
    return crowd.executives[1].login, "scheduling", path, {"start": start.isoformat(), "if_match": '"2"'}


def pair_of(crowd: Crowd, mentor: Member) -> str:
    """The pair of a mentor with the second executive."""
    return pair_id(crowd.story.program, mentor.person, crowd.executives[1].person)


def _outcomes(said: Sequence[Said]) -> Counter[int]:
    """How often each status was answered; whoever was refused was told that the time is taken."""
    assert {s.body["type"].rpartition(":")[2] for s in said if s.status == 409} <= {"time-taken"}
    return Counter(s.status for s in said)


def _slots(services: House, program: str, person: str) -> list[SlotHeld]:
    """What one person's diary holds, by the time; that a slot is held and freed is in the journal only."""
    held: dict[str, SlotHeld] = {}
    for fact in _facts(services, "scheduling", DIARY.stream(program, person)):
        if isinstance(fact, SlotHeld):
            held[fact.session] = fact
        elif isinstance(fact, SlotFreed):
            del held[fact.session]
    return sorted(held.values(), key=lambda slot: slot.start)


def _overlaps_nowhere(slots: Sequence[SlotHeld]) -> None:
    for slot, after in pairwise(slots):
        assert slot.start + timedelta(minutes=slot.minutes) <= after.start, (slot, after)
