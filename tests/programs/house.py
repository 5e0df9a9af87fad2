"""The four services in this process, on servers of their own: whatever they ask of their databases is noted."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from datetime import time as time_of_day
from importlib import import_module
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from pymongo import MongoClient, monitoring

from chassis.running.program import build
from chassis.running.runtime import Runtime
from chassis.running.service import Service
from chassis.running.settings import Role, Settings
from local import clock, tokens
from local.environment import key_file
from local.mongod import DECIDER, PREPARE, RELAY
from local.servers import Servers
from local.story import Installation
from local.tokens import AUDIENCE, ISSUER, jwks_file
from local.topics import PARTITIONS, SERVICES, create_topics
from tests.programs.asked import Asked

FOUNDERS = frozenset(f"founder-{letter}" for letter in "abcde")
ANSWERED_BY_TWO = ("matching", "scheduling")
"""Services with a second process, so that callers meet who share no memory."""
PATIENCE = 120.0
"""Seconds that starting and stopping may take on a machine that has much else to do."""


@dataclass
class House:
    """Running services: their addresses, their runtimes, and what was asked of their databases.

    `others` are the addresses of second processes, which only answer, of those services that callers race in.
    """

    folder: Path
    servers: Servers
    asked: Asked
    urls: dict[str, str] = field(default_factory=dict)
    others: dict[str, str] = field(default_factory=dict)
    runtimes: dict[str, Runtime] = field(default_factory=dict)
    processes: list[uvicorn.Server] = field(default_factory=list)
    loop: asyncio.AbstractEventLoop | None = None

    @property
    def installation(self) -> Installation:
        """What a story is told on."""
        return Installation(
            services=self.urls,
            token=lambda subject: tokens.mint(self.folder, subject),
            now=lambda: clock.now(self.folder / "clock.json"),
            forward=lambda by: clock.advance(self.folder / "clock.json", by),
        )

    def root(self) -> MongoClient[dict[str, Any]]:
        """A client who may read everything."""
        return MongoClient(self.servers.mongo, tz_aware=True)

    def settings(
        self, name: str, users: Mapping[str, str], role: Role = Role.all, *, prepares: bool = False
    ) -> Settings:
        """The settings of one service: as in production, who decides is not who relays."""
        return Settings(
            role=role,
            environment="local",
            kafka_bootstrap=self.servers.kafka,
            mongo_uri=users[PREPARE if prepares else DECIDER],
            relay_mongo_uri="" if prepares else users[RELAY],
            mongo_database=f"counterpoint_{name}",
            issuer=ISSUER,
            audience=AUDIENCE,
            jwks=str(jwks_file(self.folder)),
            subject_key_file=key_file(self.folder, "subject"),
            content_key_file=key_file(self.folder, f"content-{name}"),
            clock_file=self.folder / "clock.json",
            partitions=PARTITIONS,
            founders=FOUNDERS if name == "enrollment" else frozenset(),
            own_write_seconds=20.0,
        )

    def do(self, job: Any) -> Any:
        """Run a coroutine where the services run, and answer its result."""
        assert self.loop is not None
        done: Future[Any] = asyncio.run_coroutine_threadsafe(job, self.loop)
        return done.result(PATIENCE)

    async def live(self) -> None:
        """Run all four until they are told to stop."""
        self.loop = asyncio.get_running_loop()
        await asyncio.gather(*(self._serve(name) for name in SERVICES))

    async def _serve(self, name: str) -> None:
        service: Service = import_module(f"services.{name}.service").SERVICE
        users = self.servers.users(f"counterpoint_{name}")
        preparing = Runtime(service, self.settings(name, users, prepares=True))
        await preparing.prepare()
        await preparing.stop()
        answering = [self._answer(service, self.settings(name, users), self.urls)]
        if name in ANSWERED_BY_TWO:
            answering.append(self._answer(service, self.settings(name, users, Role.api), self.others))
        await asyncio.gather(*answering)

    async def _answer(self, service: Service, settings: Settings, urls: dict[str, str]) -> None:
        """Run one process of a service until it is told to stop; `urls` gets its address."""
        app = build(service, settings)
        server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_config=None, access_log=False))
        self.processes.append(server)
        serving = asyncio.create_task(server.serve())
        while not server.started and not serving.done():  # noqa: ASYNC110 - uvicorn has no event for it
            await asyncio.sleep(0.02)
        if server.started:
            port = server.servers[0].sockets[0].getsockname()[1]
            self.runtimes.setdefault(service.name, app.state.runtime)
            urls[service.name] = f"http://127.0.0.1:{port}"
        await serving


@contextmanager
def house(folder: Path) -> Iterator[House]:
    """The four services, ready, for as long as the block lasts."""
    asked = Asked()
    monitoring.register(asked)  # before any client is made: each takes the listeners that there are then
    with Servers(folder) as servers:
        create_topics(servers.kafka)
        clock.advance(folder / "clock.json", _next_monday() - datetime.now(UTC))
        running = House(folder, servers, asked)
        thread = threading.Thread(target=lambda: asyncio.run(running.live()), name="services", daemon=True)
        thread.start()
        try:
            _await_ready(running, thread)
            yield running
        finally:
            asked.listening = False
            for process in running.processes:
                process.should_exit = True
            thread.join(PATIENCE)


def _next_monday() -> datetime:
    """A Monday morning: two runs begin on the same day of the week, whenever that is."""
    today = datetime.now(UTC).date()
    return datetime.combine(today + timedelta(days=7 - today.weekday()), time_of_day(6), UTC)


def _await_ready(running: House, thread: threading.Thread) -> None:
    deadline = time.monotonic() + PATIENCE
    with httpx.Client(timeout=5, trust_env=False) as http:
        while True:
            with suppress(httpx.HTTPError):
                urls = [*running.urls.values(), *running.others.values()]
                answers = [http.get(f"{url}/health/ready").status_code for url in urls]
                if answers == [200] * (len(SERVICES) + len(ANSWERED_BY_TWO)):
                    return
            assert thread.is_alive(), "the services have ended by themselves"
            assert time.monotonic() < deadline, "the services have not become ready"
            time.sleep(0.05)
