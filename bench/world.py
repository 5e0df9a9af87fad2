"""The tally services on real servers of their own, for as long as a measurement lasts."""

from __future__ import annotations

import asyncio
import base64
import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from chassis.deciding.commands import Origin, command_id, new_commit_id, random_id
from chassis.deciding.decider import On
from chassis.deciding.journal import GENESIS, Commit, Event, Meta
from chassis.running.clock import Clock
from chassis.running.runtime import Runtime
from chassis.running.service import Service
from chassis.running.settings import Role, Settings
from chassis.testing.tally import TOPIC_CONFIG, Add, TallyServices
from local.servers import Servers
from local.tokens import AUDIENCE, ISSUER, jwks_file
from local.topics import create_topics

PARTITIONS = 4
BATCH = 500
"""Records of one transaction of an inbox, and of one batch of a bare producer."""


class Bench(TallyServices):
    """One pair of services with empty databases and topics."""

    def __init__(self, servers: Servers, folder: Path, *, echo: bool = False) -> None:
        self.name = "b" + secrets.token_hex(4)
        super().__init__(self.name, echo=echo)
        self.kafka = servers.kafka
        self.program = random_id("pr")
        self._folder = folder
        create_topics(servers.kafka, dict.fromkeys(self.topics, TOPIC_CONFIG), PARTITIONS)
        self._uris = {s.name: servers.database(self.database(s), self.database(s)) for s in (self.writer, self.hearer)}

    def runtime(self, service: Service, role: Role = Role.api, **more: Any) -> Runtime:
        """A process of a service, not started."""
        key = self._folder / "key"
        if not key.exists():
            key.write_text(base64.b64encode(os.urandom(32)).decode())
        settings = Settings(
            role=role,
            environment="local",
            kafka_bootstrap=self.kafka,
            mongo_uri=self._uris[service.name],
            mongo_database=self.database(service),
            issuer=ISSUER,
            audience=AUDIENCE,
            jwks=str(jwks_file(self._folder)),
            subject_key_file=key,
            content_key_file=key,
            partitions=PARTITIONS,
            **more,
        )
        return Runtime(service, settings)

    def database(self, service: Service) -> str:
        """The name of a service's database."""
        return f"bench_{service.name}"

    def add(self, thing: str) -> On:
        """One command on one stream."""
        return On(self.totals, self.totals.stream(self.program, thing), Add(program=self.program, amount=1))


def origin() -> Origin:
    """A command of its own."""
    return Origin(command_id("bench", secrets.token_hex(8)), "bench", correlation="bench")


def commit_of(bench: Bench, thing: str) -> Commit:
    """The first commit of a stream, as a command would make it."""
    stream = bench.totals.stream(bench.program, thing)
    event = Event("Added", 1, bench.Added(program=bench.program, amount=1).encode())
    o = origin()
    meta = Meta(o.correlation)
    return Commit(new_commit_id(), stream, 1, o.command_id, o.body_digest, GENESIS, Clock().now(), meta, (event,))


async def ready(runtime: Runtime) -> None:
    """Start a process and wait until it can work."""
    runtime.start()
    while runtime.waiting_for():  # noqa: ASYNC110 - it starts once
        await asyncio.sleep(0.05)


@contextmanager
def servers() -> Iterator[tuple[Servers, Path]]:
    """A real mongod and a real Kafka, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="counterpoint-bench-") as data, Servers(Path(data)) as running:
        yield running, Path(data)
