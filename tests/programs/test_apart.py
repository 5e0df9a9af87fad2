"""Two programs live at the same time with the same people: each is as it would be alone, and neither shows."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from bson import json_util

from contracts.profiles import PEOPLE
from contracts.streams import ORG
from local.story.web import Web, together
from local.topics import SERVICES, topic_configs
from tests.e2e.subscriber import read_all
from tests.programs import walk
from tests.programs.conftest import Lives
from tests.programs.house import House
from tests.programs.season import Season
from tests.programs.walk import ID, Caller, comparable, things_of

pytestmark = [pytest.mark.integration, pytest.mark.guarantee("G9")]

REFUSED = (403, 404)
OF_PERSONS = {"exclude_person", "lift_exclusion"}
"""Commands about somebody, who is the same person in both programs: in one's own they are one's own business."""
NEWCOMERS, NEW = 8, "new@company.example"
"""Half as many as requests are sent at a time, all with one address."""


@pytest.fixture(scope="module")
def ids(services: House, lives: Lives) -> dict[str, frozenset[str]]:
    """Every id that each program's facts have, by the program's letter; persons span programs and are left out."""
    return {each.letter: _ids(services, each.program) for each in (lives.alone, lives.first, lives.second)}


def _ids(services: House, program: str) -> frozenset[str]:
    found: set[str] = set()
    with services.root() as client:
        for service in SERVICES:
            for commit in client[f"counterpoint_{service}"]["journal"].find({"stream": {"$regex": f"^{program}/"}}):
                text = json_util.dumps(commit)
                found |= {match[0] for match in ID.finditer(text) if match[1] != "pe"}
    return frozenset(found)


def test_both_lived_at_the_same_time_and_with_the_same_people(services: House, lives: Lives) -> None:
    changes, commits = 0, 0
    with services.root() as client:
        for service in SERVICES:
            last = ""
            for commit in client[f"counterpoint_{service}"]["journal"].find({}, {"stream": 1}).sort("_id", 1):
                scope = commit["stream"].partition("/")[0]
                if scope in (lives.first.program, lives.second.program):
                    commits += 1
                    changes += scope != last
                    last = scope
    assert commits > 200 and changes > 40
    people = [{member.person for member in each.story.cast.members} for each in (lives.first, lives.second)]
    assert people[0] == people[1] and len(people[0]) > 8


def test_what_everybody_is_answered_is_what_they_would_be_answered_if_their_program_were_alone(
    services: House, lives: Lives
) -> None:
    alone = _compared(services, lives, lives.alone)
    assert sum(map(len, alone.values())) > 200
    found = {answer["status"] for answers in alone.values() for answer in answers}
    assert found == {200, 403, 404, 409}  # nobody has asked for an erasure, and no round is under review any more
    for each in (lives.first, lives.second):
        together = _compared(services, lives, each)
        assert together.keys() == alone.keys()
        for question, answers in alone.items():
            assert together[question] == answers, f"{question} in program {each.letter}"


def _compared(services: House, lives: Lives, season: Season) -> walk.Answers:
    own = {}
    with services.root() as client:
        roles = client["counterpoint_enrollment"]["journal"].distinct(
            "stream", {"stream": {"$regex": f"^{season.program}/role/"}}
        )
    shared = {member.person for member in season.story.cast.members}
    for person in sorted(stream.rpartition("/")[2] for stream in roles):
        if person not in shared:
            own[person] = "somebody"
    return {question: comparable(answers, own) for question, answers in lives.answers[season.letter].items()}


def test_no_answer_has_an_id_or_a_word_of_another_program(lives: Lives, ids: dict[str, frozenset[str]]) -> None:
    marks = {each.letter: each.mark for each in (lives.alone, lives.first, lives.second)}
    for letter, answers in lives.answers.items():
        text = json.dumps(list(answers.values()))
        told = {match[0] for match in ID.finditer(text)}
        assert told & ids[letter] and marks[letter] in text
        for other in ids.keys() - {letter}:
            assert told & ids[other] == set()
            assert marks[other] not in text


def test_nothing_that_is_kept_or_published_mixes_two_programs(
    services: House, lives: Lives, ids: dict[str, frozenset[str]]
) -> None:
    """Every document of every collection, and every record of every topic, is of one program or of none."""
    of = {id: letter for letter, each in ids.items() for id in each}
    assert len(of) == sum(map(len, ids.values())), "an id is in two programs"
    looked_at = dict.fromkeys(ids, 0)
    for where, text in [*_documents(services), *_records(services)]:
        letters = {of[match[0]] for match in ID.finditer(text) if match[0] in of}
        assert len(letters) <= 1, f"{where} is of {sorted(letters)}: {text[:500]}"
        for letter in letters:
            looked_at[letter] += 1
    assert min(looked_at.values()) > 300


def _documents(services: House) -> list[tuple[str, str]]:
    with services.root() as client:
        return [
            (f"{service}.{name}", json_util.dumps(document))
            for service in SERVICES
            for name in client[f"counterpoint_{service}"].list_collection_names()
            for document in client[f"counterpoint_{service}"][name].find()
        ]


def _records(services: House) -> list[tuple[str, str]]:
    found = read_all(services.servers.kafka, sorted(topic_configs()))
    return [(heard.topic, heard.everything().decode()) for heard in found]


def test_the_key_of_every_record_begins_with_its_scope(services: House, lives: Lives) -> None:
    programs = {each.program for each in (lives.alone, lives.first, lives.second)}
    keys = {heard.key.decode() for heard in read_all(services.servers.kafka, sorted(topic_configs()))}
    scopes = {key.partition("/")[0] for key in keys}
    persons = {scope for scope in scopes if scope.startswith("pe_")}  # of the topic of people, who span programs
    assert scopes - persons - {ORG} == programs and persons


def test_a_programs_own_people_are_refused_everything_of_another(services: House, lives: Lives) -> None:
    """Whoever is in one program only, coordinator or sponsor, asks for each operation there is, with real ids."""
    asked = asyncio.run(_trespass(services, lives.first, lives.second))
    assert len({name for name, *_ in asked}) > 40 and len(asked) > 150
    assert {status for *_, status in asked} == {403}


async def _trespass(services: House, own: Season, other: Season) -> list[tuple[str, str, int]]:
    things = things_of(services, other.program)
    before = _commits(services, other.program)
    async with Caller(services) as caller:
        asked = []
        for operation in await caller.operations():
            if "{program}" not in operation.path:
                continue
            for path in operation.paths(other.program, things):
                for who in (own.founder, own.sponsor):
                    answer = await caller.ask(who, operation, path)
                    asked.append((operation.name, who, answer.status_code))
    assert _commits(services, other.program) == before
    return asked


def test_what_belongs_to_another_program_is_not_found_in_ones_own(services: House, lives: Lives) -> None:
    """Everybody, in their own program and with every right they have there, asks for each thing of another: people
    who take part in both can do there what they can, and from here nothing."""
    asked = asyncio.run(_reach_over(services, lives.first, lives.second))
    assert len({name for name, *_ in asked}) > 20 and len(asked) > 400
    assert {status for *_, status in asked} <= set(REFUSED), [a for a in asked if a[-1] not in REFUSED]
    assert sum(status == 404 for *_, status in asked) > 200


async def _reach_over(services: House, own: Season, other: Season) -> list[tuple[str, str, int]]:
    things = things_of(services, other.program)
    before = _commits(services, other.program), _commits(services, own.program)
    async with Caller(services) as caller:
        jobs = [
            (operation.name, role, caller.ask(who, operation, path))
            for operation in await caller.operations()
            if operation.needs and "{program}" in operation.path and operation.name not in OF_PERSONS
            for path in operation.paths(own.program, things)
            for role, who in own.people().items()
        ]
        answers = await asyncio.gather(*(job for *_, job in jobs))
    assert (_commits(services, other.program), _commits(services, own.program)) == before
    return [(name, role, answer.status_code) for (name, role, _), answer in zip(jobs, answers, strict=True)]


def _commits(services: House, program: str) -> dict[str, int]:
    """How many commits each journal has of a program."""
    own: Any = {"stream": {"$regex": f"^{program}/"}}
    with services.root() as client:
        return {service: client[f"counterpoint_{service}"]["journal"].count_documents(own) for service in SERVICES}


def test_whoever_takes_part_in_both_sees_both_and_others_only_their_own(services: House, lives: Lives) -> None:
    async def programs(who: str) -> set[str]:
        async with Caller(services) as caller:
            listing = next(o for o in await caller.operations() if o.name == "my_programs")
            return {item["program"] for item in (await caller.ask(who, listing, listing.path)).json()["items"]}

    mine, both = lives.first, {lives.first.program, lives.second.program}
    assert asyncio.run(programs(mine.founder)) == {mine.program}
    assert asyncio.run(programs(mine.people()["mentor"])) >= both


def test_somebody_whom_two_programs_meet_at_the_same_moment_is_one_person(services: House, lives: Lives) -> None:
    logins = [f"newcomer.{n:02d}" for n in range(NEWCOMERS)]
    before = services.asked.conflicts
    met = asyncio.run(_meet(services, (lives.first, lives.second), logins))
    assert met[0::2] == met[1::2] and len(set(met)) == len(logins)
    assert services.asked.conflicts > before, "they never met them at the same moment"
    with services.root() as client:
        found = list(client["counterpoint_enrollment"]["latest"].find({"topic": PEOPLE, "doc.mail": NEW}))
    assert {doc["key"] for doc in found} == set(met) and len(found) == len(logins), "somebody is there twice"


async def _meet(services: House, seasons: tuple[Season, Season], logins: list[str]) -> list[str]:
    """The persons that both coordinators get for these new logins: both for one, then both for the next."""
    async with Web(services.installation, patience=60) as web:
        granted = await together(
            web.post(
                season.founder,
                "enrollment",
                f"/programs/{season.program}/roles",
                {"login": login, "name": "New Comer", "mail": NEW, "role": "trusted"},
            )
            for login in logins
            for season in seasons
        )
        return [answer["person"] for answer in granted]
