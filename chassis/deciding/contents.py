"""Texts that people write: encrypted, in the service that owns them, never on the bus."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from chassis.deciding.commands import Write
from chassis.running.mongo import ASCENDING, Database, IndexModel, Session

COLLECTION = "contents"


async def prepare(database: Database) -> None:
    """Create the index by which texts about somebody are found."""
    await database.index(COLLECTION, [IndexModel([("about", ASCENDING)], name="about", sparse=True)])


class Contents:
    """Keeps texts under AES-GCM. The id and the scope are authenticated with the text, so none can be swapped."""

    def __init__(self, database: Database, key: bytes) -> None:
        self._collection = database.collection(COLLECTION)
        self._cipher = AESGCM(key[:32])

    def put(self, scope: str, id: str, text: str, at: datetime, about: Sequence[str] = ()) -> Write:
        """A write of one text, for the transaction of the commit that names its id.

        `about` are the ids of whom it may tell: with any of them it goes.
        """
        nonce = os.urandom(12)
        sealed = nonce + self._cipher.encrypt(nonce, text.encode(), f"{scope}/{id}".encode())

        async def write(session: Session) -> None:
            doc = {"_id": f"{scope}/{id}", "scope": scope, "sealed": sealed, "at": at}
            await self._collection.insert_one(doc | ({"about": list(about)} if about else {}), session=session)

        return write

    async def get(self, scope: str, ids: list[str]) -> dict[str, str]:
        """The texts by id; those that are gone are missing."""
        if not ids:
            return {}
        keys = [f"{scope}/{id}" for id in ids]
        texts = {}
        async for doc in self._collection.find({"_id": {"$in": keys}}):
            sealed = doc["sealed"]
            plain = self._cipher.decrypt(sealed[:12], sealed[12:], doc["_id"].encode())
            texts[doc["_id"].partition("/")[2]] = plain.decode()
        return texts

    async def about(self, id: str) -> int:
        """How many texts may tell of somebody."""
        return int(await self._collection.count_documents({"about": id}))

    async def erase(self, about: str, session: Session | None = None) -> int:
        """Delete every text that may tell of somebody; answers how many there were."""
        return int((await self._collection.delete_many({"about": about}, session=session)).deleted_count)

    def erasing(self, about: str) -> Write:
        """The same in the transaction of a commit."""

        async def write(session: Session) -> None:
            await self.erase(about, session)

        return write

    async def remove(self, scope: str, ids: Sequence[str]) -> int:
        """Delete texts by id; answers how many there were."""
        keys = [f"{scope}/{id}" for id in ids]
        return int((await self._collection.delete_many({"_id": {"$in": keys}})).deleted_count)
