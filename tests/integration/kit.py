"""Two small services with facts of their own, on a real Kafka and a real MongoDB, for tests of the chassis."""

from __future__ import annotations

import asyncio
import base64
import os
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import singledispatch
from pathlib import Path
from types import ModuleType
from typing import Any

from fastapi import APIRouter

from chassis.deciding.commands import Origin, body_digest, command_id, random_id
from chassis.deciding.decider import Aggregate, Command, On, Refused, State
from chassis.receiving.tasks import Task, Tasks, Work
from chassis.receiving.views import Row, StateView, View
from chassis.running.auth import Directory
from chassis.running.runtime import Runtime
from chassis.running.service import Service
from chassis.running.settings import Settings
from contracts.catalog import Catalog
from contracts.fact import Fact
from contracts.profiles import Profile
from contracts.streams import Audience, Category
from contracts.types import ProgramId
from local.tokens import AUDIENCE, ISSUER, jwks_file
from local.topics import create_topics
from tests.infrastructure import Infra

KEEP = {"cleanup.policy": "delete", "retention.ms": "-1", "unclean.leader.election.enable": "false"}
PARTITIONS = 4


class Add(Command):
    program: str
    amount: int


class Total(State):
    amount: int = 0


class Sum(Row):
    amount: int = 0
    facts: int = 0


@dataclass
class World:
    """One isolated pair of services: a writer of `Added` facts, and a hearer that sums them and echoes each."""

    infra: Infra
    folder: Path
    name: str = field(default_factory=lambda: "t" + secrets.token_hex(4))

    def __post_init__(self) -> None:
        writer, hearer = self.name + "w", self.name + "h"
        self.tally = tally = Category("tally", writer, Audience.public)
        self.echo = echo = Category("echo", hearer, Audience.internal)

        class Added(Fact, of=tally):
            """Something was added."""

            program: ProgramId
            amount: int

        class Echoed(Fact, of=echo):
            """An addition was heard."""

            program: ProgramId
            amount: int

        self.Added, self.Echoed = Added, Echoed
        module = ModuleType("toy")
        for thing in (Added, Echoed):
            thing.__module__ = "toy"
            setattr(module, thing.__name__, thing)
        self.catalog = Catalog([module])
        self.totals = _aggregate(tally, Added)
        self.echoes = _aggregate(echo, Echoed)
        self.poison: Callable[[int], None] = lambda amount: None
        view = View("sums", tally, Sum, self._fold, frozenset({Added}), ("amount",))
        self.sums = view

        async def echo_it(fact: Any, work: Work) -> None:
            stream = self.echoes.stream(work.scope, work.event.split("/")[2].split("@")[0])
            await work.run(On(self.echoes, stream, Add(program=fact.program, amount=fact.amount)))

        self.tasks = Tasks([Task("echo_it", Added, echo_it)])
        self.program = random_id("pr")
        for service in (writer, hearer):
            create_topics(self.infra.kafka, {f"counterpoint.{service}.events": KEEP}, PARTITIONS)
            create_topics(self.infra.kafka, {f"counterpoint.{service}.internal": KEEP}, PARTITIONS)
        self.writer = self._service(writer, (), Tasks([]))
        self.hearer = self._service(hearer, (view,), self.tasks)
        self._databases = {s.name: infra_database(self.infra) for s in (self.writer, self.hearer)}

    def _fold(self, row: Sum, fact: Any, at: datetime) -> Sum:
        self.poison(fact.amount)
        return Sum(amount=row.amount + fact.amount, facts=row.facts + 1)

    def _service(self, name: str, views: tuple[View[Any], ...], tasks: Tasks) -> Service:
        profiles = StateView("profiles", f"counterpoint.{self.name}w.profiles", Profile)
        directory = Directory(profiles, View("roles", self.tally, Sum, self._fold, frozenset()))
        return Service(name, self.catalog, views, (), tasks, APIRouter(), {}, directory)

    def settings(self, service: Service, role: str = "all", **more: Any) -> Settings:
        key = self.folder / "key"
        if not key.exists():
            key.write_text(base64.b64encode(os.urandom(32)).decode())
        name, uri = self._databases[service.name]
        return Settings(
            role=role,
            environment="local",
            kafka_bootstrap=self.infra.kafka,
            mongo_uri=uri,
            mongo_database=name,
            issuer=ISSUER,
            audience=AUDIENCE,
            jwks=str(jwks_file(self.folder)),
            subject_key_file=key,
            content_key_file=key,
            partitions=PARTITIONS,
            **more,
        )

    @asynccontextmanager
    async def running(self, service: Service, role: str = "all", **more: Any) -> AsyncIterator[Runtime]:
        """A runtime of a service, ready; stopped at the end of the block."""
        runtime = Runtime(service, self.settings(service, role, **more))
        runtime.start()
        try:
            needed = {"database", "kafka"} if not service.views else set()
            await until(
                lambda: not (set(runtime.waiting_for()) - ({"partitions", "subscription"} if needed else set()))
            )
            yield runtime
        finally:
            await runtime.stop()

    async def add(self, runtime: Runtime, thing: str, amount: int, key: str | None = None) -> tuple[str, ...]:
        """Say that `amount` was added to `thing`; answers the versions."""
        origin = Origin(command_id("test", key or secrets.token_hex(8)), body_digest(str(amount)), correlation="test")
        on = On(self.totals, self.totals.stream(self.program, thing), Add(program=self.program, amount=amount))
        return (await runtime.run(origin, on)).after


def infra_database(infra: Infra) -> tuple[str, str]:
    made = infra.database()
    return made.name, made.uri


def _aggregate(category: Category, fact: type[Any]) -> Aggregate[Total]:
    @singledispatch
    def decide(command: Command, state: Total, now: datetime) -> list[Fact]:
        raise TypeError(command)

    @decide.register
    def _(command: Add, state: Total, now: datetime) -> list[Fact]:
        if command.amount == 0:
            return []
        if command.amount < 0:
            raise Refused("negative", "only positive amounts can be added")
        return [fact(program=command.program, amount=command.amount)]

    def evolve(state: Total, said: Any) -> Total:
        return Total(amount=state.amount + said.amount)

    return Aggregate(category, Total(), decide, evolve)


async def until(done: Callable[[], Any], seconds: float = 20.0) -> Any:
    """Wait until `done()` (plain or awaitable) answers something true; fail after `seconds`."""
    deadline = asyncio.get_running_loop().time() + seconds
    while True:
        answer = done()
        if asyncio.iscoroutine(answer):
            answer = await answer
        if answer:
            return answer
        assert asyncio.get_running_loop().time() < deadline, "waited too long"
        await asyncio.sleep(0.02)


def now() -> datetime:
    """The real time, UTC."""
    return datetime.now(UTC)
