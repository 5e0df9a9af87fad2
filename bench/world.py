"""The tally services on real servers of their own, for as long as a measurement lasts."""

from __future__ import annotations

import base64
import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from chassis.deciding.commands import Origin, command_id, random_id
from chassis.deciding.decider import On
from chassis.running.runtime import Runtime
from chassis.running.service import Service
from chassis.running.settings import Role, Settings
from chassis.testing.tally import TOPIC_CONFIG, Add, TallyServices
from local.servers import Servers
from local.tokens import AUDIENCE, ISSUER, jwks_file
from local.topics import create_topics

PARTITIONS = 4


class Bench(TallyServices):
    """One pair of services with empty databases and topics."""

    def __init__(self, servers: Servers, folder: Path, *, echo: bool = False) -> None:
        self.name = "b" + secrets.token_hex(4)
        super().__init__(self.name, echo=echo)
        self.kafka = servers.kafka
        self.program = random_id("pr")
        self._folder = folder
        create_topics(servers.kafka, dict.fromkeys(self.topics, TOPIC_CONFIG), PARTITIONS)
        self._uris = {
            s.name: servers.database(f"bench_{s.name}", f"bench_{s.name}") for s in (self.writer, self.hearer)
        }

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
            mongo_database=f"bench_{service.name}",
            issuer=ISSUER,
            audience=AUDIENCE,
            jwks=str(jwks_file(self._folder)),
            subject_key_file=key,
            content_key_file=key,
            partitions=PARTITIONS,
            **more,
        )
        return Runtime(service, settings)

    def add(self, thing: str) -> On:
        """One command on one stream."""
        return On(self.totals, self.totals.stream(self.program, thing), Add(program=self.program, amount=1))


def origin() -> Origin:
    """A command of its own."""
    return Origin(command_id("bench", secrets.token_hex(8)), "bench", correlation="bench")


@contextmanager
def servers() -> Iterator[tuple[Servers, Path]]:
    """A real mongod and a real Kafka, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="counterpoint-bench-") as data, Servers(Path(data)) as running:
        yield running, Path(data)
