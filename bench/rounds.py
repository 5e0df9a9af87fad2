"""`python -m bench.rounds [people a side]`: a round in the running system, from the request to its result."""

from __future__ import annotations

import asyncio
import hashlib
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.table import Table

from chassis.deciding.commands import new_commit_id, random_id
from chassis.deciding.journal import GENESIS, Commit, Event, Meta
from chassis.distributing.producer import Outgoing, Producer
from chassis.distributing.relay import outgoing
from chassis.distributing.slots import partition_of
from chassis.running.auth import Tokens
from chassis.running.settings import Settings
from contracts.enrollment import (
    PARTICIPATION,
    PROGRAM,
    ROLE,
    CharterAccepted,
    ExecutiveEnrolled,
    MentorEnrolled,
    ProgramOpened,
    Role,
    RoleGranted,
    Rules,
)
from contracts.fact import Fact
from contracts.profiles import PROFILES, Channel, Profile, WeeklyWindow
from contracts.types import Side
from local.environment import key_file
from local.stack import Stack
from local.tokens import AUDIENCE, ISSUER, jwks_file, mint
from local.topics import PARTITIONS

RUNS = 5
COORDINATOR = "coordinator"
THEMES = [f"theme-{n}" for n in range(40)]


class Company:
    """A program of so many on each side, as enrollment would tell of it."""

    def __init__(self, people: int, subject: str) -> None:
        self.program, self._subject, self._chance = random_id("pr"), subject, random.Random(people)
        self.mentors, self.executives = ([random_id("pe") for _ in range(people)] for _ in "me")

    def records(self) -> Iterator[tuple[str, Outgoing]]:
        """Everything, by topic."""
        program, boss = self.program, random_id("pe")
        today = datetime.now(UTC).date()
        opened = ProgramOpened(
            program=program, rules=Rules(), rules_version=1, opens=today, closes=today + timedelta(days=180),
            floor_numbers=5, floor_words=10,
        )  # fmt: skip
        yield from self._said(PROGRAM.stream(program, program), opened)
        granted = RoleGranted(program=program, person=boss, role=Role.coordinator)
        yield from self._said(ROLE.stream(program, boss), granted)
        yield self._profile(Profile(rev=1, program=program, person=boss, subject=self._subject, zone="UTC"))
        for side, people in ((Side.mentor, self.mentors), (Side.executive, self.executives)):
            for person in people:
                enrolled = (MentorEnrolled if side is Side.mentor else ExecutiveEnrolled)(
                    program=program, person=person, profile_rev=1, capacity=1
                )
                accepted = CharterAccepted(program=program, person=person, charter_version=Rules().charter_version)
                yield self._profile(self._somebody(person, side))
                yield from self._said(PARTICIPATION.stream(program, person), enrolled, accepted)

    def _somebody(self, person: str, side: Side) -> Profile:
        chance, mentor = self._chance, side is Side.mentor
        first = chance.randrange(32, 44)
        return Profile(
            rev=1, program=self.program, person=person, sides=[side],
            subject=hashlib.sha256(person.encode()).hexdigest(),
            level=chance.randint(1, 3) if mentor else chance.randint(6, 9),
            function=f"function-{chance.randrange(8)}", site=f"site-{chance.randrange(6)}",
            zone=chance.choice(["Europe/Berlin", "Europe/Madrid", "Africa/Lagos"]),
            languages=["en", chance.choice(["de", "es", "fr"])],
            offers=chance.sample(THEMES, 4), seeks=chance.sample(THEMES, 4),
            line=chance.sample(self.executives, 3) if mentor else [], line_complete=True,
            channels=[Channel.video], windows=[WeeklyWindow(weekday=d, first=first, last=first + 20) for d in range(5)],
        )  # fmt: skip

    def _profile(self, profile: Profile) -> tuple[str, Outgoing]:
        return PROFILES, Outgoing(f"{profile.program}/{profile.person}".encode(), profile.encode().encode(), [])

    def _said(self, stream: str, *facts: Fact) -> Iterator[tuple[str, Outgoing]]:
        events = tuple(Event(type(f).__name__, f.v, f.encode()) for f in facts)
        at = datetime.now(UTC).replace(microsecond=0)
        commit = Commit(new_commit_id(), stream, 1, "bench", "bench", GENESIS, at, Meta("bench"), events)
        for record in outgoing("enrollment", commit):
            yield facts[0].category.topic or "", record


