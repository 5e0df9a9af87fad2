"""A lease on the database's clock: one process of a service does a thing at a time, and a dead one loses it."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime

from chassis.running.mongo import Database, Document, DuplicateKeyError, PyMongoError
from chassis.running.spans import Told

COLLECTION = "leases"
_NEVER = datetime.fromtimestamp(0, UTC)
SECONDS = 30.0
"""How long a lease lasts that is not renewed: what a dead process holds up whoever wants to do the same."""


class Taken(Exception):
    """Somebody else does it at the moment; the text says who, since when, and the way out."""

    def __init__(self, what: str, held: Document) -> None:
        super().__init__(
            f"{held['by']} has been at {what} since {_text(held['since'])}: wait until it ends, or end that process. "
            f"If it is dead already, ask again after {_text(held['until'])}"
        )


class LeaseLost(Told):
    """Our lease ended while we were at it, and somebody else may have begun: whatever we did stops here."""


@asynccontextmanager
async def lease(database: Database, what: str, seconds: float = SECONDS) -> AsyncIterator[None]:
    """Do a thing alone for as long as the block lasts. Raises `Taken` at once, and `LeaseLost` out of the block."""
    owner = secrets.token_hex(8)
    await _take(database, what, owner, seconds)
    doing, lost = asyncio.current_task(), False

    async def keep() -> None:
        nonlocal lost
        while await _keeps(database, what, owner, seconds):  # noqa: ASYNC110 - it renews
            await asyncio.sleep(seconds / 3)
        lost = True
        if doing is not None:
            doing.cancel()

    keeping = asyncio.create_task(keep())
    try:
        yield
    except asyncio.CancelledError:
        if lost and doing is not None:
            doing.uncancel()
            raise LeaseLost(f"the lease for {what} ended, and somebody else may have begun") from None
        raise
    finally:
        keeping.cancel()
        with suppress(PyMongoError):
            back = {"$set": {"owner": None, "until": _NEVER}}
            await database.collection(COLLECTION).update_one({"_id": what, "owner": owner}, back)


async def _take(database: Database, what: str, owner: str, seconds: float) -> None:
    await database.create(COLLECTION)
    leases = database.collection(COLLECTION)
    nobody = {"owner": None, "by": "", "since": _NEVER, "until": _NEVER}
    with suppress(DuplicateKeyError):  # another process was quicker
        await leases.update_one({"_id": what}, {"$setOnInsert": nobody}, upsert=True)
    by = f"{socket.gethostname()}, process {os.getpid()},"
    ours = {"owner": owner, "by": {"$literal": by}, "since": "$$NOW"}
    free = {"_id": what, "$expr": {"$lt": ["$until", "$$NOW"]}}
    taken = await leases.update_one(free, [{"$set": ours | _until(seconds)}])
    if not taken.matched_count:
        raise Taken(what, await leases.find_one({"_id": what}))


async def _keeps(database: Database, what: str, owner: str, seconds: float) -> bool:
    """Renew it; tried again while it lasts. False: it is not ours any more."""
    loop = asyncio.get_running_loop()
    ends = loop.time() + seconds * 2 / 3
    while True:
        try:
            renewed = await database.collection(COLLECTION).update_one(
                {"_id": what, "owner": owner}, [{"$set": _until(seconds)}]
            )
            return bool(renewed.matched_count)
        except PyMongoError:
            if loop.time() > ends:
                return False
            await asyncio.sleep(min(1.0, seconds / 10))


def _until(seconds: float) -> Document:
    amount = int(seconds * 1000)
    return {"until": {"$dateAdd": {"startDate": "$$NOW", "unit": "millisecond", "amount": amount}}}


def _text(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"
