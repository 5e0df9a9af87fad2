"""What the outlet keeps of webhooks: the webhooks themselves, and every delivery until a week after it was done."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from chassis.running.mongo import ASCENDING, Database, Document, DuplicateKeyError, IndexModel

WEBHOOKS, DELIVERIES, LEASES = "webhooks", "deliveries", "leases"
COLLECTIONS = (WEBHOOKS, DELIVERIES, LEASES)
KEPT_DAYS = 7
"""How long a delivery that was done can be listed, and sent again."""
OVERLAP = timedelta(hours=24)
"""How long the secret before is good after another one was made."""
UNVERIFIED, ACTIVE, PAUSED = "unverified", "active", "paused"
DUE, DELIVERED, DROPPED = "due", "delivered", "dropped"


@dataclass(frozen=True)
class Delivery:
    """One fact for one webhook, as it is sent; `failures` in a row, since `first_failed`."""

    id: str
    stream: str
    version: int
    body: bytes
    traceparent: str | None
    due_at: datetime
    failures: int = 0
    first_failed: datetime | None = None


def delivery_id(webhook: str, event: str) -> str:
    """The id of the delivery of a fact: the same however often it is tried, and by whom."""
    return "msg_" + hashlib.sha256(f"{webhook}\0{event}".encode()).hexdigest()[:32]


class Keeping:
    """The collections. Every change of a webhook raises its `epoch`, so that whoever sends for it looks again."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._webhooks = database.collection(WEBHOOKS)
        self._deliveries = database.collection(DELIVERIES)

    async def prepare(self) -> None:
        """Create collections and indexes. Raises `Unprepared`, a PyMongoError."""
        await self._database.create(*COLLECTIONS)
        same = [("subject", ASCENDING), ("url", ASCENDING), ("question", ASCENDING)]
        await self._database.index(WEBHOOKS, [IndexModel(same, name="same", unique=True)])
        order = [("webhook", ASCENDING), ("state", ASCENDING), ("stream", ASCENDING), ("version", ASCENDING)]
        made = [("webhook", ASCENDING), ("made_at", ASCENDING), ("_id", ASCENDING)]
        gone = IndexModel([("done_at", ASCENDING)], name="done", expireAfterSeconds=KEPT_DAYS * 86_400)
        await self._database.index(DELIVERIES, [IndexModel(order, name="order"), IndexModel(made, name="made"), gone])

    # -- webhooks ---------------------------------------------------------------------------------------------------

    async def add(self, webhook: Document) -> bool:
        """Keep a new one; False where its owner has the same already."""
        try:
            await self._webhooks.insert_one({**webhook, "epoch": 1})
        except DuplicateKeyError:
            return False
        return True

    async def of(self, subject: str) -> list[Document]:
        """Those of one owner, the oldest first."""
        return list(await self._webhooks.find({"subject": subject}).sort([("made_at", 1), ("_id", 1)]).to_list(None))

    async def get(self, id: str, subject: str) -> Document | None:
        """One of an owner's."""
        found: Document | None = await self._webhooks.find_one({"_id": id, "subject": subject})
        return found

    async def active(self) -> dict[str, Document]:
        """All for which something is to be sent."""
        return {doc["_id"]: doc for doc in await self._webhooks.find({"state": ACTIVE}).to_list(None)}

    async def change(self, id: str, changes: Document, **where: Any) -> bool:
        """Set fields of a webhook, if it is still as told; False where it is not."""
        done = await self._webhooks.update_one({"_id": id, **where}, {"$set": changes, "$inc": {"epoch": 1}})
        return bool(done.matched_count)

    async def remove(self, id: str) -> None:
        """Forget a webhook and everything about it."""
        await self._webhooks.delete_one({"_id": id})
        await self._deliveries.delete_many({"webhook": id})

    async def go_on(self, webhook: Document, cursor: str, deliveries: Sequence[Document]) -> bool:
        """Keep what is to be delivered, and then how far that is. Done again after a crash in between it changes
        nothing: what is known by its id is left as it is. False where the webhook is not what it was."""
        if deliveries:
            await self._database.update(
                DELIVERIES, [{"q": {"_id": d["_id"]}, "u": {"$setOnInsert": d}, "upsert": True} for d in deliveries]
            )
        done = await self._webhooks.update_one(
            {"_id": webhook["_id"], "cursor": webhook["cursor"], "epoch": webhook["epoch"]},
            {"$set": {"cursor": cursor}},
        )
        webhook["cursor"] = cursor
        return bool(done.matched_count)

    # -- deliveries -------------------------------------------------------------------------------------------------

    async def due(self, webhook: str, ids: Sequence[str] | None = None) -> list[Delivery]:
        """What is to be sent for a webhook, or of these, each stream in order."""
        which = {} if ids is None else {"_id": {"$in": list(ids)}}
        found = self._deliveries.find({"webhook": webhook, "state": DUE, **which}).sort([("stream", 1), ("version", 1)])
        return [_delivery(doc) for doc in await found.to_list(None)]

    async def delivered(self, id: str, at: datetime, status: int) -> None:
        """It was accepted."""
        last = {"at": at, "status": status}
        changes = {"state": DELIVERED, "done_at": at, "failures": 0, "first_failed": None, "last": last}
        await self._deliveries.update_one({"_id": id, "state": DUE}, {"$set": changes, "$inc": {"attempts": 1}})

    async def failed(self, d: Delivery, at: datetime, why: Document) -> None:
        """It was not; `d` says when to try again."""
        changes = {
            "failures": d.failures,
            "first_failed": d.first_failed,
            "due_at": d.due_at,
            "last": {"at": at, **why},
        }
        await self._deliveries.update_one({"_id": d.id, "state": DUE}, {"$set": changes, "$inc": {"attempts": 1}})

    async def listed(
        self, webhook: str, state: str | None, after: tuple[datetime, str] | None, limit: int
    ) -> list[Document]:
        """Deliveries of a webhook in the order in which they were made, without what they say."""
        query: Document = {"webhook": webhook, **({"state": state} if state else {})}
        if after:
            query["$or"] = [{"made_at": {"$gt": after[0]}}, {"made_at": after[0], "_id": {"$gt": after[1]}}]
        found = self._deliveries.find(query, {"body": 0}).sort([("made_at", 1), ("_id", 1)]).limit(limit)
        return list(await found.to_list(None))

    async def again(self, webhook: str, at: datetime, which: Document) -> int:
        """Send these once more, now; answers how many."""
        fresh = {"state": DUE, "due_at": at, "failures": 0, "first_failed": None, "done_at": None}
        done = await self._deliveries.update_many({"webhook": webhook, **which}, {"$set": fresh})
        return int(done.matched_count)

    async def drop(self, webhook: str, id: str, at: datetime) -> bool:
        """Never send this one; False where it is not due."""
        done = await self._deliveries.update_one(
            {"_id": id, "webhook": webhook, "state": DUE}, {"$set": {"state": DROPPED, "done_at": at}}
        )
        return bool(done.matched_count)

    async def count(self, webhook: str) -> dict[str, int]:
        """How many are due, and how many of those have failed."""
        due = {"webhook": webhook, "state": DUE}
        return {
            "due": int(await self._deliveries.count_documents(due)),
            "failing": int(await self._deliveries.count_documents({**due, "failures": {"$gt": 0}})),
        }


def new_delivery(
    webhook: str, event: str, stream: str, version: int, body: bytes, at: datetime, **more: Any
) -> Document:
    """A delivery as it is kept."""
    return {
        "_id": delivery_id(webhook, event), "webhook": webhook, "event": event, "stream": stream, "version": version,
        "body": body, "state": DUE, "made_at": at, "due_at": at, "attempts": 0, "failures": 0, "first_failed": None,
        "done_at": None, "last": None, **more,
    }  # fmt: skip


def _delivery(doc: Document) -> Delivery:
    return Delivery(
        doc["_id"], doc["stream"], doc["version"], bytes(doc["body"]), doc["traceparent"], doc["due_at"],
        doc["failures"], doc["first_failed"],
    )  # fmt: skip
