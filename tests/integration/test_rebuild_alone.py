"""Of two processes that rebuild one service, the second is told who is at it; a dead one is in the way for a moment."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from chassis.receiving.rebuild import Rebuild
from chassis.running import job, rebuilding
from chassis.running.lease import COLLECTION, LeaseLost, Taken, lease
from chassis.running.mongo import Database
from tests.infrastructure import Infra
from tests.integration.kit import World, until

pytestmark = [pytest.mark.integration, pytest.mark.guarantee("G5")]


@asynccontextmanager
async def database(infra: Infra) -> AsyncIterator[Database]:
    made = infra.database()
    opened = Database(made.uri, made.name)
    try:
        yield opened
    finally:
        await opened.close()


async def test_a_second_rebuild_is_refused_and_told_who_is_at_it_since_when_and_what_to_do(
    infra: Infra, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(infra, tmp_path)
    began, go_on = asyncio.Event(), asyncio.Event()
    runs = 0

    async def forward(self: Rebuild) -> int:
        nonlocal runs
        runs += 1
        began.set()
        await go_on.wait()
        return 2

    monkeypatch.setattr(Rebuild, "forward", forward)
    first = asyncio.create_task(rebuilding.main(world.runtime_of(world.hearer, "rebuild")))
    await began.wait()
    second = asyncio.create_task(rebuilding.main(world.runtime_of(world.hearer, "rebuild")))
    await until(lambda: second.done() or runs > 1)
    go_on.set()
    assert (await second, runs) == (job.REFUSED, 1)
    assert await first == job.DONE
    told: list[dict[str, Any]] = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    refused = next(line["refused"] for line in told if "refused" in line)
    assert f"process {os.getpid()}, has been at rebuild since 20" in refused and "end that process" in refused
    assert await rebuilding.main(world.runtime_of(world.hearer, "rebuild")) == job.DONE, "it was not given back"


async def test_a_dead_holder_loses_it_and_a_living_one_keeps_it(infra: Infra) -> None:
    async with database(infra) as ours:
        async with lease(ours, "rebuild", 5.0):
            await asyncio.sleep(6)  # longer than one lease: it was renewed
            with pytest.raises(Taken):
                async with lease(ours, "rebuild"):
                    pass
        dead = {"owner": "dead", "by": "somewhere", "since": await ours.now(), "until": await ours.now()}
        await ours.collection(COLLECTION).update_one({"_id": "rebuild"}, {"$set": dead})

        async def free() -> bool:
            try:
                async with lease(ours, "rebuild"):
                    return True
            except Taken:
                return False

        await until(free)


async def test_who_has_lost_it_stops(infra: Infra) -> None:
    async with database(infra) as ours:
        with pytest.raises(LeaseLost):
            async with lease(ours, "rebuild", 1.0):
                await ours.collection(COLLECTION).update_one({"_id": "rebuild"}, {"$set": {"owner": "another"}})
                async with asyncio.timeout(30):
                    await asyncio.sleep(60)
        assert await ours.collection(COLLECTION).count_documents({"owner": "another"}) == 1, (
            "it took what is not its own"
        )
