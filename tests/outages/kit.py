"""Child processes of the tally services, callers that keep asking them, and what must be true of their answers."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import signal
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI

from chassis.deciding.commands import new_commit_id
from chassis.deciding.journal import GENESIS, Commit, Event, Meta
from chassis.running.program import build
from chassis.testing.tally import TallyServices
from local.processes import free_ports
from local.tokens import mint
from tests.integration.kit import World, now, until
from tests.outages.tallies import served

ROOT = Path(__file__).parents[2]
CLEAN = (200, 503)
"""Status of a command that is answered: done, or not now; nothing else is right while a server is away."""


@dataclass
class Process:
    """One running process of a service."""

    url: str
    api: str
    child: asyncio.subprocess.Process
    log: Path
    trace: Path

    def batches(self) -> Counter[str]:
        """How many batches were `begun` and `done`, in every process that wrote this trace."""
        lines = self.trace.read_text().splitlines() if self.trace.exists() else []
        return Counter(line.split()[0] for line in lines)

    async def health(self, http: httpx.AsyncClient, which: str) -> tuple[int, dict[str, Any]]:
        """Status and body of a route under `/health`; status 0 where nobody listens."""
        try:
            answer = await http.get(f"{self.url}/health/{which}")
        except httpx.TransportError:
            return 0, {}
        return answer.status_code, answer.json()

    async def until_ready(self, http: httpx.AsyncClient, seconds: float = 180) -> None:
        """Wait until it says that it is ready; where it does not, say what it waits for."""
        told: dict[str, Any] = {}

        async def ready() -> bool:
            nonlocal told
            assert self.child.returncode is None, self.tail()
            status, told = await self.health(http, "ready")
            return status == 200

        try:
            await until(ready, seconds)
        except AssertionError:
            raise AssertionError(f"not ready: {told}\n{self.tail()}") from None

    async def end(self) -> tuple[int, float]:
        """Ask it to end; its exit code, and how many seconds that took."""
        began = time.monotonic()
        self.child.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(40):
                code = await self.child.wait()
        except TimeoutError:
            raise AssertionError(f"it did not end\n{self.tail()}") from None
        return code, time.monotonic() - began

    def tail(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-30:])


@asynccontextmanager
async def serving(
    world: World, which: str, role: str = "all", trace: str = "", delay: float = 0, blocks: int = 0, **more: Any
) -> AsyncIterator[Process]:
    """A process of the writer or the hearer, killed at the end of the block if it still runs."""
    service = {"writer": world.writer, "hearer": world.hearer}[which]
    port = free_ports(1)[0]
    settings = world.settings(service, role, http_port=port, **more).model_dump(mode="json", exclude_none=True)
    env = {f"COUNTERPOINT_{k.upper()}": str(v) for k, v in settings.items() if not isinstance(v, list)}
    env["COUNTERPOINT_TEST_TALLY"] = world.writer.name[:-1]
    env["COUNTERPOINT_TEST_SERVICE"] = which
    env["COUNTERPOINT_TEST_TRACE"] = str(world.folder / (trace or f"{which}.{role}.{secrets.token_hex(3)}"))
    env["COUNTERPOINT_TEST_DELAY"] = str(delay)
    env["COUNTERPOINT_TEST_BLOCKS"] = str(blocks)
    log = world.folder / f"{which}.{role}.{port}.log"
    with log.open("wb") as out:
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.outages.serving", cwd=ROOT, env={**os.environ, **env}, stdout=out, stderr=out
        )
    url = f"http://127.0.0.1:{port}"
    try:
        yield Process(url, f"{url}/{service.name}/v1", child, log, Path(env["COUNTERPOINT_TEST_TRACE"]))
    finally:
        if child.returncode is None:
            child.kill()
        await child.wait()


@asynccontextmanager
async def caller(world: World) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody with a token."""
    token = {"Authorization": f"Bearer {mint(world.folder, 'somebody')}"}
    async with httpx.AsyncClient(headers=token, timeout=60, trust_env=False) as http:
        yield http


@asynccontextmanager
async def asked(
    world: World, which: str, role: str = "api", **more: Any
) -> AsyncIterator[tuple[httpx.AsyncClient, FastAPI]]:
    """A process of the writer or the hearer within this one, and a client that asks its real application."""
    service = served(TallyServices(world.writer.name[:-1], echo=False))[which]
    app = build(service, world.settings(service, role, **more))
    token = {"Authorization": f"Bearer {mint(world.folder, 'somebody')}"}
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    base = f"http://{which}/{service.name}/v1/programs/{world.program}"
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url=base, headers=token, timeout=60) as http,
    ):
        await until(lambda: not app.state.runtime.waiting_for(), 60)
        yield http, app


