"""State on compacted topics: always the current document at the time of sending, never a remembered revision."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from chassis.deciding.commands import Conflict, Write
from chassis.running.mongo import ASCENDING, Database, Document, IndexModel, Session

COLLECTION = "latest"


class Record(Protocol):
    """A state record of `contracts.profiles`: it has a revision and knows its own JSON."""

    @property
    def rev(self) -> int: ...
    def encode(self) -> str: ...
    def model_dump(self, *, mode: str) -> dict[str, Any]: ...


class LatestStore:
    """The owner's copy of its state records, and which of them Kafka has not seen yet."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._collection = database.collection(COLLECTION)

    async def prepare(self) -> None:
        """Create the relay's work list."""
        await self._database.index(
            COLLECTION,
            [
                IndexModel(
                    [("topic", ASCENDING), ("_id", ASCENDING)], name="dirty", partialFilterExpression={"dirty": True}
                ),
                IndexModel([("erased_at", ASCENDING)], name="erased", sparse=True),
            ],
        )

    async def get(self, topic: str, key: str) -> Document | None:
        """The current record's fields; None where there is none or it was erased."""
        return (await self.find(topic, [key])).get(key)

    async def find(self, topic: str, keys: list[str]) -> dict[str, Document]:
        """The current records of several keys, by key; erased ones are left out."""
        cursor = self._collection.find({"_id": {"$in": [f"{topic}|{key}" for key in keys]}}, batch_size=5000)
        return {d["key"]: d["doc"] for d in await cursor.to_list(None) if not d.get("erased")}

    def put(self, topic: str, key: str, record: Record) -> Write:
        """Write a record in the transaction of a commit. `record.rev` must be the stored revision plus one.

        Raises `Conflict` where somebody else was quicker.
        """
        fields = {
            "topic": topic,
            "key": key,
            "rev": record.rev,
            "doc": record.model_dump(mode="json"),
            "value": record.encode(),
            "dirty": True,
        }

        async def write(session: Session) -> None:
            found = await self._collection.update_one(
                {"_id": f"{topic}|{key}", "rev": record.rev - 1} if record.rev > 1 else {"_id": f"{topic}|{key}"},
                {"$set": fields} if record.rev > 1 else {"$setOnInsert": fields},
                upsert=record.rev == 1,
                session=session,
            )
            if found.matched_count != (0 if record.rev == 1 else 1):
                raise Conflict(f"{key} was changed at the same time; try again")

        return write

    def hold(self, topic: str, key: str) -> Write:
        """For the transaction of a commit that keeps something else of whom a record is about.

        Raises `Conflict` where there is no such record, or it was erased.
        """

        async def write(session: Session) -> None:
            found = await self._collection.update_one(
                {"_id": f"{topic}|{key}", "erased": None}, {"$set": {"held": secrets.token_hex(4)}}, session=session
            )
            if not found.matched_count:
                raise Conflict(f"{key} was erased at the same time; try again")

        return write

    def erase(self, topic: str, key: str, at: datetime) -> Write:
        """Delete what a record says, for good. Its key stays, and from now on what is sent for it is a tombstone."""

        async def write(session: Session) -> None:
            gone = {"erased": True, "erased_at": at, "value": None, "dirty": True}
            change = {"$set": gone, "$unset": {"doc": "", "heard": ""}, "$inc": {"rev": 1, "marked": 1}}
            await self._collection.update_one({"_id": f"{topic}|{key}", "erased": None}, change, session=session)

        return write

    async def heard(
        self, tombstones: Sequence[str], others: Sequence[str], stale: Mapping[str, int], session: Session
    ) -> None:
        """What came back from the topics, by `topic|key`: the last of each key in a batch.

        A sender that was slow may have sent an older record behind the current one, and on a compacted topic the last
        one stays. So whatever is `stale` (an older revision behind a newer one) is sent again as it is now, and so is
        every tombstone behind which one of the `others` came.
        """
        again: Document = {"$set": {"dirty": True}, "$unset": {"heard": ""}, "$inc": {"marked": 1}}
        if tombstones:
            which = {"_id": {"$in": list(tombstones)}, "erased": True}
            await self._collection.update_many(which, {"$set": {"heard": True}}, session=session)
        if others:
            await self._collection.update_many({"_id": {"$in": list(others)}, "erased": True}, again, session=session)
        for id, rev in stale.items():
            await self._collection.update_one({"_id": id, "rev": {"$gt": rev}}, again, session=session)

    async def unproven(self, keys: Sequence[tuple[str, str]]) -> list[str]:
        """Those of the records (topic, key) of which no tombstone has come back from the topic as the last one."""
        ids = [f"{topic}|{key}" for topic, key in keys]
        cursor = self._collection.find({"_id": {"$in": ids}, "$or": [{"heard": None}, {"dirty": True}]}, {"_id": 1})
        return sorted([d["_id"] async for d in cursor])

    async def erased_since(self, at: datetime) -> list[str]:
        """The topics on which something was erased since then."""
        return sorted(await self._collection.distinct("topic", {"erased_at": {"$gte": at}}))

    async def unsent(self, limit: int) -> list[Document]:
        """Records that Kafka has not acknowledged yet, as they are now; in the order of their index, which holds no
        others: without an order every record there is would be read."""
        found = self._collection.find({"dirty": True}, batch_size=limit).sort([("topic", 1), ("_id", 1)])
        docs: list[Document] = await found.limit(limit).to_list(None)
        return docs

    async def sent(self, docs: list[Document]) -> None:
        """Mark as acknowledged those that have neither changed nor been asked for again since they were read."""
        for doc in docs:
            same = {"_id": doc["_id"], "rev": doc["rev"], "marked": doc.get("marked")}
            await self._collection.update_one(same, {"$unset": {"dirty": 1}})
