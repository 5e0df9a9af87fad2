"""Asking for a pair directly: how it goes, what whoever asked can tell of a no, and how many pairs it makes at most."""

from __future__ import annotations

import json
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from chassis.deciding.commands import random_id
from chassis.deciding.decider import On
from contracts.matching import Origin
from contracts.types import Side
from local.story.cast import Member
from services.matching.proposal import PROPOSAL, AskForPair
from tests.programs.crowd import FOUNDER, race
from tests.programs.house import House
from tests.programs.office import Office, told

pytestmark = [pytest.mark.integration, pytest.mark.guarantee("people")]

YES, NO = {"answer": "yes"}, {"answer": "no"}


def test_an_ask_becomes_a_pair_by_the_yes_of_the_other_one(services: House) -> None:
    told(services, "asking-", _asked)


async def _asked(office: Office) -> None:
    mentors, executives = office.crowd.mentors, office.crowd.executives
    assert "not-yours" in (await office.problem(mentors[0], mentors[1], executives[1], 403))["type"]
    assert "same-person" in (await office.problem(mentors[0], mentors[0], mentors[0], 422))["type"]

    ask = await office.ask(mentors[0], mentors[0], executives[0])
    [question] = await office.questions(executives[0])
    assert question["proposal"] == ask["proposal"] and mentors[0].person not in json.dumps(question)
    assert await office.questions(mentors[0]) == []
    assert (await office.consent(executives[0], ask, YES))["state"] == "formed"
    assert [a["state"] for a in await office.asks(mentors[0])] == ["formed"]

    wish = await office.ask(executives[1], mentors[1], executives[1])
    assert [q["side"] for q in await office.questions(mentors[1])] == ["mentor"]
    assert "asked-before" in (await office.problem(executives[1], mentors[1], executives[1]))["type"]
    assert await office.questions(executives[1]) == []
    assert (await office.consent(mentors[1], wish, YES))["state"] == "formed", "the executive has said yes by asking"

    one = await office.ask(None, mentors[2], executives[2])
    assert (await office.consent(mentors[2], one, YES))["state"] == "waiting"
    assert (await office.consent(executives[2], one, YES))["state"] == "formed"
    pairs = await office.web.items(FOUNDER, "matching", office.story.at("/pairs"))
    assert len(pairs) == 3 and {p["round"] for p in pairs} == {""}


def test_who_asked_cannot_tell_an_exclusion_from_a_no_or_from_no_answer(services: House) -> None:
    told(services, "silent-", _silent)


async def _silent(office: Office) -> None:
    """Three executives ask three mentors, of whom one excludes theirs, one says no, and one does not answer."""
    mentors, executives = office.crowd.mentors[:3], office.crowd.executives[:3]
    await office.exclude(mentors[0], executives[0])
    worlds: list[list[Any]] = [[await office.ask(e, m, e)] for m, e in zip(mentors, executives, strict=True)]
    assert [len(await office.questions(m)) for m in mentors] == [0, 1, 1]
    await office.consent(mentors[1], worlds[1][0], NO)
    for moment in ("waiting", "over"):
        await office.web.settled()
        for world, mentor, executive in zip(worlds, mentors, executives, strict=True):
            world += [moment, await office.asks(executive), await office.questions(executive)]
            world.append(await office.problem(executive, mentor, executive))
            if moment == "waiting":  # the seat is promised, whatever the mentor said
                world.append(await office.problem(executive, office.crowd.mentors[3], executive))
        office.story.travel_to(office.story.now() + timedelta(days=8))
    seen = [_alike(world, office, number) for number, world in enumerate(worlds)]
    assert seen[0] == seen[1] == seen[2]
    assert [code in seen[0] for code in ("asked-before", "not-ready")] == [True, True]


def _alike(world: list[Any], office: Office, number: int) -> str:
    """What one of them was shown, without ids; all asked within the same minute."""
    text = json.dumps(world)
    people = {office.crowd.mentors[number].person: "mentor", office.crowd.executives[number].person: "executive"}
    for id, name in {**people, world[0]["proposal"]: "proposal"}.items():
        text = text.replace(id, name)
    return text.replace(world[0]["answer_by"], "then")


def test_asks_of_either_side_and_of_coordinators_race_for_one_seat(services: House) -> None:
    told(services, "seat-", _raced)


async def _raced(office: Office) -> None:
    executive, *_ = office.crowd.executives
    origins = [Origin.mentor, Origin.executive, Origin.coordinator, Origin.mentor]
    proposals = [_wished(office, m, executive, o) for m, o in zip(office.crowd.mentors, origins, strict=True)]
    last = [m if o is Origin.executive else executive for m, o in zip(office.crowd.mentors, origins, strict=True)]
    path = office.story.at("/proposals/{}/consent")
    said = await race(
        office.crowd.services,
        [(who.login, "matching", path.format(p), dict(YES)) for who, p in zip(last, proposals, strict=True)],
    )
    assert Counter((s.status, s.body["state"]) for s in said) == {(200, "formed"): 1, (200, "declined"): 3}


def _wished(office: Office, mentor: Member, executive: Member, origin: Origin) -> str:
    """An ask that was taken before the others were known; a coordinator's asks the executive alone."""
    proposal, program = random_id("pp"), office.story.program
    command = AskForPair(
        program=program,
        proposal=proposal,
        mentor=mentor.person,
        executive=executive.person,
        origin=origin,
        rules_version=1,
        score=0,
        terms={},
        after=[],
        first=Side.mentor if origin is Origin.executive else Side.executive,
        lapses=office.story.now() + timedelta(days=30),
    )
    office.crowd.run(On(PROPOSAL, PROPOSAL.stream(program, proposal), command))
    return proposal
