"""A pair of tally services in processes of their own, each of which can be killed, stopped, armed and cut off."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import multiprocessing
import os
import secrets
import signal
from collections import Counter
from collections.abc import Mapping
from functools import cached_property
from multiprocessing import forkserver
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import httpx
from pymongo.database import Database

from chassis.deciding.commands import random_id
from chassis.running.runtime import Runtime
from chassis.running.service import Service
from chassis.running.settings import Settings
from chassis.testing.tally import TOPIC_CONFIG, TallyServices
from local.mongod import DECIDER, PREPARE, RELAY
from local.processes import free_ports
from local.tokens import AUDIENCE, ISSUER, jwks_file
from tests.chaos import child, points
from tests.chaos.proxy import Link
from tests.chaos.servers import Client, Servers
from tests.integration.kit import until

PARTITIONS = 4
LEASE = 3.0
"""Seconds: shorter than a service's default, so that several relays take over from each other within one run."""
PATIENCE = 240.0
"""Seconds that anything may take here; only a stall takes longer, however busy the machine is."""

_forks = multiprocessing.get_context("forkserver")
_forks.set_forkserver_preload(["tests.chaos.child"])  # a process of ours then starts in no time, again and again


def warm() -> None:
    """Let what all processes have in common be loaded while something else is waited for."""
    forkserver.ensure_running()


class Process:
    """One process of a service. Its place, with port, links and folder, stays when the process dies."""

    def __init__(self, name: str, folder: Path, told: Mapping[str, Any], targets: list[int]) -> None:
        self.name = name
        self.folder = folder
        self.port = free_ports(1)[0]
        self.links = {target: Link(target) for target in targets}
        self.wanted = False
        self.starts = 0
        self._told = told
        self._process: BaseProcess | None = None
        folder.mkdir(parents=True)

    async def open(self) -> None:
        """Open the links and start the process."""
        for link in self.links.values():
            await link.open()
        await self.start()

    async def start(self) -> None:
        """Start the process (again)."""
        routes = {target: link.port for target, link in self.links.items()}
        env = self._told["env"] | {"COUNTERPOINT_HTTP_PORT": str(self.port)}
        log = str(self.folder.with_suffix(".log"))
        told = {**self._told, "env": env, "routes": routes, "folder": str(self.folder), "log": log}
        self._process = _forks.Process(target=child.main, args=(told,), daemon=True)
        await asyncio.to_thread(self._process.start)
        self.wanted = True
        self.starts += 1

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.is_alive()

    def is_stopped(self) -> bool:
        """Whether it is stopped by a signal."""
        assert self._process is not None
        with contextlib.suppress(OSError):
            return Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"
        return False

    def signal(self, number: int) -> None:
        """Send it a signal; nothing where it is dead."""
        if self.alive:
            assert self._process is not None
            assert self._process.pid is not None
            os.kill(self._process.pid, number)

    def kill(self) -> None:
        """Kill -9; whoever watches the world starts it again."""
        self.signal(signal.SIGKILL)

    async def end(self) -> None:
        """Kill it for good and close its links."""
        self.wanted = False
        self.kill()
        if self._process is not None:
            await asyncio.to_thread(self._process.join)
        for link in self.links.values():
            await link.close()

    def outcomes(self) -> list[str]:
        """What became of each batch that the inbox tried, in order."""
        file = self.folder / points.OUTCOMES
        return file.read_text().splitlines() if file.exists() else []

    async def ready(self) -> bool:
        """Whether it answers that it is."""
        try:
            async with httpx.AsyncClient(timeout=5) as http:
                return (await http.get(f"http://127.0.0.1:{self.port}/health/ready")).status_code == 200
        except httpx.HTTPError:
            return False


