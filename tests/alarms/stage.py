"""The processes whose faults are brought about, who asks them, and what is said in the place of others."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from chassis.deciding.journal import GENESIS, Event, chain
from chassis.distributing.producer import Outgoing, Producer
from chassis.distributing.slots import partition_of
from chassis.running.settings import Settings
from contracts.envelope import Envelope, to_headers
from contracts.fact import Fact
from local.processes import Child, free_ports
from local.tokens import mint
from tests.alarms.receiver import Receiver, Sample, Series
from tests.alarms.served import PREFIX
from tests.integration.kit import World, now, until

ROOT = Path(__file__).parents[2]
OPERATOR = "operator"
TRACE = "0af7651916cd43dd8448eb211c80319c"
"""The trace that whatever is asked here belongs to; it is kept."""


@dataclass
class Stage:
    """A world whose processes tell a receiver what they see, each of them by a name of its own."""

    world: World
    receiver: Receiver
    mended: Path
    children: dict[str, Child] = field(default_factory=dict)
    urls: dict[str, str] = field(default_factory=dict)

    def start(self, name: str, module: str, settings: Settings) -> None:
        """Start a process; again after it was killed, it keeps its name."""
        port = free_ports(1)[0]
        told = settings.model_dump(mode="json", exclude_none=True) | {"http_port": port, "operators": OPERATOR}
        env = {f"COUNTERPOINT_{k.upper()}": str(v) for k, v in told.items() if not isinstance(v, list)}
        env |= {PREFIX + "TALLY": self.world.writer.name[:-1], PREFIX + "MENDED": str(self.mended)}
        env |= {PREFIX + "SERVICE": "writer" if name.startswith("writer") else "hearer"}
        env |= {"OTEL_EXPORTER_OTLP_ENDPOINT": self.receiver.url, "OTEL_METRIC_EXPORT_INTERVAL": "1000"}
        log = self.world.folder / f"{name}.log"
        self.children[name] = Child(name, [sys.executable, "-m", module], log, {**os.environ, **env}, ROOT)
        self.urls[name] = f"http://127.0.0.1:{port}"

    def tally(self, name: str, role: str, **more: Any) -> None:
        """Start a process of the writer or the hearer, as its name says."""
        service = self.world.writer if name.startswith("writer") else self.world.hearer
        self.start(name, "tests.alarms.served", self.world.settings(service, role).model_copy(update=more))

    def kill(self, name: str) -> None:
        """End a process at once."""
        self.children.pop(name).kill()

    def stop(self) -> None:
        """End what still runs."""
        for child in self.children.values():
            child.kill()

    async def ready(self) -> None:
        """Wait until every process says that it is."""
        async with httpx.AsyncClient(trust_env=False, timeout=10) as http:
            for name, child in self.children.items():
                url = f"{self.urls[name]}/health/ready"

                async def answers(url: str = url, child: Child = child) -> bool:
                    assert child.running, child.tail(40)
                    try:
                        return (await http.get(url)).status_code == 200
                    except httpx.TransportError:
                        return False

                try:
                    await until(answers, 180)
                except AssertionError:
                    raise AssertionError(f"{name} is not ready\n{child.tail(40)}") from None

    async def add(self, thing: str, amount: int, times: int = 1, by: str = "writer.api") -> list[int]:
        """Ask the writer to add something, to as many things side by side as told; answers the statuses."""
        path = f"/{self.world.writer.name}/v1/programs/{self.world.program}/tallies/{thing}"
        return await self.post(by, [f"{path}{n or ''}" for n in range(times)], {"amount": amount})

    async def post(self, name: str, paths: list[str], body: Any = None) -> list[int]:
        """Ask a process something, side by side; answers the statuses."""
        headers = {"Authorization": f"Bearer {mint(self.world.folder, OPERATOR)}"}
        headers["traceparent"] = f"00-{TRACE}-b7ad6b7169203331-01"
        async with httpx.AsyncClient(headers=headers, timeout=60, trust_env=False) as http:
            asked = [http.post(self.urls[name] + path, json=body) for path in paths]
            return [answer.status_code for answer in await asyncio.gather(*asked)]

    async def send(self, fact: Fact, stream: str, version: int) -> None:
        """Say a fact in the place of the service that would."""
        text = fact.encode()
        envelope = Envelope(
            service=fact.category.service,
            type=type(fact).__name__,
            v=fact.v,
            stream=stream,
            version=version,
            at=now(),
            digest=chain(GENESIS, stream, version, now(), [Event(type(fact).__name__, fact.v, text)]),
            commit=f"c{version}",
            first=version,
            last=version,
            command="x",
            correlation="test",
        )
        producer = Producer(self.world.infra.kafka)
        await producer.start()
        try:
            record = Outgoing(stream.encode(), text.encode(), to_headers(envelope))
            await producer.send(fact.category.topic or "", partition_of(stream, 4), [record])
        finally:
            await producer.close()

    async def recorded(self) -> dict[Series, Sample]:
        """What every process that runs has told since now."""
        began = time.monotonic()

        async def told_by_all() -> bool:
            instances = {sample.instance for sample in self.receiver.since(began).values()}
            return len(instances) >= len(self.children)

        await until(told_by_all, 60)
        return self.receiver.since(began)

    async def seen(self, name: str, above: float, service: str, seconds: float = 120, **labels: str) -> None:
        """Wait until a process that runs says of a series that it is above a line."""
        began = time.monotonic()
        try:
            await until(lambda: self.receiver.worst(began, name, service, **labels) > above, seconds)
        except AssertionError:
            worst = self.receiver.worst(began, name, service, **labels)
            raise AssertionError(f"{name} {labels} of {service} is {worst}, not above {above}") from None

    async def gone(self, *names: str) -> None:
        """Wait until the processes that run say 0 of these series."""
        left: list[Series] = []

        async def nothing() -> bool:
            told = await self.recorded()
            left[:] = [series for series, sample in told.items() if series[0] in names and sample.value]
            return not left

        try:
            await until(nothing, 120)
        except AssertionError:
            raise AssertionError(f"these do not go: {left}") from None
