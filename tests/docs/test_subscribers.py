"""The subscribers among the examples, in three languages, against a real Kafka: each ends up with the same pairs."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from chassis.distributing.producer import Outgoing, Producer
from chassis.distributing.slots import partition_of
from cli.kept import samples
from contracts.envelope import Envelope, from_headers, to_headers
from local import broker
from local.topics import create_topics
from tests.contracts.node.packages import installed
from tests.infrastructure import Infra
from tests.integration.kit import until

EXAMPLES = Path(__file__).parents[2] / "examples" / "subscribers"
PROGRAMS = {name: EXAMPLES / name / program for name, program in (
    ("python", "subscriber.py"), ("javascript", "subscriber.mjs"), ("java", "Subscriber.java"),
)}  # fmt: skip
PARTITIONS = 2
ADA, OMAR, LIN, JO, KIM, SAM = (f"pe_{letter * 26}" for letter in "abcdef")


def command(language: str) -> list[str]:
    """How a subscriber is started. Skips loudly where its language is not there."""
    match language:
        case "python":
            return [sys.executable, str(PROGRAMS[language])]
        case "javascript":
            return ["node", str(installed(PROGRAMS[language].parent) / "subscriber.mjs")]
    return [broker.java(), "-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
            "-cp", f"{broker.jars()}/*", str(PROGRAMS[language])]  # fmt: skip


@pytest.mark.parametrize("language", PROGRAMS)
def test_it_is_short_and_needs_nothing_of_ours(language: str) -> None:
    lines = [line for line in PROGRAMS[language].read_text().splitlines() if line.strip()]
    code = [line for line in lines if not line.startswith(("//", '"""'))]
    assert 15 <= len(code) <= 40


def test_what_the_java_one_needs_is_what_it_is_tried_with() -> None:
    needed = ElementTree.parse(EXAMPLES / "java" / "pom.xml").getroot()  # noqa: S314 - ours
    (dependencies,) = (node for node in needed if node.tag.endswith("dependencies"))
    jars = {"-".join(str(part.text) for part in list(one)[1:]) + ".jar" for one in dependencies}
    assert len(jars) == 2 and jars <= {path.name for path in broker.jars().iterdir()}


class Said:
    """Facts on topics of their own, as the relay sends them."""

    def __init__(self, bootstrap: str) -> None:
        self.prefix = "s" + secrets.token_hex(4)
        self._bootstrap = bootstrap
        self._producer = Producer(bootstrap)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Said]:
        config = {"cleanup.policy": "delete"}
        names = [f"{self.prefix}.{name}" for name in ("enrollment.events", "matching.events", "matching.events.g2")]
        create_topics(self._bootstrap, dict.fromkeys(names, config), PARTITIONS)
        await self._producer.start()
        yield self
        await self._producer.close()

    async def say(self, name: str, stream: str, version: int, on: str = "", v: int = 1, **fields: Any) -> Envelope:
        """One fact: a sample of ours with other fields; `on` is the generation of its topic."""
        sample = samples(f"{name}.v1")[0]
        envelope = from_headers([(k, x.encode()) for k, x in sample["headers"].items()])
        told = replace(envelope, stream=stream, version=version, first=version, last=version, v=v)
        value = json.dumps(sample["data"] | fields).encode()
        await self.send(f"{told.service}.events{on}", stream, value, [*to_headers(told), ("ce_mood", b"new")])
        return told

    async def send(self, topic: str, key: str, value: bytes, headers: list[tuple[str, bytes]]) -> None:
        record = Outgoing(key.encode(), value, headers)
        await self._producer.send(f"{self.prefix}.{topic}", partition_of(key, PARTITIONS), [record])

    async def formed(self, pair: str, mentor: str, executive: str, on: str = "", **more: Any) -> None:
        two = {"pair": f"pa_{pair}", "mentor": mentor, "executive": executive}
        await self.say("PairFormed", f"pr_x/pair/pa_{pair}", 1, on, **two, **more)

    async def released(self, pair: str, on: str = "") -> None:
        await self.say("PairReleased", f"pr_x/pair/pa_{pair}", 2, on, pair=f"pa_{pair}")


async def everything(said: Said) -> dict[str, list[str | None]]:
    """What can happen to a subscriber; answers what it should have in the end."""
    await said.formed("one", ADA, OMAR, mood={"deep": [1]})
    await said.formed("one", ADA, OMAR)  # a repeat
    await said.formed("two", LIN, JO)
    await said.released("two")
    await said.formed("two", LIN, JO)  # a late repeat
    await said.send("matching.events", "x", b"no fact", [])
    await said.send("matching.events", "x", b"no fact", [("kind", b"other")])
    await said.say("PairPaused", "pr_x/pair/pa_one", 2)
    await said.say("ErasureRequested", f"org/erasure/{ADA}", 1, person=ADA)
    await said.formed("three", KIM, ADA)  # as if it had been on its way
    for again in (said.formed("one", ADA, OMAR, ".g2"), said.formed("two", LIN, JO, ".g2"), said.released("two", ".g2")):
        await again
    await said.formed("four", SAM, JO, ".g2")
    return {"pa_one": [None, OMAR], "pa_three": [KIM, None], "pa_four": [SAM, JO]}


@pytest.mark.guarantee("running")
@pytest.mark.integration
@pytest.mark.parametrize("language", PROGRAMS)
async def test_it_keeps_what_it_should_and_nothing_else(infra: Infra, language: str) -> None:
    start = command(language)
    async with Said(infra.kafka).open() as said:
        wanted = await everything(said)
        process = await asyncio.create_subprocess_exec(
            *start, infra.kafka, f"{said.prefix}-{language}", said.prefix,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )  # fmt: skip
        assert process.stdout and process.stderr
        heard: list[dict[str, Any]] = []
        reading = asyncio.create_task(_read(process.stdout, heard))
        try:
            await until(lambda: (heard and heard[-1] == wanted) or process.returncode is not None, 90)
            assert process.returncode is None, (await process.stderr.read()).decode()
            await said.formed("last", LIN, KIM)
            wanted["pa_last"] = [LIN, KIM]
            await until(lambda: heard[-1] == wanted, 60)
            await said.say("PairFormed", "pr_x/pair/pa_new", 1, v=2)
            assert await process.wait() != 0, "it guesses what a newer version means"
            assert b"PairFormed" in await process.stderr.read()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
            await reading
    assert heard[-1] == wanted


async def _read(stream: asyncio.StreamReader, heard: list[dict[str, Any]]) -> None:
    async for line in stream:
        heard.append(json.loads(line))
