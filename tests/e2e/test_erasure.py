"""A person is erased everywhere, with proof, whatever was down, came late, or was built again."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer

from local import scan, stackfile
from local.stack import Stack
from local.stackfile import StackFile
from local.story.cast import FOUNDER
from local.story.web import Installation, Json, Web
from tests.e2e.erasable import OF_PEOPLE, Erasable
from tests.e2e.subscriber import Heard, read_all

pytestmark = [pytest.mark.e2e, pytest.mark.guarantee("G8")]

PATIENCE = 180.0
PEOPLE, PROFILES = "counterpoint.enrollment.people", "counterpoint.enrollment.profiles"
OTHERS = ("matching", "scheduling", "insights")


@dataclass
class Erased:
    """What was seen before, while and after somebody was erased."""

    world: Erasable
    before: scan.Found = field(default_factory=scan.Found)
    old: list[Heard] = field(default_factory=list)
    counts: list[Json] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    waited: Json = field(default_factory=dict)
    over: Json = field(default_factory=dict)


@pytest.fixture(scope="module")
def own() -> Iterator[Stack]:
    """A stack of its own: services are stopped in it, and their views built again."""
    planted = "tests.e2e.planted_service" if os.environ.get("COUNTERPOINT_TEST_PLANT") else None
    with tempfile.TemporaryDirectory(prefix="counterpoint-") as data, Stack(Path(data), through=planted) as running:
        running.start_servers()
        running.create_topics()
        running.start_services()
        running.wait_ready(120)
        yield running


def tell(told: StackFile, telling: Callable[[Web], Awaitable[Any]]) -> Any:
    """Do something over HTTP."""

    async def run() -> Any:
        async with Web(Installation.of(told), PATIENCE) as web:
            return await telling(web)

    return asyncio.run(run())


@pytest.fixture(scope="module")
def erased(own: Stack) -> Erased:
    """One person lived through everything and was erased while insights was down; then old records came late."""
    told = stackfile.read(own.data)

    async def run(web: Web) -> Erased:
        seen = Erased(Erasable(web))
        await seen.world.live()
        seen.before = scan.scan(told, [seen.world.mark])
        seen.old = [h for h in read_all(told["kafka"], [PEOPLE, PROFILES]) if seen.world.person.encode() in h.key]
        seen.counts.append(await counts(seen.world))
        await erase(own, seen)
        await send_late(told["kafka"], seen.old)
        await web.until(lambda: _tombstones(told, seen.world.person), "what came late is covered again")
        seen.counts.append(await counts(seen.world))
        return seen

    return tell(told, run)  # type: ignore[no-any-return]


async def erase(own: Stack, seen: Erased) -> None:
    """Ask while insights is down; once the others have deleted, start it again."""
    world, web = seen.world, seen.world.web
    own.stop_service("insights")
    for _ in range(2):  # asking twice is not an error
        await web.post(FOUNDER, "enrollment", world.at("/erasures"), {"person": world.person})

    async def state() -> Json:
        return dict((await web.get(FOUNDER, "enrollment", world.at(f"/erasures/{world.person}"))).body)

    async def only_insights_is_missing() -> bool:
        seen.waited = await state()
        return bool(seen.waited["missing"] == ["insights"])

    await web.until(only_insights_is_missing, "the others have deleted")
    own.start_service("insights")

    async def over() -> bool:
        seen.over = await state()
        return bool(seen.over["state"] == "erased")

    await web.until(over, "everybody has deleted, and it is proven")


async def send_late(bootstrap: str, records: list[Heard]) -> None:
    """Send what a relay would send that slept with it in its hands."""
    async with AIOKafkaProducer(bootstrap_servers=bootstrap) as producer:
        for record in records:
            if record.value:
                headers = list(record.headers.items())
                await producer.send_and_wait(record.topic, record.value, record.key, headers=headers)


async def _tombstones(told: StackFile, person: str) -> bool:
    last = {(h.topic, h.key): h.value for h in read_all(told["kafka"], [PEOPLE, PROFILES]) if person.encode() in h.key}
    return len(last) == 3 and not any(last.values())


async def counts(world: Erasable) -> Json:
    """What is counted of people and pairs, as coordinators see it."""
    web = world.web
    await web.settled()
    participations = await web.items(FOUNDER, "enrollment", world.at("/participations"))
    invitations = await web.items(FOUNDER, "enrollment", world.at("/invitations"))
    journeys = await web.items(FOUNDER, "scheduling", world.at("/journeys"))
    return {
        "participations": len(participations),
        "invitations": [(i["person"], i["answer"]) for i in invitations],
        "journeys": [(j["pair"], j["held"], j["planned"]) for j in journeys],
        "pairs": [p["pair"] for p in await web.items(FOUNDER, "matching", world.at("/pairs"))],
    }


def until_nothing_is_found(told: StackFile, mark: str, seconds: float = 180) -> scan.Found:
    """Look everywhere until the mark is nowhere on Kafka, which takes a while to tidy up."""
    deadline = time.monotonic() + seconds
    while True:
        found = scan.scan(told, [mark])
        on_kafka = [where for where in found.hits if where.startswith(("topic", "segment files"))]
        if not on_kafka or time.monotonic() > deadline:
            return found
        time.sleep(2)


def asked(told: StackFile, *arguments: str) -> str:
    """What a command prints that ends well."""
    command = [
        sys.executable,
        "-m",
        "cli.main",
        "--stack",
        str(Path(told["data"]) / "stack.json"),
        *arguments,
        "--json",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


def test_the_mark_was_everywhere_before(erased: Erased) -> None:
    assert erased.world.typed >= OF_PEOPLE - {"Coordinator/name", "Coordinator/mail"}
    hits = erased.before.hits
    everywhere = {f"topic {PEOPLE}", "collection enrollment.latest", "collection enrollment.documents"}
    everywhere |= {f"collection {service}.contents" for service in ("enrollment", "scheduling", "insights")}
    assert everywhere | {"collection scheduling.views_v1"} <= hits.keys()
    assert [where for where in hits if where.startswith("segment files")]
    assert hits["collection scheduling.contents"] == 8, "notes of both sides; ideas, promises, evidence of both"
    assert hits["collection insights.contents"] == 2


def test_a_hearer_that_was_down_is_waited_for(erased: Erased) -> None:
    waited = erased.waited
    assert (waited["state"], waited["proof"], waited["overdue"]) == ("requested", None, False)
    assert waited["deleted"].keys() == {"matching", "scheduling"}
    assert erased.over["missing"] == [] and erased.over["deleted"].keys() == set(OTHERS)
    assert erased.over["deleted"]["scheduling"] >= 8 + 2 and erased.over["deleted"]["matching"] >= 2


def test_the_proof_is_what_its_digest_says(erased: Erased) -> None:
    proven = erased.over["proven"]
    text = json.dumps(proven, sort_keys=True, separators=(",", ":"))
    assert hashlib.sha256(text.encode()).hexdigest() == erased.over["proof"]
    assert proven["confirmed"] == erased.over["deleted"] and not any(proven["left"].values())


def test_it_was_said_in_order(own: Stack, erased: Erased) -> None:
    facts = read_all(stackfile.read(own.data)["kafka"], ["counterpoint.enrollment.events"])
    of_person = [h.type for h in facts if h.key == f"org/erasure/{erased.world.person}".encode()]
    assert of_person == ["ErasureRequested", "ParticipantErased"]


def test_counts_stay_right(erased: Erased) -> None:
    before, after = erased.counts
    assert after == before and before["participations"] == 4 and len(before["pairs"]) == 1


def test_who_is_erased_is_nobody_here_and_their_pair_is_over(own: Stack, erased: Erased) -> None:
    world = erased.world

    async def run(web: Web) -> None:
        await web.refused(403, world.login, "GET", "enrollment", world.at("/participations/me"))
        journeys = await web.items(world.partner_login, "scheduling", world.at("/journeys"))
        assert [(j["state"], j["names"]["mentor"]) for j in journeys] == [("over", None)]
        board = await web.get(world.partner_login, "scheduling", world.at(f"/pairs/{world.pair}/board"))
        texts = [x["text"] for kind in ("ideas", "actions", "learning") for x in board[kind]]
        assert len(texts) == 6 and not any(texts), "the cards stay, the words are gone"
        shown = await web.get(FOUNDER, "matching", world.at(f"/rounds/{world.round}"))
        assert shown["reproducible"] is False

    tell(stackfile.read(own.data), run)


def test_nothing_is_left_and_building_again_brings_nothing_back(own: Stack, erased: Erased) -> None:
    told = stackfile.read(own.data)
    assert len([h for h in erased.old if h.value]) >= 4, "there was something to come late"
    for service in ("scheduling", "enrollment"):  # while the old records are still in their segments
        asked(told, "rebuild", service)
    found = until_nothing_is_found(told, erased.world.mark)
    assert found.hits == {}
    assert min(found.looked[kind] for kind in ("records", "documents", "segment files", "logs", "spans")) > 0
    assert json.loads(asked(told, "erase", "scan", erased.world.mark))["hits"] == {}
    status = asked(told, "erase", "status", erased.world.person, "--program", erased.world.program)
    assert json.loads(status)["state"] == "erased"


def test_what_stays_is_found_by_the_same_look(own: Stack, erased: Erased) -> None:
    with pytest.raises(AssertionError):
        asked(stackfile.read(own.data), "erase", "scan", "big.boss")
