"""Documents are kept, found, changed and ordered alike, whatever keeps them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chassis.running.mongo import ASCENDING, Database, DuplicateKeyError, IndexModel, WriteFailed
from tests.integration.kit import now

AT = datetime(2026, 3, 1, 12, 30, 15, 123000, tzinfo=UTC)
DOCS: list[dict[str, Any]] = [
    {"_id": "a", "n": 1, "s": "x", "at": AT, "parked": {"since": "t1"}, "list": ["p", "q"]},
    {"_id": "b", "n": 2, "s": "y", "at": AT + timedelta(seconds=1), "none": None},
    {"_id": "c", "n": 3, "s": "x", "doc": {"pair": "one", "people": [{"id": "u"}, {"id": "v"}]}},
    {"_id": "d", "n": "3", "doc": {"pair": "two"}, "list": []},
    {"_id": "e", "flag": True},
]


async def test_a_document_comes_back_as_it_was(database: Database) -> None:
    collection = database.collection("things")
    doc: dict[str, Any] = {"_id": "one", "at": AT, "raw": b"\x00\xff", "none": None, "deep": {"list": [1, {"x": 2.5}]}}
    await collection.insert_one(doc)
    doc["deep"]["list"].append("afterwards")
    found = await collection.find_one({"_id": "one"})
    assert found == {"_id": "one", "at": AT, "raw": b"\x00\xff", "none": None, "deep": {"list": [1, {"x": 2.5}]}}
    assert found["at"].tzinfo is not None
    found["deep"]["list"].clear()
    assert (await collection.find_one({"_id": "one"}))["deep"]["list"]
    fine = AT + timedelta(microseconds=789)
    await collection.insert_one({"_id": "two", "at": fine})
    assert (await collection.find_one({"_id": "two"}))["at"] == AT
    assert await collection.find_one({"_id": "three"}) is None


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ({}, "abcde"),
        ({"s": "x"}, "ac"),
        ({"n": 3}, "c"),
        ({"_id": "b", "n": 2}, "b"),
        ({"_id": {"$in": ["e", "a", "zz"]}}, "ae"),
        ({"_id": {"$gt": "b"}}, "cde"),
        ({"none": None}, "abcde"),
        ({"s": None}, "de"),
        ({"n": {"$gte": 2}}, "bc"),
        ({"n": {"$gt": 1, "$lte": 3}}, "bc"),
        ({"n": {"$lt": 2}}, "a"),
        ({"at": {"$lte": AT}}, "a"),
        ({"at": {"$gt": AT}}, "b"),
        ({"s": {"$in": ["y", None]}}, "bde"),
        ({"_id": {"$nin": ["a", "b"]}}, "cde"),
        ({"n": {"$nin": []}}, "abcde"),
        ({"parked": {"$exists": True}}, "a"),
        ({"none": {"$exists": True}}, "b"),
        ({"parked": {"$exists": False}, "s": "x"}, "c"),
        ({"parked.since": "t1"}, "a"),
        ({"doc.pair": {"$in": ["two", "three"]}}, "d"),
        ({"doc.people.id": "v"}, "c"),
        ({"list": "q"}, "a"),
        ({"list": {"$in": ["q", "z"]}}, "a"),
        ({"list": ["p", "q"]}, "a"),
        ({"parked": {"since": "t1"}}, "a"),
        ({"flag": True}, "e"),
        ({"$or": [{"n": 1}, {"flag": True}]}, "ae"),
        ({"$or": [{"n": 1}, {"n": 2}], "s": "y"}, "b"),
        ({"_id": {"$gte": "b", "$lt": "d"}}, "bc"),
        ({"at": {"$exists": True}, "$expr": {"$lt": ["$at", "$$NOW"]}}, "ab"),
        ({"at": {"$exists": True}, "$expr": {"$lt": ["$$NOW", "$at"]}}, ""),
        ({"$expr": {"$lt": ["$none", "$$NOW"]}}, "abcde"),
        ({"$expr": {"$lt": ["$n", "$$NOW"]}}, "abcde"),
    ],
    ids=str,
)
async def test_a_query_finds(database: Database, query: dict[str, Any], wanted: str) -> None:
    await database.insert("things", DOCS)
    collection = database.collection("things")
    found = await collection.find(query).sort("_id", 1).to_list(None)
    assert "".join(doc["_id"] for doc in found) == wanted
    assert await collection.count_documents(query) == len(wanted)


@pytest.mark.parametrize(
    ("update", "wanted"),
    [
        ({"$set": {"n": 2, "new": [1]}}, {"n": 2, "deep": {"x": 1, "y": 2}, "new": [1]}),
        ({"$set": {"deep.x": 5, "far.away": 1}}, {"n": 1, "deep": {"x": 5, "y": 2}, "far": {"away": 1}}),
        ({"$unset": {"deep.x": "", "nothing.here": ""}}, {"n": 1, "deep": {"y": 2}}),
        ({"$unset": {"n": 1}, "$set": {"z": None}}, {"deep": {"x": 1, "y": 2}, "z": None}),
        ({"$inc": {"n": 4, "first": 1}}, {"n": 5, "deep": {"x": 1, "y": 2}, "first": 1}),
        ({"$push": {"list": {"a": 1}}}, {"n": 1, "deep": {"x": 1, "y": 2}, "list": [{"a": 1}]}),
        ({"$setOnInsert": {"n": 9}}, {"n": 1, "deep": {"x": 1, "y": 2}}),
        ([{"$set": {"n": 3}}], {"n": 3, "deep": {"x": 1, "y": 2}}),
    ],
    ids=str,
)
async def test_an_update_makes(database: Database, update: Any, wanted: dict[str, Any]) -> None:
    collection = database.collection("things")
    await collection.insert_one({"_id": "one", "n": 1, "deep": {"x": 1, "y": 2}})
    done = await collection.update_one({"_id": "one"}, update)
    found = await collection.find_one({"_id": "one"})
    assert found == {"_id": "one", **wanted}
    assert list(found)[:1] == ["_id"]
    assert (done.matched_count, done.modified_count) == (
        1,
        int(found != {"_id": "one", "n": 1, "deep": {"x": 1, "y": 2}}),
    )


async def test_a_time_from_now_is_of_the_servers_clock(database: Database) -> None:
    collection = database.collection("leases")
    await collection.insert_one({"_id": "one"})
    until = {"$dateAdd": {"startDate": "$$NOW", "unit": "millisecond", "amount": 5000}}
    await collection.update_one({"_id": "one"}, [{"$set": {"owner": "me", "until": until}}])
    found = await collection.find_one({"_id": "one"})
    assert found["owner"] == "me" and abs(found["until"] - await database.now() - timedelta(seconds=5)) < timedelta(
        seconds=3
    )
    assert (await database.now()).tzinfo is not None and abs(await database.now() - now()) < timedelta(seconds=60)


async def test_what_is_not_there_is_inserted_where_that_is_asked(database: Database) -> None:
    collection = database.collection("things")
    nothing = await collection.update_one({"_id": "one"}, {"$set": {"n": 1}})
    assert (nothing.matched_count, nothing.modified_count, nothing.upserted_id) == (0, 0, None)
    made = await collection.update_one(
        {"_id": "one", "mode": "live", "n": {"$gt": 1}}, {"$set": {"a": 1}, "$setOnInsert": {"offset": 0}}, upsert=True
    )
    assert (made.matched_count, made.upserted_id) == (0, "one")
    assert await collection.find_one({"_id": "one"}) == {"_id": "one", "mode": "live", "a": 1, "offset": 0}
    with pytest.raises(DuplicateKeyError):
        await collection.update_one({"_id": "one", "mode": "held"}, {"$set": {"a": 2}}, upsert=True)
    again = await collection.update_one({"_id": "one", "mode": "live"}, {"$setOnInsert": {"offset": 7}}, upsert=True)
    assert (again.matched_count, again.modified_count) == (1, 0)
    await collection.replace_one({"_id": "two"}, {"_id": "two", "n": 1}, upsert=True)
    await collection.replace_one({"_id": "two"}, {"n": 2}, upsert=True)
    assert await collection.find_one({"_id": "two"}) == {"_id": "two", "n": 2}


async def test_a_document_is_changed_and_answered_in_one(database: Database) -> None:
    collection = database.collection("things")
    change = {"$inc": {"n": 1}}
    assert await collection.find_one_and_update({"_id": "one"}, change, upsert=True, return_document=True) == {
        "_id": "one",
        "n": 1,
    }
    assert (await collection.find_one_and_update({"_id": "one"}, change))["n"] == 1
    assert (await collection.find_one_and_update({"_id": "one"}, change, return_document=True))["n"] == 3
    assert await collection.find_one_and_update({"_id": "two"}, change) is None
    with pytest.raises(DuplicateKeyError):
        await collection.find_one_and_update({"_id": "one", "mode": "x"}, change, upsert=True, return_document=True)
    assert (await collection.find_one_and_delete({"n": 3}))["_id"] == "one"
    assert await collection.find_one_and_delete({"n": 3}) is None


async def test_order_limit_and_choice_of_fields(database: Database) -> None:
    await database.insert("things", DOCS)
    collection = database.collection("things")
    docs = await collection.find({}, {"n": 1}).sort([("s", -1), ("_id", 1)]).limit(3).to_list(None)
    assert docs == [{"_id": "b", "n": 2}, {"_id": "a", "n": 1}, {"_id": "c", "n": 3}]
    docs = await collection.find({}).sort([("s", 1), ("_id", -1)]).to_list(None)
    assert [d["_id"] for d in docs] == ["e", "d", "c", "a", "b"]
    docs = await collection.find({}).sort("parked.since", 1).limit(5).to_list(None)
    assert docs[-1]["_id"] == "a"
    assert [d["_id"] async for d in collection.find({"n": {"$gt": 1}}).sort("n", -1)] == ["c", "b"]
    assert await collection.find_one({"_id": "c"}, {"s": 1}) == {"_id": "c", "s": "x"}


async def test_the_values_of_a_field_are_told_once_each(database: Database) -> None:
    await database.insert("things", DOCS)
    collection = database.collection("things")
    assert sorted(await collection.distinct("s", {"n": {"$gte": 1}})) == ["x", "y"]
    assert await collection.distinct("doc.pair", {"_id": "c"}) == ["one"]
    assert await collection.distinct("s", {"at": {"$gt": AT + timedelta(days=1)}}) == []


async def test_many_are_changed_or_removed_at_once(database: Database) -> None:
    await database.insert("things", DOCS)
    collection = database.collection("things")
    done = await collection.update_many({"s": "x"}, {"$set": {"s": "z"}})
    assert (done.matched_count, done.modified_count) == (2, 2)
    done = await collection.update_many({"s": "z"}, {"$set": {"n": 1}})
    assert (done.matched_count, done.modified_count) == (2, 1)
    assert (await collection.delete_one({"s": "z"})).deleted_count == 1
    assert (await collection.delete_many({"_id": {"$in": ["a", "b", "c"]}})).deleted_count == 2
    assert (await collection.delete_many({"_id": "a"})).deleted_count == 0
    await collection.drop()
    assert await collection.count_documents({}) == 0


async def test_a_unique_key_is_taken_once(database: Database) -> None:
    index = [IndexModel([("stream", ASCENDING), ("from", ASCENDING)], name="version", unique=True)]
    await database.create("journal")
    await database.create("journal", "other")
    assert {"journal", "other"} <= set(await database.collections())
    await database.index("journal", index)
    await database.index("journal", index)
    journal = database.collection("journal")
    await journal.insert_one({"_id": "1", "stream": "a", "from": 1})
    await journal.insert_one({"_id": "2", "stream": "a", "from": 2})
    for twice in ({"_id": "3", "stream": "a", "from": 1}, {"_id": "1", "stream": "b", "from": 1}):
        with pytest.raises(DuplicateKeyError):
            await journal.insert_one(twice)
    await journal.delete_one({"_id": "1"})
    await journal.insert_one({"_id": "3", "stream": "a", "from": 1})
    assert await journal.count_documents({}) == 2


async def test_a_bulk_of_writes_tells_what_it_wrote(database: Database) -> None:
    await database.insert("things", [])
    await database.insert("things", [{"_id": str(n), "n": n} for n in range(5)])
    await database.replace("things", [{"_id": "1", "m": 1}, {"_id": "2", "m": 2}])
    assert await database.collection("things").find_one({"_id": "1"}) == {"_id": "1", "m": 1}
    with pytest.raises(WriteFailed):
        await database.insert("things", [{"_id": "9"}, {"_id": "1"}])
    with pytest.raises(WriteFailed):
        await database.replace("things", [{"_id": "77", "m": 1}])
    updates = [{"q": {"_id": str(n)}, "u": {"$set": {"x": 1}}} for n in (1, 2, 77)]
    assert await database.update("things", updates) == 2
    assert await database.update("things", updates) == 2, "what was so already counts as well"
