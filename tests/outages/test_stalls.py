"""A consumer that does nothing is noticed, whatever the reason, and replaced; what cannot be replaced says so."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from chassis.receiving import consumer as consuming
from chassis.receiving.consumer import Consumer
from chassis.running import following, runtime
from tests.integration.kit import World, until
from tests.outages.kit import asked, caller, serving

pytestmark = [pytest.mark.integration, pytest.mark.guarantee("G10")]


def polling_hangs(consumer: Consumer) -> None:
    """The poll loop waits for what never comes."""
    consumer._kafka.getmany = lambda *args, **options: asyncio.Event().wait()


def fetching_ends(consumer: Consumer) -> None:
    """Polls bring nothing, because nothing is fetched: what a connection that is half dead looks like."""
    consumer._kafka._fetcher._fetch_task.cancel()


def coordination_ends(consumer: Consumer) -> None:
    """Every poll raises: the client gave its group up."""

    async def poll(*args: Any, **options: Any) -> Any:
        raise consuming.KafkaError("unexpected error during coordination")

    consumer._kafka.getmany = poll


def applying_hangs(consumer: Consumer) -> None:
    """A batch is in hand and stays there."""

    async def apply(records: Any) -> int:
        await asyncio.Event().wait()
        return 0

    consumer._inbox.apply = apply  # type: ignore[method-assign]


BROKEN: tuple[Callable[[Consumer], None], ...] = (polling_hangs, fetching_ends, coordination_ends, applying_hangs)


async def test_a_consumer_that_does_nothing_is_replaced(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "IDLE_SECONDS", 1.5)
    monkeypatch.setattr(consuming, "_ANSWERED", 1.5)
    async with world.running(world.writer) as writer, world.running(world.hearer, stop_seconds=0.5) as hearer:
        for n, broken in enumerate(BROKEN, 1):
            found: Consumer = await until(lambda: (c := hearer.following.consumer) and c.assigned and c, 30)
            broken(found)
            after = await world.add(writer, "one", n)
            stream = after[0].partition("@")[0]

            async def heard(n: int = n, stream: str = stream) -> bool:
                return await hearer.inbox.reader.version(stream) == n

            await until(heard, 60)
            await until(lambda c=found: hearer.following.consumer is not c, 30)
            assert not hearer.stalled()
        row = await hearer.inbox.reader.get(world.sums, stream)
        assert row is not None and (row.amount, row.facts) == (10, 4), "a fact was lost or applied twice"


async def test_what_tries_nothing_for_long_is_told_to_the_orchestrator(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime, "STALLED_SECONDS", 3.0)
    async with asked(world, "hearer", "all") as (http, app):
        live = httpx.URL("http://hearer/health/live")
        assert (await http.get(live)).json() == {"stalled": []}
        process: runtime.Runtime = app.state.runtime
        # The supervisor hangs as well, and so do the relay and the tasks.
        await process.parts.cancel()
        found = process.following.consumer
        assert found is not None
        polling_hangs(found)

        async def told() -> bool:
            answer = await http.get(live)
            return answer.status_code == 503 and answer.json() == {"stalled": ["relay", "tasks", "inbox"]}

        await until(told, 30)


async def test_a_fold_that_blocks_the_process_is_seen_from_outside_and_another_process_goes_on(world: World) -> None:
    async with world.running(world.writer) as writer, caller(world) as http:
        async with serving(world, "hearer", blocks=666) as blocked:
            await blocked.until_ready(http)
            await world.add(writer, "one", 1)
            after = await world.add(writer, "one", 666)

            async def silent() -> bool:
                try:
                    await http.get(f"{blocked.url}/health/live", timeout=2)
                except httpx.ReadTimeout:
                    return True
                return False

            await until(silent, 30)
        # What an orchestrator does with it: the block killed it.
        async with world.running(world.hearer) as hearer:
            began = time.monotonic()
            await until(lambda: _seen(hearer, after[0]), 60)
            row = await hearer.inbox.reader.get(world.sums, after[0].partition("@")[0])
            assert row is not None and (row.amount, row.facts) == (667, 2), time.monotonic() - began


async def _seen(hearer: Any, after: str) -> bool:
    stream, _, version = after.partition("@")
    return bool(await hearer.inbox.reader.version(stream) == int(version))
