"""Insights alone, fed by Kafka and asked over HTTP: what is said stays sealed, and figures are published once."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiokafka import AIOKafkaConsumer

from chassis.deciding.commands import random_id
from chassis.deciding.journal import GENESIS, Event, chain
from chassis.distributing.producer import Outgoing, Producer
from chassis.distributing.slots import partition_of
from chassis.running.program import build
from chassis.running.runtime import Runtime
from chassis.running.settings import Settings
from contracts.enrollment import PROGRAM as PROGRAMS
from contracts.enrollment import ROLE, ProgramOpened, Role, RoleGranted, Rules
from contracts.envelope import Envelope, from_headers, to_headers
from contracts.fact import Fact
from contracts.profiles import PROFILES, REFERENCE, Profile, Reference, ReferenceKind
from contracts.types import Side
from local import clock
from local.environment import key_file
from local.tokens import AUDIENCE, ISSUER, jwks_file, mint
from local.topics import PARTITIONS, create_topics
from services.insights import views
from services.insights.service import SERVICE
from tests.infrastructure import Infra
from tests.integration.kit import until

pytestmark = pytest.mark.integration
MENTORS, EXECUTIVES = 12, 6


class Insights:
    """The running service, its program, and whoever calls it."""

    def __init__(self, http: httpx.AsyncClient, runtime: Runtime, folder: Path) -> None:
        self.http = http
        self.runtime = runtime
        self.folder = folder
        self.program = random_id("pr")
        self.people = {
            login: random_id("pe")
            for login in ("boss", *(f"m{n}" for n in range(MENTORS)), *(f"e{n}" for n in range(EXECUTIVES)))
        }

    async def ask(self, method: str, who: str, path: str, body: Any = None, key: str | None = None) -> httpx.Response:
        headers = {"Authorization": f"Bearer {mint(self.folder, who)}"} | ({"Idempotency-Key": key} if key else {})
        headers["traceparent"] = f"00-{'ab' * 16}-{'cd' * 8}-01"
        url = f"/insights/v1/programs/{self.program}{path}"
        return await self.http.request(method, url, json=body, headers=headers)

    def records(self) -> dict[str, list[Outgoing]]:
        """What the other services would have said of the program."""
        opens = ProgramOpened(
            program=self.program,
            rules=Rules(),
            rules_version=1,
            opens=date(2027, 1, 1),
            closes=date(2027, 12, 31),
            floor_numbers=5,
            floor_words=10,
        )
        boss = self.people["boss"]
        tag = Reference(rev=1, program=self.program, kind=ReferenceKind.tag, id="tools", labels={"en": "Tools"})
        return {
            PROGRAMS.topic or "": [said(opens, PROGRAMS.stream(self.program, self.program))],
            ROLE.topic or "": [
                said(
                    RoleGranted(program=self.program, person=boss, role=Role.coordinator),
                    ROLE.stream(self.program, boss),
                )
            ],
            REFERENCE: [Outgoing(f"{self.program}/tag/tools".encode(), tag.encode().encode(), [])],
            PROFILES: [
                Outgoing(f"{self.program}/{person}".encode(), self.profile(login).encode().encode(), [])
                for login, person in self.people.items()
            ],
        }

    def profile(self, login: str) -> Profile:
        sides = {"m": [Side.mentor], "e": [Side.executive]}.get(login[0], [])
        return Profile(
            rev=1,
            program=self.program,
            person=self.people[login],
            subject=self.runtime.tokens.subject_hash(login),
            sides=sides,
            level=3,
            function="sales",
            site="pune",
            zone="Asia/Kolkata",
            languages=["en"],
        )

    async def journal(self, category: str) -> list[dict[str, Any]]:
        query = {"stream": {"$regex": f"^{self.program}/{category}/"}}
        found: list[dict[str, Any]] = await self.runtime.database.collection("journal").find(query).to_list(None)
        return found


def said(fact: Fact, stream: str) -> Outgoing:
    at, data = datetime(2027, 1, 1, tzinfo=UTC), fact.encode()
    envelope = Envelope(
        service=fact.category.service,
        type=type(fact).__name__,
        v=fact.v,
        stream=stream,
        version=1,
        at=at,
        digest=chain(GENESIS, stream, 1, at, [Event(type(fact).__name__, fact.v, data)]),
        commit="c",
        first=1,
        last=1,
        command="c",
        correlation="c",
    )
    return Outgoing(stream.encode(), data.encode(), to_headers(envelope))


@pytest.fixture(scope="module")
async def insights(infra: Infra, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Insights]:
    create_topics(infra.kafka)
    folder, database = tmp_path_factory.mktemp("insights"), infra.database()
    clock.advance(folder / "clock.json", timedelta())
    settings = Settings(
        environment="local",
        kafka_bootstrap=infra.kafka,
        mongo_uri=database.uri,
        mongo_database=database.name,
        issuer=ISSUER,
        audience=AUDIENCE,
        jwks=str(jwks_file(folder)),
        subject_key_file=key_file(folder, "subject"),
        content_key_file=key_file(folder, "content"),
        clock_file=folder / "clock.json",
        partitions=PARTITIONS,
    )
    app = build(SERVICE, settings)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://insights") as http,
    ):
        running = Insights(http, app.state.runtime, folder)
        producer = Producer(infra.kafka)
        await producer.start()
        for topic, records in running.records().items():
            for record in records:
                await producer.send(topic, partition_of((record.key or b"").decode(), PARTITIONS), [record])
        await producer.close()

        async def known() -> bool:
            heard = running.runtime.inbox.reader
            return bool(
                await heard.find(views.PROGRAMS, running.program)
                and await heard.find(views.ROLES, running.program)
                and await heard.find_latest(views.REFERENCES, running.program)
                and len(await heard.find_latest(views.PROFILES, running.program)) == len(running.people)
            )

        await until(known, 30)
        yield running


@pytest.mark.guarantee("people")
async def test_a_pulse_names_nobody_and_leaves_the_service_never(insights: Insights, infra: Infra) -> None:
    for n in range(MENTORS):
        given = await insights.ask("POST", f"m{n}", "/pulses", {"kind": "respect", "value": 3 + n % 3})
        assert (given.status_code, given.json()) == (201, {"after": []})
    kept = await insights.journal("pulse")
    assert len(kept) == MENTORS
    for commit in kept:
        assert set(commit["meta"]) == {"correlation"}, "neither who, nor from which request"
        assert "pending" not in commit
    assert not any(person in json.dumps(kept, default=str) for person in insights.people.values())
    assert "abababab" not in json.dumps(kept, default=str)


async def test_a_question_is_answered_once_a_month(insights: Insights) -> None:
    first = await insights.ask("POST", "e0", "/pulses", {"kind": "in_tune", "value": 3})
    same = await insights.ask("POST", "e0", "/pulses", {"kind": "in_tune", "value": 3})
    other = await insights.ask("POST", "e0", "/pulses", {"kind": "in_tune", "value": 4})
    assert [a.status_code for a in (first, same, other)] == [201, 201, 409]
    assert other.json()["type"].endswith("already-answered")
    wrong = await insights.ask("POST", "e0", "/pulses", {"kind": "in_tune", "value": 3, "side": "mentor"})
    assert (wrong.status_code, wrong.json()["errors"][0]["pointer"]) == (422, "/side")


@pytest.mark.guarantee("people")
async def test_words_are_encrypted_and_one_voice_counts_once(insights: Insights) -> None:
    ids = set()
    for n, words in enumerate(["the tools are slow", "and old"]):
        body = {"theme": "tools", "text": words}
        told = [await insights.ask("POST", "m0", "/insights", body, key=f"k{n}") for _ in range(2)]
        assert [a.status_code for a in told] == [201, 201]
        ids |= {a.json()["insight"] for a in told}
    assert len(ids) == 1
    assert len(await insights.journal("insight")) == 2, "each text once, however often it was sent"
    kept = await insights.runtime.database.collection("contents").find({}).to_list(None)
    assert len(kept) == 2
    assert all(b"tools" not in bytes(each["sealed"]) for each in kept)
    assert all(each["at"].time().isoformat() == "00:00:00" and each["at"].weekday() == 0 for each in kept)
    for n in range(1, 10):
        assert (await insights.ask("POST", f"m{n}", "/insights", {"theme": "tools"})).status_code == 201
    assert (await insights.ask("POST", "m0", "/insights", {"theme": "gossip"})).status_code == 422


@pytest.mark.guarantee("people")
async def test_figures_are_published_once_and_only_what_was_published_is_read(insights: Insights, infra: Infra) -> None:
    today = clock.now(insights.folder / "clock.json").date()
    period = {"kind": "health", "first": str(today - timedelta(days=30)), "last": str(today)}
    early = await insights.ask("POST", "boss", "/reports", period)
    assert (early.status_code, early.json()["type"].rpartition(":")[2]) == (409, "period-not-over")
    clock.advance(insights.folder / "clock.json", timedelta(days=7))
    at_once = await asyncio.gather(*(insights.ask("POST", "boss", "/reports", period) for _ in range(4)))
    assert {a.status_code for a in at_once} == {201}
    assert len({a.text for a in at_once}) == 1
    report = at_once[0].json()["report"]
    read = await insights.ask("GET", "boss", f"/reports/{report}")
    shown = {
        (table["table"], row["key"], cell["column"]): cell["shown"]
        for table in read.json()["tables"]
        for row in table["rows"]
        for cell in row["cells"]
    }
    assert shown["pulses", "respect", "mentor_answers"] == str(MENTORS)
    assert shown["pulses", "respect", "mentor_mean"] == "4.0"
    assert shown["pulses", "in_tune", "executive_mean"] == "hidden: fewer than 5"
    assert shown["themes", "tools", "people"] == "10-19"
    overlapping = await insights.ask("POST", "boss", "/reports", period | {"first": period["last"]})
    assert overlapping.json()["type"].rpartition(":")[2] == "period-overlaps"
    assert len(await insights.journal("report")) == 1
    assert await said_aloud(infra, insights.program) == {
        ("ReportPublished", f"{insights.program}/report/health", None),
        ("ThemePublished", f"{insights.program}/theme/tools", None),
    }


async def said_aloud(infra: Infra, program: str) -> set[tuple[str, str, str | None]]:
    """Type, stream and trace of everything insights published of the program, once both facts are there."""
    found: set[tuple[str, str, str | None]] = set()
    consumer = AIOKafkaConsumer(
        "counterpoint.insights.events",
        "counterpoint.insights.internal",
        bootstrap_servers=infra.kafka,
        auto_offset_reset="earliest",
    )
    await consumer.start()
    try:
        async with asyncio.timeout(20):
            while len(found) < 2:
                for records in (await consumer.getmany(timeout_ms=500)).values():
                    envelopes = [from_headers(record.headers) for record in records]
                    found |= {(e.type, e.stream, e.traceparent) for e in envelopes if e.scope == program}
    finally:
        await consumer.stop()
    return found
