"""The task runner beside operators and a database in trouble: order per key stays, and an outage costs no try."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from chassis.receiving.runner import ATTEMPTS
from chassis.receiving.tasks import COLLECTION
from chassis.running.mongo import ConnectionFailure, Document
from chassis.testing.loop import run
from tests.chassis.memory_ground import MemoryGround
from tests.chassis.parking import Parts
from tests.chassis.process import EPOCH, Clock, Process

STREAM = 1


class Hearer:
    """A process that has tasks for the first facts of one stream, all of them due; `done` are the versions done."""

    def __init__(self) -> None:
        parts = Parts({})
        self.ground = MemoryGround(1, parts.services.topics)
        clock = Clock(self.ground.now, lambda: timedelta(days=9999))  # later than any fact
        self.process = Process(parts.services.hearer, self.ground.link("hearer"), clock)
        self.rows = [row for version in (1, 2) for row in parts.tasks.rows(parts.fact(STREAM, version), None)]
        self.done: list[int] = []
        self.trouble = 0

    async def start(self) -> list[str]:
        """Prepare everything and write the rows; answers their ids."""
        await self.process.prepare()
        self.process.runner._do = self._do  # type: ignore[method-assign]
        await self.process.database.insert(COLLECTION, self.rows)
        return [row["_id"] for row in self.rows]

    async def _do(self, row: Document, traceparent: str | None) -> None:
        if self.trouble:
            self.trouble -= 1
            raise ConnectionFailure("away")
        self.done.append(int(row["event"].rpartition("@")[2]))

    async def sweep(self) -> None:
        """One look for what is due, and all that comes of it."""
        await self.process.do_tasks()
        await asyncio.gather(*self.process.runner._jobs.values(), return_exceptions=True)

    async def row(self, id: str) -> Document:
        found: Document = await self.process.database.collection(COLLECTION).find_one({"_id": id})
        return found


@pytest.mark.guarantee("G7")
def test_a_task_that_goes_on_while_a_runner_looks_is_done_before_those_behind_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def scenario() -> tuple[list[int], list[int]]:
        hearer = Hearer()
        first, _ = await hearer.start()
        tasks = hearer.process.database.collection(COLLECTION)
        await tasks.update_one({"_id": first}, {"$set": {"state": "parked", "parked_at": EPOCH}})
        looked = hearer.process.runner._blocked

        async def reopened_between(now: Any) -> Any:
            await hearer.process.resuming.retry_task(first)
            return await looked(now)

        monkeypatch.setattr(hearer.process.runner, "_blocked", reopened_between)
        await hearer.sweep()
        at_once = list(hearer.done)
        monkeypatch.setattr(hearer.process.runner, "_blocked", looked)
        await asyncio.sleep(2)
        await hearer.process.do_all_tasks()
        return at_once, hearer.done

    assert run(scenario()) == ([], [1, 2])


@pytest.mark.guarantee("G7")
def test_trouble_of_the_database_costs_a_task_no_try() -> None:
    async def scenario() -> tuple[int, Document, list[int]]:
        hearer = Hearer()
        first, _ = await hearer.start()
        hearer.trouble = ATTEMPTS + 3
        for _ in range(ATTEMPTS + 3):
            await hearer.sweep()
        left, row = hearer.trouble, await hearer.row(first)
        await hearer.process.do_all_tasks()
        return left, row, hearer.done

    left, row, done = run(scenario())
    assert (left, row["state"], row["attempts"]) == (0, "open", 0)
    assert done == [1, 2]
