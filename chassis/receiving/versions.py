"""Versions of an inbox: which one is live, which are kept, and whether this release's folds made it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from chassis.running.mongo import Database, Document, DuplicateKeyError, Session
from chassis.running.spans import Told

COLLECTION = "inboxes"
CHECKPOINTS = "checkpoints"

LIVE, FILLING, HELD, CLOSED = "live", "filling", "held", "closed"
"""What may be done at a checkpoint: hear and write tasks; fill, without tasks; nothing until `held_until`; nothing."""


class NotLive(Told):
    """This version of the inbox may not go on here: another one is live, or about to be."""


@dataclass(frozen=True)
class Pointer:
    """Which version is `live`, and the number of the folds that made each version that is there."""

    live: int
    made_by: dict[int, int]
    previous: int | None = None
    filling: int | None = None

    @property
    def folds(self) -> int:
        """The number of the folds that made the live version."""
        return self.made_by[self.live]

    @property
    def others(self) -> list[int]:
        """Every version that is not live."""
        return sorted(self.made_by.keys() - {self.live})


def collection_of(version: int) -> str:
    """Where the views of a version are."""
    return f"views_v{version}"


class Versions:
    """The pointer document of a service's inbox. Every change of it is a compare-and-set."""

    def __init__(self, database: Database, service: str, folds: int) -> None:
        self._database = database
        self._collection = database.collection(COLLECTION)
        self.inbox = f"{service}.inbox"
        self.folds = folds

    def name(self, version: int) -> str:
        """The name of a version, which is also its consumer group."""
        return f"{self.inbox}.v{version}"

    async def prepare(self) -> None:
        """Create the collections, and the pointer to version 1 where there is none."""
        await self._database.create(COLLECTION, CHECKPOINTS)
        first = {"live": 1, "versions": {"1": self.folds}, "previous": None, "filling": None}
        with suppress(DuplicateKeyError):  # another process was quicker
            await self._collection.update_one({"_id": self.inbox}, {"$setOnInsert": first}, upsert=True)
        await self._database.collection(CHECKPOINTS).update_many({"mode": None}, {"$set": {"mode": LIVE}})

    async def pointer(self) -> Pointer:
        """What is live and what is kept, now."""
        doc: Document = await self._collection.find_one({"_id": self.inbox})
        made_by = {int(version): int(folds) for version, folds in doc["versions"].items()}
        return Pointer(int(doc["live"]), made_by, doc["previous"], doc["filling"])

    async def begin(self, version: int, seen: Pointer) -> bool:
        """Say that a version is being filled; False where somebody changed the pointer meanwhile."""
        change = {"filling": version, f"versions.{version}": seen.made_by.get(version, self.folds)}
        return await self._change(seen, {"$set": change})

    async def flip(self, version: int, seen: Pointer, session: Session) -> bool:
        """Make a version the live one, within a transaction; False where another one is live than was seen."""
        change = {"live": version, "previous": seen.live, "filling": None}
        return await self._change(seen, {"$set": change}, session)

    async def forget(self, version: int, seen: Pointer) -> bool:
        """Take a version that is not live off the list; its data are removed afterwards."""
        change: Document = {"$unset": {f"versions.{version}": ""}, "$set": {}}
        for field in ("previous", "filling"):
            if getattr(seen, field) == version:
                change["$set"][field] = None
        if not change["$set"]:
            del change["$set"]
        return version != seen.live and await self._change(seen, change)

    async def _change(self, seen: Pointer, change: Document, session: Session | None = None) -> bool:
        wanted = {"_id": self.inbox, "live": seen.live, "filling": seen.filling, "previous": seen.previous}
        done = await self._collection.update_one(wanted, change, session=session)
        return bool(done.matched_count == 1)
