"""Transactions see one moment, and meet in conflicts alike, whatever keeps the documents."""

from __future__ import annotations

import asyncio

import pytest

from chassis.running.mongo import ASCENDING, Database, DuplicateKeyError, IndexModel, PyMongoError, is_transient
from tests.conformance.conftest import Connect


@pytest.fixture
async def two(connect: Connect) -> tuple[Database, Database]:
    """Two processes and a collection in which there is one document."""
    one, other = connect(), connect()
    await one.create("things", "journal")
    await one.index("journal", [IndexModel([("stream", ASCENDING), ("from", ASCENDING)], name="version", unique=True)])
    await one.collection("things").insert_one({"_id": "a", "n": 1})
    return one, other


async def test_what_a_transaction_writes_is_seen_by_it_alone_until_it_commits(two: tuple[Database, Database]) -> None:
    one, other = two
    mine, theirs = one.collection("things"), other.collection("things")
    async with one.transaction() as session:
        await mine.update_one({"_id": "a"}, {"$set": {"n": 2}}, session=session)
        await one.insert("things", [{"_id": "b", "n": 1}], session)
        await mine.delete_many({"_id": "zz"}, session=session)
        assert [d["n"] for d in await mine.find({}, session=session).sort("_id", 1).to_list(None)] == [2, 1]
        assert await mine.find_one({"n": 1, "_id": "a"}, session=session) is None
        assert [d["n"] for d in await theirs.find({}).to_list(None)] == [1]
    assert await theirs.count_documents({}) == 2


async def test_what_raises_leaves_nothing_behind(two: tuple[Database, Database]) -> None:
    one, _ = two
    with pytest.raises(ZeroDivisionError):
        async with one.transaction() as session:
            await one.insert("things", [{"_id": "b"}], session)
            await one.collection("things").delete_one({"_id": "a"}, session=session)
            raise ZeroDivisionError
    assert [d["_id"] for d in await one.collection("things").find({}).to_list(None)] == ["a"]
    async with one.transaction():
        pass


async def test_a_transaction_reads_as_of_the_moment_at_which_it_first_read(two: tuple[Database, Database]) -> None:
    one, other = two
    async with one.transaction() as session:
        things = one.collection("things")
        assert await things.find_one({"_id": "zz"}, session=session) is None
        await other.collection("things").update_one({"_id": "a"}, {"$set": {"n": 2}})
        await other.collection("things").insert_one({"_id": "b"})
        assert await things.find({}, session=session).to_list(None) == [{"_id": "a", "n": 1}]
        await other.collection("things").delete_one({"_id": "a"})
        assert (await things.find_one({"_id": "a"}, session=session))["n"] == 1


@pytest.mark.parametrize("first", ["open", "committed"])
@pytest.mark.parametrize("what", ["update", "delete", "replace", "insert", "unique"])
async def test_the_first_writer_wins(two: tuple[Database, Database], what: str, first: str) -> None:
    """Whether the other is still at it, or wrote since this one began, the second may try again."""
    one, other = two

    async def write(database: Database, session: object, n: int) -> None:
        things = database.collection("things")
        match what:
            case "update":
                await database.update("things", [{"q": {"_id": "a"}, "u": {"$set": {"n": n}}}], session)
            case "delete":
                await things.delete_many({"_id": "a"}, session=session)
            case "replace":
                await database.replace("things", [{"_id": "a", "n": n}], session)
            case "insert":
                await database.insert("things", [{"_id": "new", "n": n}], session)
            case "unique":
                entry = {"_id": f"commit{n}", "stream": "s", "from": 1}
                await database.collection("journal").insert_one(entry, session=session)

    with pytest.raises(PyMongoError) as told:
        async with other.transaction() as late:
            await other.collection("things").find_one({"_id": "zz"}, session=late)
            early = await one.start_session()
            async with one.transaction(early):
                await write(one, early, 5)
                met = await asyncio.gather(write(other, late, 6), return_exceptions=True) if first == "open" else [None]
            await early.end_session()
            if met[0] is not None:
                raise met[0]
            await write(other, late, 6)
    assert is_transient(told.value)
    assert told.value.has_error_label("TransientTransactionError")
    found = await one.collection("things").find_one({"_id": "new" if what == "insert" else "a"})
    assert found == {"update": {"_id": "a", "n": 5}, "replace": {"_id": "a", "n": 5}, "delete": None,
                     "insert": {"_id": "new", "n": 5}, "unique": {"_id": "a", "n": 1}}[what]  # fmt: skip


async def test_writing_what_is_there_already_meets_nobody(two: tuple[Database, Database]) -> None:
    one, other = two
    async with one.transaction() as first, other.transaction() as second:
        await one.collection("things").update_one({"_id": "a"}, {"$set": {"n": 1}}, session=first)
        await other.collection("things").update_one({"_id": "a"}, {"$set": {"n": 2}}, session=second)
    assert (await one.collection("things").find_one({"_id": "a"}))["n"] == 2