@dataclass
class Load:
    """Callers that add to things, and remember what they were answered. Every command has a key of its own."""

    world: World
    http: httpx.AsyncClient
    base: str
    answered: dict[str, list[str]] = field(default_factory=dict)
    unknown: set[str] = field(default_factory=set)
    statuses: Counter[int] = field(default_factory=Counter)
    slowest: float = 0.0
    odd: list[str] = field(default_factory=list)
    _going: bool = True

    async def run(self, callers: int) -> None:
        """Keep asking until told to `stop`."""
        async with asyncio.TaskGroup() as group:
            for n in range(callers):
                group.create_task(self._ask(n))

    def stop(self) -> None:
        self._going = False

    async def _ask(self, n: int) -> None:
        while self._going:
            key = secrets.token_hex(8)
            await self.add(key, {"amount": 1, "also": f"b{secrets.randbelow(40)}"}, f"a{n}")
            await asyncio.sleep(0.01)

    async def add(self, key: str, body: dict[str, Any], thing: str) -> int:
        """One command; its status, or 0 where it was cut off or refused by nobody being there."""
        began = time.monotonic()
        url = f"{self.base}/programs/{self.world.program}/tallies/{thing}"
        try:
            answer = await self.http.post(url, json=body, headers={"Idempotency-Key": key})
        except httpx.TransportError:
            self.unknown.add(key)
            self.statuses[0] += 1
            await asyncio.sleep(0.05)
            return 0
        self.slowest = max(self.slowest, time.monotonic() - began)
        self.statuses[answer.status_code] += 1
        if answer.status_code == 200:
            self.answered[key] = answer.json()["after"]
        else:
            self.unknown.add(key)
            if answer.status_code not in CLEAN or not answer.headers.get("Retry-After"):
                self.odd.append(f"{answer.status_code} {answer.text[:300]}")
        return answer.status_code


async def commits_by_command(world: World) -> dict[str, list[str]]:
    """The `stream@version`s that each command wrote, from the journal."""
    runtime = world.runtime_of(world.writer, "api")
    try:
        found: dict[str, list[str]] = {}
        async for doc in runtime.database.collection("journal").find({}):
            found.setdefault(doc["command_id"], []).append(f"{doc['stream']}@{doc['to']}")
        return found
    finally:
        await runtime.database.close()


async def check_commands(world: World, *loads: Load) -> None:
    """What was answered is there; what was cut off is there as a whole or not at all."""
    written = {c: after for c, after in (await commits_by_command(world)).items() if not c.startswith("backlog")}
    whole = {tuple(sorted(after)) for after in written.values()}
    answered = [after for load in loads for after in load.answered.values()]
    lost = [after for after in answered if tuple(sorted(after)) not in whole]
    assert not lost, f"answered, and not in the journal: {lost}"
    assert all(len(after) == 2 for after in whole), "half done"
    assert len(answered) <= len(written) <= len(answered) + sum(len(load.unknown) for load in loads)


async def backlog(world: World, streams: int, commits: int, events: int) -> int:
    """Insert commits that wait to be published; answers how many facts there are in them."""
    runtime = world.runtime_of(world.writer, "api")
    text = json.dumps({"program": world.program, "amount": 1})
    docs = []
    for s in range(streams):
        previous, stream = GENESIS, world.totals.stream(world.program, f"old{s}")
        for c in range(commits):
            commit = Commit(
                id=new_commit_id(),
                stream=stream,
                first=c * events + 1,
                command_id=f"backlog{s}.{c}",
                body_digest="d",
                previous=previous,
                at=now().replace(microsecond=0),
                meta=Meta("backlog"),
                events=tuple(Event("Added", 1, text) for _ in range(events)),
            )
            previous = commit.digest
            docs.append(commit.document(pending=True))
    await runtime.journal.prepare()
    await runtime.database.insert("journal", docs)
    await runtime.database.close()
    return streams * commits * events


async def totals(world: World) -> dict[str, int]:
    """How many facts each stream of the writer's journal has."""
    runtime = world.runtime_of(world.writer, "api")
    try:
        found: Counter[str] = Counter()
        async for doc in runtime.database.collection("journal").find({}, {"stream": 1, "to": 1}):
            found[doc["stream"]] = max(found[doc["stream"]], doc["to"])
        return dict(found)
    finally:
        await runtime.database.close()


async def until_views_are_whole(world: World, seconds: float = 90) -> dict[str, int]:
    """Wait until the hearer's view of every stream is the sum of the journal; answers the versions."""
    wanted = await totals(world)
    runtime = world.runtime_of(world.hearer, "api")

    async def whole() -> bool:
        found = await runtime.inbox.reader.find(world.sums, world.program)
        for f in found:
            assert f.row.amount == f.row.facts == f.version and not f.parked, f
        return {f.stream: f.version for f in found} == wanted

    try:
        await until(whole, seconds)
    finally:
        await runtime.database.close()
    return wanted


async def on_topic(world: World) -> Counter[tuple[str, int]]:
    """How often each version of each stream is on the writer's topic, as any Kafka client reads it."""
    return await asyncio.to_thread(_read_topic, world.infra.kafka, world.tally.topic or "")


def _read_topic(kafka: str, topic: str) -> Counter[tuple[str, int]]:
    from confluent_kafka import Consumer, TopicPartition

    client = Consumer({"bootstrap.servers": kafka, "group.id": secrets.token_hex(4), "enable.auto.commit": False})
    try:
        partitions = client.list_topics(topic, 10).topics[topic].partitions
        ends = {p: client.get_watermark_offsets(TopicPartition(topic, p), 10)[1] for p in partitions}
        client.assign([TopicPartition(topic, p, 0) for p in partitions])
        seen: Counter[tuple[str, int]] = Counter()
        left = sum(ends.values())
        while left:
            for record in client.consume(1000, 5.0):
                assert record.error() is None, record.error()
                left -= 1
                headers = dict(record.headers() or ())
                seen[str(headers["ce_subject"].decode()), int(headers["ce_sequence"].decode())] += 1
        return seen
    finally:
        client.close()


def all_running(processes: Iterable[Process]) -> bool:
    """Whether none of the processes has ended."""
    return all(process.child.returncode is None for process in processes)
