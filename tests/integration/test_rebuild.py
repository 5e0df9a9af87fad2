"""A rebuild on real servers: traffic goes on, the views are the same, and no task is missed or run twice."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chassis.receiving.rebuild import Cannot, Progress, Rebuild
from chassis.receiving.tasks import Work
from chassis.running.mongo import Document
from chassis.running.runtime import Runtime
from tests.infrastructure import Infra
from tests.integration.kit import Traffic, World, until

pytestmark = pytest.mark.integration
STREAMS = 20


class Counting(World):
    """Counts how often each task ran."""

    def __init__(self, infra: Infra, folder: Path) -> None:
        super().__init__(infra, folder)
        self.ran: Counter[str] = Counter()

    async def _echo(self, fact: Any, work: Work) -> None:
        self.ran[work.event] += 1
        await super()._echo(fact, work)


@pytest.fixture
def world(infra: Infra, tmp_path: Path) -> Counting:
    return Counting(infra, tmp_path)


def rebuild_of(runtime: Runtime, said: list[Progress] | None = None) -> Rebuild:
    say = (lambda progress: None) if said is None else said.append
    return Rebuild(
        runtime.database,
        runtime.versions,
        runtime.inbox_of,
        runtime.settings.kafka_bootstrap,
        batch_records=100,
        say=say,
    )


async def documents(runtime: Runtime) -> dict[str, Document]:
    found = await runtime.database.collection(runtime.inbox.collection).find().to_list(None)
    return {d["_id"]: d for d in found}


async def settled(world: Counting, hearer: Runtime, said: list[str]) -> None:
    """Everything that was said has taken effect, and every task has run once."""

    async def heard() -> bool:
        views = await documents(hearer)
        return sum(d["v"] for d in views.values()) == len(said) and set(world.ran) == set(said)

    await until(heard, 30)
    await asyncio.sleep(0.5)  # a task that were run twice would be run by now
    assert world.ran == Counter(said)


async def of_the_journal(world: World, writer: Runtime) -> dict[str, tuple[int, int, str]]:
    """Version, sum and digest of each stream, folded from the journal."""
    folded: dict[str, tuple[int, int, str]] = {}
    async for commit in writer.database.collection("journal").find().sort([("stream", 1), ("from", 1)]):
        read = await writer.commands.read(world.totals, commit["stream"])
        folded[commit["stream"]] = (commit["to"], read[0].amount, commit["digest"])
    return folded


def of_the_views(views: dict[str, Document]) -> dict[str, tuple[int, int, str]]:
    return {id: (d["v"], d["doc"]["amount"], d["digest"]) for id, d in views.items()}


@pytest.mark.guarantee("G5")
async def test_traffic_goes_on_while_a_version_is_filled_and_takes_over_and_nothing_is_missed_or_repeated(
    world: Counting,
) -> None:
    progress: list[Progress] = []
    async with world.running(world.writer) as writer, world.running(world.hearer) as hearer:
        traffic = Traffic(world, writer, STREAMS)
        await traffic.more(300)
        other = world.runtime_of(world.hearer, "rebuild")
        before = len(traffic.said)
        async with traffic:
            assert await rebuild_of(other, progress).forward() == 2
            during = len(traffic.said)
            await until(lambda: hearer.inbox.version == 2 and not hearer.waiting_for())
            await asyncio.sleep(1)
        assert before < during < len(traffic.said), "there was no traffic before and after the change"
        assert progress[-1].version == 2 and progress[-1].done >= before
        await settled(world, hearer, traffic.said)
        views = await documents(hearer)
        assert of_the_views(views) == await of_the_journal(world, writer)
        assert not any("tasked" in d or "parked" in d for d in views.values())

        old = hearer.inbox_of(1)
        stale = {d["_id"]: d["v"] for d in await other.database.collection(old.collection).find().to_list(None)}
        assert sum(stale.values()) < len(traffic.said), "the old version went on beside the new one"

        await back(world, hearer, other, traffic)
        assert of_the_views(await documents(hearer)) == await of_the_journal(world, writer)
        await other.database.close()


async def back(world: Counting, hearer: Runtime, other: Runtime, traffic: Traffic) -> None:
    """And back, and what is not live dropped, while traffic goes on again."""
    async with traffic:
        assert await rebuild_of(other).back() == 1
        await until(lambda: hearer.inbox.version == 1 and not hearer.waiting_for())
        await asyncio.sleep(0.5)
    await settled(world, hearer, traffic.said)
    assert await rebuild_of(other).drop() == [2]
    assert "views_v2" not in await other.database._db.list_collection_names()
    assert (
        await other.database.collection("checkpoints").count_documents({"inbox": f"{world.hearer.name}.inbox.v2"}) == 0
    )
    with pytest.raises(Cannot, match="no earlier version"):
        await rebuild_of(other).back()


@pytest.mark.guarantee("G5")
async def test_a_rebuild_that_dies_holding_the_live_version_holds_it_up_for_seconds_only(world: Counting) -> None:
    async with world.running(world.writer) as writer, world.running(world.hearer) as hearer:
        traffic = Traffic(world, writer, STREAMS)
        await traffic.more(20)
        await settled(world, hearer, traffic.said)
        dying = rebuild_of(hearer)
        session = await hearer.database.start_session()
        dying._lsid = session.session_id
        assert await dying._hold(hearer.inbox.name)
        await traffic.more(20)
        await asyncio.sleep(1)
        assert len(world.ran) == 20, "it was not held"
        await settled(world, hearer, traffic.said)
        await session.end_session()


@pytest.mark.guarantee("G5")
async def test_a_release_with_other_folds_waits_until_its_own_version_is_live_and_the_old_one_then_stands_by(
    world: Counting,
) -> None:
    newer = replace(world.hearer, folds=2)
    async with world.running(world.writer) as writer, world.running(world.hearer) as old:
        traffic = Traffic(world, writer, STREAMS)
        await traffic.more(50)
        await settled(world, old, traffic.said)
        new = world.runtime_of(newer)
        new.start()
        await until(lambda: new.waiting_for() == ["inbox"])
        other = world.runtime_of(newer, "rebuild")
        async with traffic:
            assert await rebuild_of(other).forward() == 2
            await until(lambda: not new.waiting_for() and old.waiting_for() == ["inbox"])
            await asyncio.sleep(0.5)
        await settled(world, new, traffic.said)
        with pytest.raises(Cannot, match="other folds"):
            await rebuild_of(other).back()
        await new.stop()
        await other.database.close()
