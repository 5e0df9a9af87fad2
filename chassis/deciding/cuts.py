"""Cuts: of whom nothing may be kept any more. What would keep something writes the same document, and is refused."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from datetime import datetime

from chassis.deciding.commands import Conflict, Write
from chassis.deciding.decider import Refused
from chassis.running.mongo import Database, Session

COLLECTION = "cuts"
ERASED = "erased"
"""The code of the refusal of whatever would keep something of those of whom nothing may be kept."""


class Cuts:
    """Marks by id. Reading one is not enough: of two transactions, one that cuts and one that keeps, one must fail."""

    def __init__(self, database: Database) -> None:
        self._collection = database.collection(COLLECTION)

    def cut(self, id: str, at: datetime) -> Write:
        """From now on nothing of `id` may be kept."""

        async def write(session: Session) -> None:
            await self._collection.update_one({"_id": id}, {"$set": {"at": at}}, upsert=True, session=session)

        return write

    def uncut(self, *ids: str) -> Write:
        """For the transaction of a commit that keeps something of all these. Raises `Refused` where one is cut."""

        async def write(session: Session) -> None:
            for id in ids:
                found = await self._collection.find_one({"_id": id}, session=session)
                if found and found.get("at"):
                    raise Refused(ERASED, "one of the two has been erased: nothing more is kept of them")
                await self._touch(id, session)

        return write

    async def among(self, ids: Iterable[str], session: Session) -> frozenset[str]:
        """Those of the ids that are cut."""
        which = {"_id": {"$in": sorted(set(ids))}, "at": {"$exists": True}}
        return frozenset([d["_id"] async for d in self._collection.find(which, session=session)])

    # -- of a scope: what is copied from many people at once must not outlive a cut in between ----------------------

    def bump(self, scope: str) -> Write:
        """Somebody of a scope is cut."""

        async def write(session: Session) -> None:
            await self._collection.update_one({"_id": scope}, {"$inc": {"n": 1}}, upsert=True, session=session)

        return write

    async def seen(self, scope: str) -> int:
        """How often somebody of a scope was cut; to be asked before anything is copied from its people."""
        found = await self._collection.find_one({"_id": scope})
        return int(found.get("n", 0)) if found else 0

    def still(self, scope: str, seen: int) -> Write:
        """For the transaction that keeps the copy. Raises `Conflict` where somebody was cut since `seen`."""

        async def write(session: Session) -> None:
            found = await self._collection.find_one({"_id": scope}, session=session)
            if (found or {}).get("n", 0) != seen:
                raise Conflict("somebody of the program was erased at the same time; try again")
            await self._touch(scope, session)

        return write

    async def _touch(self, id: str, session: Session) -> None:
        # By chance, not counted: how often somebody wrote is nobody's business.
        await self._collection.update_one(
            {"_id": id}, {"$set": {"used": secrets.token_hex(4)}}, upsert=True, session=session
        )
