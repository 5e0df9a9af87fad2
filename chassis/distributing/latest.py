"""State on compacted topics: always the current document at the time of sending, never a remembered revision."""

from __future__ import annotations

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
                )
            ],
        )

    async def get(self, topic: str, key: str) -> Document | None:
        """The current record's fields, or None."""
        found = await self._collection.find_one({"_id": f"{topic}|{key}"})
        return None if found is None else found["doc"]

    async def find(self, topic: str, keys: list[str]) -> dict[str, Document]:
        """The current records of several keys, by key."""
        cursor = self._collection.find({"_id": {"$in": [f"{topic}|{key}" for key in keys]}}, batch_size=5000)
        return {d["key"]: d["doc"] for d in await cursor.to_list(None)}

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

    async def unsent(self, limit: int) -> list[Document]:
        """Records that Kafka has not acknowledged yet, as they are now; in the order of their index, which holds no
        others: without an order every record there is would be read."""
        found = self._collection.find({"dirty": True}, batch_size=limit).sort([("topic", 1), ("_id", 1)])
        docs: list[Document] = await found.limit(limit).to_list(None)
        return docs

    async def sent(self, docs: list[Document]) -> None:
        """Mark as acknowledged those that have not changed since they were read."""
        for doc in docs:
            await self._collection.update_one({"_id": doc["_id"], "rev": doc["rev"]}, {"$unset": {"dirty": 1}})