class World(TallyServices):
    """The two services on these servers, prepared by the user who prepares; `processes` by name."""

    def __init__(self, servers: Servers, folder: Path, *, echo: bool = True, lease: float = LEASE) -> None:
        super().__init__("c" + secrets.token_hex(4), echo=echo)
        self.servers = servers
        self.program = random_id("pr")
        self.processes: dict[str, Process] = {}
        self.counts: Counter[str] = Counter()
        self._name = self.writer.name[:-1]
        self._echoing = echo
        self._lease = lease
        self._folder = folder / self._name
        self._folder.mkdir(parents=True)
        self._key = self._folder / "key"
        self._key.write_text(base64.b64encode(os.urandom(32)).decode())
        self._users: dict[str, dict[str, str]] = {}
        self._watching: asyncio.Task[None] | None = None

    @cached_property
    def root(self) -> Client:
        """A client that may look at everything, past every proxy."""
        return self.servers.client(serverSelectionTimeoutMS=10_000)

    def name_of(self, service: Service) -> str:
        """The name of a service's database."""
        return f"counterpoint_{service.name}"

    def database(self, service: Service) -> Database[dict[str, Any]]:
        """A service's database, past every proxy."""
        return self.root[self.name_of(service)]

    async def prepare(self) -> None:
        """Make topics, users, collections and indexes, as before a release."""
        await asyncio.to_thread(self.servers.topics, dict.fromkeys(self.topics, TOPIC_CONFIG), PARTITIONS)
        for service in (self.writer, self.hearer):
            self._users[service.name] = await asyncio.to_thread(self.servers.users, self.name_of(service))
            told: dict[str, Any] = {
                k.removeprefix("COUNTERPOINT_").lower(): v for k, v in self._env(service, PREPARE).items()
            }
            runtime = Runtime(service, Settings(**told))
            await runtime.prepare()
            await runtime.database.close()

    def _env(self, service: Service, role: str) -> dict[str, str]:
        users = self._users[service.name]
        told = {
            "role": "api" if role == PREPARE else role,
            "environment": "local",
            "kafka_bootstrap": self.servers.kafka,
            "mongo_database": self.name_of(service),
            "issuer": ISSUER,
            "audience": AUDIENCE,
            "jwks": str(jwks_file(self._folder)),
            "subject_key_file": str(self._key),
            "content_key_file": str(self._key),
            "partitions": str(PARTITIONS),
            "lease_seconds": str(self._lease),
        }
        told |= {"relay_mongo_uri": users[RELAY]} if role == "relay" else {"mongo_uri": users[PREPARE]}
        if role not in (PREPARE, "relay"):
            told["mongo_uri"] = users[DECIDER]
        return {f"COUNTERPOINT_{name.upper()}": value for name, value in told.items()}

    async def run(self, *names: str) -> list[Process]:
        """Start processes and wait until they are ready: `writer-api-1`, `hearer-worker-2`, and so on."""
        made = []
        for name in names:
            service, role, _ = name.split("-")
            told = {
                "name": self._name,
                "echo": self._echoing,
                "service": service,
                "env": self._env(self.writer if service == "writer" else self.hearer, role),
            }
            self.processes[name] = Process(name, self._folder / name, told, self.servers.ports)
            made.append(self.processes[name])
        await asyncio.gather(*(each.open() for each in made))
        for each in made:
            await until(each.ready, PATIENCE)
        if self._watching is None:
            self._watching = asyncio.create_task(self._restart())
        return made

    async def _restart(self) -> None:
        """Start again what has died, as an orchestrator does."""
        while True:
            for process in self.of("-"):
                if process.wanted and not process.alive:
                    self.counts["restarts"] += 1
                    await process.start()
            await asyncio.sleep(0.2)

    def of(self, part: str) -> list[Process]:
        """The processes with this in their names."""
        return [p for name, p in self.processes.items() if part in name]

    async def heal(self) -> None:
        """Nobody is stopped, dead, armed or cut off any more, and the servers serve."""
        for process in self.of("-"):
            process.signal(signal.SIGCONT)
            for link in process.links.values():
                link.heal()
            for point in {*points.API, *points.RELAY, *points.WORKER}:
                (process.folder / point).unlink(missing_ok=True)
        await asyncio.to_thread(self.servers.heal)

    async def close(self) -> None:
        """End every process."""
        if self._watching is not None:
            self._watching.cancel()
        await asyncio.gather(*(p.end() for p in self.of("-")))
        self.root.close()
