"""The tally services on a real Kafka and a real MongoDB, each test with topics and databases of its own."""

from __future__ import annotations

import asyncio
import base64
import os
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from chassis.deciding.commands import Origin, body_digest, command_id, random_id
from chassis.deciding.decider import On
from chassis.running.runtime import Runtime
from chassis.running.service import Service
from chassis.running.settings import Settings
from chassis.testing.tally import TOPIC_CONFIG, Add, TallyServices
from local.tokens import AUDIENCE, ISSUER, jwks_file
from local.topics import create_topics
from tests.infrastructure import Infra

PARTITIONS = 4


class World(TallyServices):
    """One isolated pair of tally services, and a program to count in."""

    def __init__(self, infra: Infra, folder: Path) -> None:
        super().__init__("t" + secrets.token_hex(4))
        self.infra = infra
        self.folder = folder
        self.program = random_id("pr")
        create_topics(infra.kafka, dict.fromkeys(self.topics, TOPIC_CONFIG), PARTITIONS)
        self._databases = {s.name: infra.database() for s in (self.writer, self.hearer)}

    def settings(self, service: Service, role: str = "all", **more: Any) -> Settings:
        """Settings of one process of a service."""
        key = self.folder / "key"
        if not key.exists():
            key.write_text(base64.b64encode(os.urandom(32)).decode())
        database = self._databases[service.name]
        return Settings(
            role=role,
            environment="local",
            kafka_bootstrap=self.infra.kafka,
            mongo_uri=database.uri,
            mongo_database=database.name,
            issuer=ISSUER,
            audience=AUDIENCE,
            jwks=str(jwks_file(self.folder)),
            subject_key_file=key,
            content_key_file=key,
            partitions=PARTITIONS,
            **more,
        )

    def runtime_of(self, service: Service, role: str = "all", **more: Any) -> Runtime:
        """A process of a service, not started."""
        return Runtime(service, self.settings(service, role, **more))

    @asynccontextmanager
    async def running(self, service: Service, role: str = "all", **more: Any) -> AsyncIterator[Runtime]:
        """A runtime of a service, ready; stopped at the end of the block."""
        runtime = self.runtime_of(service, role, **more)
        runtime.start()
        try:
            await until(lambda: not runtime.waiting_for())
            yield runtime
        finally:
            await runtime.stop()

    async def add(self, runtime: Runtime, thing: str, amount: int, key: str | None = None) -> tuple[str, ...]:
        """Say that `amount` was added to `thing`; answers the versions."""
        origin = Origin(command_id("test", key or secrets.token_hex(8)), body_digest(str(amount)), correlation="test")
        on = On(self.totals, self.totals.stream(self.program, thing), Add(program=self.program, amount=amount))
        return (await runtime.run(origin, on)).after


class Traffic:
    """Commands one after another over `streams` streams, for as long as the block lasts."""

    def __init__(self, world: World, writer: Runtime, streams: int) -> None:
        self._world, self._writer, self._streams = world, writer, streams
        self.said: list[str] = []
        self._ending = False

    async def more(self, count: int) -> None:
        for _ in range(count):
            n = len(self.said)
            self.said += await self._world.add(self._writer, f"t{n % self._streams}", n + 1)

    async def _go_on(self) -> None:
        while not self._ending:
            await self.more(1)

    async def __aenter__(self) -> Traffic:
        self._ending = False
        self._going = asyncio.create_task(self._go_on())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._ending = True
        await self._going


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
