"""The fixture's servers behave like the ones the services need: replica set, access control, groups, compaction."""

import asyncio

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from motor.motor_asyncio import AsyncIOMotorClient
from pymongo.errors import OperationFailure

from tests.infrastructure import Infra

pytestmark = pytest.mark.integration


async def test_a_transaction_is_seen_whole_or_not_at_all(infra: Infra) -> None:
    database = infra.database()
    client = AsyncIOMotorClient(database.uri)
    rows = client[database.name]["rows"]
    await rows.insert_one({"_id": 0})
    async with await client.start_session() as session:
        with pytest.raises(ZeroDivisionError):
            async with session.start_transaction():
                await rows.insert_one({"_id": 1}, session=session)
                raise ZeroDivisionError
        async with session.start_transaction():
            await rows.insert_many([{"_id": 2}, {"_id": 3}], session=session)
            assert await rows.count_documents({}) == 1
    assert [row["_id"] async for row in rows.find().sort("_id")] == [0, 2, 3]
    client.close()


@pytest.mark.guarantee("running")
async def test_a_user_reaches_one_database_only(infra: Infra) -> None:
    mine, other = infra.database(), infra.database()
    client = AsyncIOMotorClient(mine.uri)
    with pytest.raises(OperationFailure) as refused:
        await client[other.name]["rows"].insert_one({})
    assert refused.value.code == 13
    nobody = AsyncIOMotorClient(infra.mongo.replace("root:", "root:x"))
    with pytest.raises(OperationFailure) as unknown:
        await nobody[mine.name]["rows"].insert_one({})
    assert unknown.value.code == 18
    client.close()
    nobody.close()


async def test_an_abandoned_transaction_is_ended_by_its_own_user(infra: Infra) -> None:
    database = infra.database()
    dead, heir = AsyncIOMotorClient(database.uri), AsyncIOMotorClient(database.uri)
    await heir[database.name]["rows"].insert_one({"_id": 0, "n": 0})
    session = await dead.start_session()
    session.start_transaction()
    await dead[database.name]["rows"].update_one({"_id": 0}, {"$set": {"n": 1}}, session=session)
    await heir[database.name].command("killSessions", [session.session_id])
    await asyncio.wait_for(heir[database.name]["rows"].update_one({"_id": 0}, {"$set": {"n": 2}}), 5)
    with pytest.raises(OperationFailure):
        await session.commit_transaction()
    assert (await heir[database.name]["rows"].find_one({"_id": 0}))["n"] == 2
    await session.end_session()
    dead.close()
    heir.close()


async def test_what_is_produced_is_consumed_in_order_by_a_group(infra: Infra) -> None:
    topic = infra.topic(partitions=2)
    async with AIOKafkaProducer(bootstrap_servers=infra.kafka, acks="all", enable_idempotence=True) as producer:
        for number in range(20):
            await producer.send_and_wait(topic, str(number).encode(), key=f"key {number % 3}".encode())
    found: dict[bytes, list[int]] = {}
    async with AIOKafkaConsumer(
        topic, bootstrap_servers=infra.kafka, group_id=topic, auto_offset_reset="earliest"
    ) as consumer:
        for _ in range(20):
            record = await asyncio.wait_for(consumer.getone(), 20)
            found.setdefault(record.key, []).append(int(record.value))
    assert found == {f"key {key}".encode(): list(range(key, 20, 3)) for key in range(3)}


async def test_a_record_from_the_travelling_clocks_future_is_taken(infra: Infra) -> None:
    topic = infra.topic(partitions=1)
    year = 4_102_444_800_000  # the first moment of 2100
    async with AIOKafkaProducer(bootstrap_servers=infra.kafka) as producer:
        assert (await producer.send_and_wait(topic, b"later", timestamp_ms=year)).offset == 0