async def tell(kafka: str, company: Company) -> None:
    """Put everything on Kafka, in batches by partition."""
    batches: dict[tuple[str, int], list[Outgoing]] = {}
    for topic, record in company.records():
        batches.setdefault((topic, partition_of((record.key or b"").decode(), PARTITIONS)), []).append(record)
    producer = Producer(kafka)
    await producer.start()
    for (topic, partition), records in batches.items():
        for at in range(0, len(records), 200):
            await producer.send(topic, partition, records[at : at + 200])
    await producer.close()


async def measure(stack: Stack, people: int) -> list[dict[str, float]]:
    """Of each round: seconds from the request to its answer and to the result, and of the solver alone."""
    settings: Any = {"kafka_bootstrap": stack.servers.kafka, "mongo_uri": "mongodb://unused", "issuer": ISSUER}
    settings |= {"audience": AUDIENCE, "jwks": str(jwks_file(stack.data)), "environment": "local"}
    settings |= {"subject_key_file": key_file(stack.data, "subject")}
    company = Company(people, Tokens(Settings(**settings)).subject_hash(COORDINATOR))
    await tell(stack.servers.kafka, company)
    path = f"{stack.urls['matching']}/matching/v1/programs/{company.program}/rounds"
    headers = {"Authorization": f"Bearer {mint(stack.data, COORDINATOR)}"}
    async with httpx.AsyncClient(timeout=120, trust_env=False, headers=headers) as http:
        found = []
        for _ in range(RUNS):
            await _settled(http, stack.urls["matching"])
            found.append(await _round(http, path))
        return found


async def _settled(http: httpx.AsyncClient, url: str) -> None:
    """Wait until matching has heard everything, and done what it calls for."""
    quiet = 0
    while quiet < 5:
        lag = (await http.get(f"{url}/health/lag")).json()
        done = not lag["tasks"]["due"] and not any(item["behind"] for item in lag["items"]) and lag["items"]
        quiet = quiet + 1 if done else 0
        await asyncio.sleep(0.2)


async def _round(http: httpx.AsyncClient, path: str) -> dict[str, float]:
    began = time.perf_counter()
    answer = await http.post(path, json={"kind": "cohort"})
    answer.raise_for_status()
    opened, here = time.perf_counter() - began, f"{path}/{answer.json()['round']}"
    while (found := (await http.get(here)).json())["state"] != "solved":  # noqa: ASYNC110 - as a caller does
        await asyncio.sleep(0.03)
    solved = time.perf_counter() - began
    (await http.post(f"{here}/abandon")).raise_for_status()
    return {"opened": opened, "solved": solved, "solver": found["millis"] / 1000, "proposed": found["proposed"]}


def main() -> None:
    """Entry point."""
    people = int(sys.argv[1]) if sys.argv[1:] else 1000
    with tempfile.TemporaryDirectory(prefix="counterpoint-") as data, Stack(Path(data)) as stack:
        stack.start_servers()
        stack.create_topics()
        stack.start_services(["matching"])
        stack.wait_ready(120)
        found = asyncio.run(measure(stack, people))
    table = Table(title=f"{people} x {people}, {found[0]['proposed']:.0f} proposals; seconds, {RUNS} rounds")
    for column in ("", "median", "least", "most"):
        table.add_column(column)
    for name in ("opened", "solver", "solved"):
        values = [each[name] for each in found]
        figures = (statistics.median(values), min(values), max(values))
        table.add_row(name, *(f"{v:.2f}" for v in figures))
    Console().print(table)


if __name__ == "__main__":
    main()
