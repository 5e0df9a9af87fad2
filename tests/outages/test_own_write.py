"""A caller who names what was answered is never shown anything older, whatever happens to the workers meanwhile."""

from __future__ import annotations

import asyncio
import random
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import httpx
import pytest

from chassis.receiving.rebuild import Rebuild
from tests.integration.kit import World, until
from tests.outages.kit import asked, serving

pytestmark = [pytest.mark.integration, pytest.mark.guarantee("G11")]

AFTER = "Counterpoint-After"
BUDGET, NOISE = 2.0, 10.0
"""Seconds that a request waits for what it names, and what a busy machine adds."""


@dataclass
class Callers:
    """Callers who write to several things and then read them, at any process, naming what they were answered."""

    writers: list[httpx.AsyncClient]
    readers: list[httpx.AsyncClient]
    things: int = 6
    compared: int = 0
    stale: int = 0
    later: int = 0
    several: int = 0
    slowest: float = 0.0
    older: list[str] = field(default_factory=list)
    odd: list[str] = field(default_factory=list)
    going: bool = True

    async def run(self, callers: int) -> None:
        async with asyncio.TaskGroup() as group:
            for n in range(callers):
                group.create_task(self._go_on(random.Random(n)))

    async def _go_on(self, chance: random.Random) -> None:
        known: list[str] = []
        while self.going:
            one, other = chance.sample(range(self.things), 2)
            body = {"amount": 1, "also": f"t{other}"} if chance.random() < 0.5 else {"amount": 1}
            said = await chance.choice(self.writers).post(f"/tallies/t{one}", json=body)
            if said.status_code != 200:
                assert said.status_code == 503 and said.headers["Retry-After"], said.text
                continue
            known = [*known, *said.json()["after"]][-chance.randint(1, 8) :]
            await self._read(chance, known)

    async def _read(self, chance: random.Random, known: list[str]) -> None:
        at = chance.choice(self.readers)
        unasked = {i["stream"]: i["version"] for i in (await at.get("/sums")).json()["items"]}
        self.stale += self._behind(unasked, known)
        # One header with a list, or a header for each: the same thing.
        lines = [(AFTER, v) for v in known] if chance.random() < 0.3 else [(AFTER, ", ".join(known))]
        self.several += len(known) > 1
        began = time.monotonic()
        answer = await at.get("/sums", headers=lines)
        self.slowest = max(self.slowest, time.monotonic() - began)
        if answer.status_code == 503:
            self.later += 1
            if not answer.headers.get("Retry-After"):
                self.odd.append(answer.text)
        elif answer.status_code != 200:
            self.odd.append(f"{answer.status_code} {answer.text}")
        else:
            self.compared += 1
            seen = {i["stream"]: i["version"] for i in answer.json()["items"]}
            if self._behind(seen, known):
                self.older.append(f"{known} was named, and shown was {seen}")

    @staticmethod
    def _behind(seen: dict[str, int], known: list[str]) -> bool:
        return any(seen.get(s, 0) < int(v) for s, _, v in (k.rpartition("@") for k in known))


async def test_nothing_older_is_ever_shown_while_a_version_changes_and_a_worker_dies(world: World) -> None:
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        first, second = [await enter(asked(world, "writer", role)) for role in ("all", "api")]
        dying = await enter(serving(world, "hearer", "worker", delay=0.05))
        readers = [await enter(asked(world, "hearer")) for _ in range(2)]
        callers = Callers([first[0], second[0]], [http for http, _ in readers])
        running = asyncio.create_task(callers.run(12))
        await until(lambda: callers.compared > 100, 60)

        runtime = readers[0][1].state.runtime
        rebuild = Rebuild(runtime.database, runtime.versions, runtime.inbox_of, world.infra.kafka)
        assert await rebuild.forward() == 2
        await until(lambda: all(app.state.runtime.inbox.version == 2 for _, app in readers))
        flipped = callers.compared
        await until(lambda: callers.compared > flipped + 100, 60)

        # Its partitions are nobody's until Kafka notices; who asks meanwhile is told to come again.
        dying.child.kill()
        await enter(serving(world, "hearer", "worker", delay=0.05))
        await until(lambda: callers.later > 10, 60)
        refused, compared = callers.later, callers.compared
        await until(lambda: callers.compared > compared + 100, 90)
        callers.going = False
        await running
    assert not callers.older, callers.older[:5]
    assert not callers.odd, callers.odd[:5]
    assert callers.stale > 50, "the views were never behind: nobody had to wait"
    assert callers.several > 50 and refused > 10
    assert callers.slowest < BUDGET + NOISE, f"a request waited {callers.slowest:.1f} s"


async def test_who_names_what_will_not_come_is_told_in_time_and_what_is_no_version_is_refused(world: World) -> None:
    patient = {"answer_seconds": 60}
    async with asked(world, "writer", **patient) as (writer, _), asked(world, "hearer", **patient) as (hearer, app):
        said = (await writer.post("/tallies/one", json={"amount": 1})).json()["after"][0]
        stream = said.rpartition("@")[0]
        began = time.monotonic()
        late = await hearer.get("/sums", headers={AFTER: said})  # no worker, and no relay
        waited = time.monotonic() - began
        assert (late.status_code, late.json()["title"], late.headers["Retry-After"]) == (503, "Not seen yet", "1")
        assert BUDGET <= waited < BUDGET + NOISE
        never = said.replace("/tally/", "/echo/")
        for wrong in (
            never, f"{said}, {never}", stream, f"{stream}@", f"{stream}@0", f"{stream}@-1", f"{stream}@1.0",
            f"{stream}@1_0", f"{stream}@\u0661", f"{stream}@{'9' * 30}", "@1", "tally@1", f"{said};{said}",
            ",".join([said] * 21),
        ):  # fmt: skip
            answer = await hearer.get("/sums", headers={AFTER: wrong.encode()})
            assert (answer.status_code, answer.json()["title"]) == (400, "After"), (wrong, answer.text)
        for nothing in ("", " , "):
            assert (await hearer.get("/sums", headers={AFTER: nothing})).status_code == 200
        assert not app.state.runtime.stalled()
