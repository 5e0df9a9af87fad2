"""The subscriber in the README runs as it is printed there, and hears every fact once and in order."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from collections import defaultdict
from pathlib import Path

import pytest

from chassis.distributing.producer import Outgoing, Producer
from chassis.running.runtime import Runtime
from tests.infrastructure import Infra
from tests.integration.kit import World, until

ROOT = Path(__file__).parents[2]
THINGS, EACH = 5, 4


def printed() -> str:
    """The one Python program in the README."""
    (block,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    return str(block)


def test_it_is_fifteen_lines_and_the_one_among_the_examples() -> None:
    assert printed() == (ROOT / "examples" / "subscriber.py").read_text()
    assert len([line for line in printed().splitlines() if line.strip()]) <= 15
    assert not re.search(r"\b(contracts|chassis|services|local)\b", printed())


@pytest.mark.guarantee("running")
@pytest.mark.integration
async def test_it_hears_every_fact_once_and_in_order(infra: Infra, tmp_path: Path) -> None:
    world = World(infra, tmp_path)
    topic = world.tally.topic or ""
    async with world.running(world.writer) as writer:
        for n in range(1, EACH + 1):
            for thing in range(THINGS):
                await world.add(writer, f"t{thing}", n)
        await _repeat_everything(writer)
        await _say_what_is_no_fact(world.infra.kafka, topic)
        await world.add(writer, "last", 1)
        await until(lambda: _relayed(writer))
    program = tmp_path / "subscriber.py"
    program.write_text(printed())
    heard = await _hear(program, infra.kafka, topic, THINGS * EACH + 1)

    amounts: dict[str, list[int]] = defaultdict(list)
    for line in heard:
        at, type_, stream, value = line.split(" ", 3)
        assert type_ == f"counterpoint.{world.writer.name}.Added" and at.endswith("Z")
        amounts[stream].append(json.loads(value)["amount"])
    last = world.totals.stream(world.program, "last")
    assert amounts.pop(last) == [1]
    assert amounts == {world.totals.stream(world.program, f"t{n}"): list(range(1, EACH + 1)) for n in range(THINGS)}


async def _relayed(writer: Runtime) -> bool:
    return await writer.database.collection("journal").count_documents({"pending": True}) == 0


async def _repeat_everything(writer: Runtime) -> None:
    """Send all of it again, as a relay does that was killed between the acknowledgement and its mark."""
    await until(lambda: _relayed(writer))
    await writer.database.collection("journal").update_many({}, {"$set": {"pending": True}})
    writer.relay.wake()
    await until(lambda: _relayed(writer))


async def _say_what_is_no_fact(bootstrap: str, topic: str) -> None:
    producer = Producer(bootstrap)
    await producer.start()
    for headers in ([], [("a", b"b")]):
        await producer.send(topic, 0, [Outgoing(b"x", b"no fact", headers)])
    await producer.close()


async def _hear(program: Path, bootstrap: str, topic: str, lines: int) -> list[str]:
    """What the program prints, until it has printed so many lines and then been quiet for a moment."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(program), bootstrap, topic,
        stdout=asyncio.subprocess.PIPE, env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    assert process.stdout is not None
    heard = []
    try:
        while True:
            patience = 20 if len(heard) < lines else 1
            heard.append((await asyncio.wait_for(process.stdout.readline(), patience)).decode().rstrip("\n"))
    except TimeoutError:
        return heard
    finally:
        process.kill()
        await process.wait()
