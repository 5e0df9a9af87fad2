"""What must never stop or fool an inbox: repeats, gaps, rewritten history, foreign records, a dead owner's locks."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from pathlib import Path

import pytest
from faststream.kafka import KafkaBroker

from chassis.deciding.journal import GENESIS, Event, chain
from chassis.distributing.producer import Outgoing, Producer
from chassis.distributing.slots import partition_of
from chassis.running.mongo import PyMongoError
from chassis.running.runtime import Runtime
from contracts.envelope import Envelope, to_headers
from tests.infrastructure import Infra
from tests.integration.kit import PARTITIONS, World, now, until

pytestmark = pytest.mark.integration


@pytest.fixture
def world(infra: Infra, tmp_path: Path) -> World:
    return World(infra, tmp_path)


def record(world: World, thing: str, version: int, amount: int, *, v: int = 1, digest: str = "") -> Outgoing:
    """A record as the writer's relay would send it."""
    stream = world.totals.stream(world.program, thing)
    data = world.Added(program=world.program, amount=amount).encode()
    envelope = Envelope(
        service=world.writer.name,
        type="Added",
        v=v,
        stream=stream,
        version=version,
        at=now(),
        digest=digest or chain(GENESIS, stream, version, now(), [Event("Added", 1, data)]),
        commit=f"c{version}",
        first=version,
        last=version,
        command="x",
        correlation="test",
    )
    return Outgoing(stream.encode(), data.encode(), to_headers(envelope))


async def send(world: World, *records: Outgoing) -> None:
    producer = Producer(world.infra.kafka)
    await producer.start()
    for r in records:
        await producer.send(world.tally.topic or "", partition_of((r.key or b"").decode(), PARTITIONS), [r])
    await producer.close()


async def sum_of(world: World, hearer: Runtime, thing: str) -> tuple[int, int, bool] | None:
    """Amount, version and whether parked."""
    stream = world.totals.stream(world.program, thing)
    for found in await hearer.inbox.reader.find(world.sums, world.program):
        if found.stream == stream:
            return found.row.amount, found.version, found.parked
    return None


@pytest.mark.guarantee("G3")
async def test_a_repeat_at_a_new_offset_takes_effect_once(world: World) -> None:
    first, second = record(world, "one", 1, 10), record(world, "one", 2, 5)
    async with world.running(world.hearer) as hearer:
        await send(world, first, second, first, second, record(world, "end", 1, 1))
        await until(lambda: sum_of(world, hearer, "end"))
        await asyncio.sleep(0.2)
        assert await sum_of(world, hearer, "one") == (15, 2, False)


@pytest.mark.guarantee("G3")
async def test_a_gap_parks_the_stream_at_once_and_heals_when_the_version_comes(world: World) -> None:
    async with world.running(world.hearer) as hearer:
        await send(world, record(world, "one", 1, 1), record(world, "one", 3, 100), record(world, "one", 4, 1000))

        async def is_(expected: tuple[int, int, bool]) -> bool:
            return await sum_of(world, hearer, "one") == expected

        await until(lambda: is_((1, 1, True)))
        await send(world, record(world, "other", 1, 7))
        await until(lambda: sum_of(world, hearer, "other"))
        assert await is_((1, 1, True))
        await send(world, record(world, "one", 2, 10))
        await until(lambda: is_((1111, 4, False)))
        assert await hearer.database.collection("parked").count_documents({"kind": "fact"}) == 0


@pytest.mark.guarantee("G12")
async def test_a_repeated_version_with_another_digest_parks_its_stream(world: World) -> None:
    async with world.running(world.hearer) as hearer:
        await send(world, record(world, "one", 1, 1), record(world, "one", 1, 2, digest="f" * 64))

        async def parked() -> bool:
            return await sum_of(world, hearer, "one") == (1, 1, True)

        await until(parked)


@pytest.mark.guarantee("G6")
async def test_a_newer_version_of_a_known_fact_parks_and_never_guesses(world: World) -> None:
    async with world.running(world.hearer) as hearer:
        await send(world, record(world, "one", 1, 1), record(world, "one", 2, 2, v=9))

        async def parked() -> bool:
            return await sum_of(world, hearer, "one") == (1, 1, True)

        await until(parked)


