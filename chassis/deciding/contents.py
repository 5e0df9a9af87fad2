"""Texts that people write: encrypted, in the service that owns them, never on the bus."""

from __future__ import annotations

import os
from datetime import datetime

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from chassis.deciding.commands import Write
from chassis.running.mongo import Database, Session

COLLECTION = "contents"


class Contents:
    """Keeps texts under AES-GCM. The id and the scope are authenticated with the text, so none can be swapped."""

    def __init__(self, database: Database, key: bytes) -> None:
        self._collection = database.collection(COLLECTION)
        self._cipher = AESGCM(key[:32])

    def put(self, scope: str, id: str, text: str, at: datetime) -> Write:
        """A write of one text, for the transaction of the commit that names its id."""
        nonce = os.urandom(12)
        sealed = nonce + self._cipher.encrypt(nonce, text.encode(), f"{scope}/{id}".encode())

        async def write(session: Session) -> None:
            await self._collection.insert_one(
                {"_id": f"{scope}/{id}", "scope": scope, "sealed": sealed, "at": at}, session=session
            )

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