async def test_what_was_there_when_it_began_is_a_duplicate_and_ends_it(two: tuple[Database, Database]) -> None:
    one, _ = two
    await one.collection("journal").insert_one({"_id": "1", "stream": "s", "from": 1})
    with pytest.raises(DuplicateKeyError) as told:
        async with one.transaction() as session:
            await one.collection("things").update_one({"_id": "a"}, {"$set": {"n": 9}}, session=session)
            await one.collection("journal").insert_one({"_id": "2", "stream": "s", "from": 1}, session=session)
    assert not told.value.has_error_label("TransientTransactionError")
    async with one.transaction() as session:
        with pytest.raises(DuplicateKeyError):
            await one.collection("journal").insert_one({"_id": "1", "stream": "t", "from": 1}, session=session)
        with pytest.raises(PyMongoError) as ended:
            await one.collection("things").update_one({"_id": "a"}, {"$set": {"n": 9}}, session=session)
        assert is_transient(ended.value)
        await session.abort_transaction()
        await session_begins(one, session)
    assert (await one.collection("things").find_one({"_id": "a"}))["n"] == 1


async def session_begins(database: Database, session: object) -> None:
    """Begin again on the same session, as the driver in use wants it, so that the block around it may commit."""
    begun = session.start_transaction()  # type: ignore[attr-defined]
    if asyncio.iscoroutine(begun):
        await begun


async def test_a_plain_write_waits_for_the_transaction_before_it(two: tuple[Database, Database]) -> None:
    one, other = two
    async with one.transaction() as session:
        await one.collection("things").update_one({"_id": "a"}, {"$set": {"n": 2}}, session=session)
        waiting = asyncio.ensure_future(other.collection("things").update_one({"_id": "a"}, {"$inc": {"n": 10}}))
        await asyncio.sleep(0.1)
        assert not waiting.done()
        assert (await other.collection("things").find_one({"_id": "a"}))["n"] == 1
    await waiting
    assert (await one.collection("things").find_one({"_id": "a"}))["n"] == 12


async def test_a_plain_insert_waits_and_is_then_a_duplicate(two: tuple[Database, Database]) -> None:
    one, other = two
    async with one.transaction() as session:
        await one.collection("journal").insert_one({"_id": "1", "stream": "s", "from": 1}, session=session)
        second = other.collection("journal").insert_one({"_id": "2", "stream": "s", "from": 1})
        waiting = asyncio.ensure_future(second)
        await asyncio.sleep(0.1)
        assert not waiting.done()
    with pytest.raises(DuplicateKeyError):
        await waiting


async def test_a_session_that_was_ended_by_others_can_write_no_more_but_begin_again(
    two: tuple[Database, Database],
) -> None:
    one, other = two
    session = await one.start_session()
    things = one.collection("things")
    for at_the_commit in (False, True):
        with pytest.raises(PyMongoError) as told:
            async with one.transaction(session):
                await things.update_one({"_id": "a"}, {"$set": {"n": 7}}, session=session)
                await other.kill_session(session.session_id)
                await other.collection("things").update_one({"_id": "a"}, {"$set": {"n": 8}})
                if not at_the_commit:
                    await things.find_one({"_id": "a"}, session=session)
        assert is_transient(told.value)
        assert (await things.find_one({"_id": "a"}))["n"] == 8
    async with one.transaction(session):
        await things.update_one({"_id": "a"}, {"$set": {"n": 9}}, session=session)
    assert (await things.find_one({"_id": "a"}))["n"] == 9
    await session.end_session()


async def test_a_commit_may_be_asked_for_again_and_is_the_same(two: tuple[Database, Database]) -> None:
    one, _ = two
    session = await one.start_session()
    async with one.transaction(session):
        await one.collection("things").update_one({"_id": "a"}, {"$inc": {"n": 1}}, session=session)
    await session.commit_transaction()
    assert (await one.collection("things").find_one({"_id": "a"}))["n"] == 2
    await session.end_session()


async def test_a_session_is_known_by_its_id_in_documents_too(two: tuple[Database, Database]) -> None:
    one, other = two
    session = await one.start_session()
    await one.collection("things").update_one({"_id": "a"}, {"$set": {"lsid": session.session_id}})
    found = await other.collection("things").find_one({"lsid": session.session_id})
    assert found["lsid"] == session.session_id
    await session.end_session()


async def test_nobody_who_lives_is_taken_for_dead(two: tuple[Database, Database]) -> None:
    one, other = two
    async with one.transaction() as session:
        await one.collection("things").update_one({"_id": "a"}, {"$set": {"n": 2}}, session=session)
        assert await other.end_dead_transactions() == 0
    assert (await other.collection("things").find_one({"_id": "a"}))["n"] == 2