@pytest.mark.guarantee("G7")
async def test_foreign_and_malformed_records_are_kept_aside_and_stop_nobody(world: World) -> None:
    good = record(world, "one", 1, 3)
    key = good.key
    no_headers = Outgoing(key, b"{}", [])
    not_json = Outgoing(record(world, "broken", 1, 1).key, b"\xff\x00not json", record(world, "broken", 1, 1).headers)
    lying_key = Outgoing(b"somebody/else/1", good.value, good.headers)
    wrong_id = Outgoing(key, good.value, [(k, b"x" if k == "ce_id" else v) for k, v in good.headers])
    unknown = record(world, "newer", 1, 1)
    unknown = replace(unknown, headers=[(k, v.replace(b"Added", b"Taken")) for k, v in unknown.headers])
    async with world.running(world.hearer) as hearer:
        await send(world, no_headers, not_json, lying_key, wrong_id, unknown, good)

        async def arrived() -> bool:
            return await sum_of(world, hearer, "one") == (3, 1, False)

        await until(arrived)
        await until(lambda: sum_of(world, hearer, "broken"))
        await until(lambda: sum_of(world, hearer, "newer"))
        parked = hearer.database.collection("parked")

        async def three() -> bool:
            return bool(await parked.count_documents({"kind": "record"}) == 3)

        await until(three)
        rows = await parked.find({"kind": "record"}).to_list(None)
        assert sorted(r["reason"].split(" ")[0] for r in rows) == ["ce_id", "the", "the"]
        assert await sum_of(world, hearer, "broken") == (0, 0, True)
        assert await sum_of(world, hearer, "newer") == (0, 1, False)  # an unknown type counts, and changes nothing


@pytest.mark.guarantee("G3")
async def test_a_dead_owners_open_transaction_holds_nobody_up(world: World) -> None:
    async with world.running(world.hearer) as first:
        await send(world, record(world, "one", 1, 1))
        await until(lambda: sum_of(world, first, "one"))
        zombie = first.inbox
        stream = world.totals.stream(world.program, "one")
        place = (world.tally.topic or "", partition_of(stream, PARTITIONS))
        session = zombie._session
        assert session is not None
        await until(lambda: not session.in_transaction)  # others may see what was committed before we are answered
        session.start_transaction()
        held = [{"q": {"_id": zombie._key(place)}, "u": {"$set": {"held": True}}}]
        await first.database.update("checkpoints", held, session)
        successor = Runtime(world.hearer, world.settings(world.hearer))
        began = time.monotonic()
        assert (await successor.inbox.take([place]))[place] == zombie.offsets[place]
        assert time.monotonic() - began < 1
        with pytest.raises(PyMongoError):
            await session.commit_transaction()
        await successor.inbox.close()
        await successor.database.close()


@pytest.mark.guarantee("G3")
async def test_what_is_known_survives_a_restart_and_nothing_is_applied_twice(world: World) -> None:
    async with world.running(world.writer) as writer:
        async with world.running(world.hearer) as hearer:
            for n in range(1, 4):
                await world.add(writer, "one", n)

            async def six() -> bool:
                return await sum_of(world, hearer, "one") == (6, 3, False)

            await until(six)
        await world.add(writer, "one", 4)
        async with world.running(world.hearer) as again:

            async def ten() -> bool:
                return await sum_of(world, again, "one") == (10, 4, False)

            await until(ten)


async def test_a_subscriber_that_is_plain_faststream_reads_the_same_records(world: World) -> None:
    seen: list[bytes] = []
    broker = KafkaBroker(world.infra.kafka)

    @broker.subscriber(world.tally.topic or "", group_id=world.writer.name + "x", auto_offset_reset="earliest")
    async def hear(body: dict[str, object]) -> None:
        seen.append(str(body["amount"]).encode())

    async with world.running(world.writer) as writer, broker:
        await broker.start()
        await world.add(writer, "one", 41)
        await until(lambda: seen == [b"41"])
