"""A service's own documents that are no facts: results of a round, reports of an import, published figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from chassis.deciding.commands import Conflict, Write
from chassis.running.mongo import ASCENDING, Database, Document, DuplicateKeyError, IndexModel, Session

COLLECTION = "documents"


class Documents:
    """Keeps documents by kind, scope and id. The scope is part of every key and every query."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._collection = database.collection(COLLECTION)

    async def prepare(self) -> None:
        """Create the index."""
        key = [("scope", ASCENDING), ("kind", ASCENDING), ("_id", ASCENDING)]
        await self._database.index(COLLECTION, [IndexModel(key, name="kinds")])

    def put(self, kind: str, scope: str, id: str, doc: Mapping[str, Any]) -> Write:
        """Insert or replace a document, in the transaction of a commit."""

        async def write(session: Session) -> None:
            await self._replace(kind, scope, id, doc, session)

        return write

    async def save(self, kind: str, scope: str, id: str, doc: Mapping[str, Any]) -> None:
        """Insert or replace a document, at once."""
        await self._replace(kind, scope, id, doc, None)

    async def get(self, kind: str, scope: str, id: str) -> Document | None:
        """A document, or None."""
        found = await self._collection.find_one({"_id": _key(kind, scope, id)})
        return None if found is None or found.get("buried") else found["doc"]

    async def among(self, kind: str, scope: str, ids: Sequence[str]) -> dict[str, Document]:
        """Those of the documents that are there, by id, in one round trip."""
        keys = {_key(kind, scope, id): id for id in ids}
        found = await self._collection.find({"_id": {"$in": list(keys)}}).to_list(None)
        return {keys[d["_id"]]: d["doc"] for d in found if not d.get("buried")}

    def change(self, kind: str, scope: str, where: Mapping[str, Any], fields: Mapping[str, Any]) -> Write:
        """Set fields of every document that matches, in the transaction of a commit."""

        async def write(session: Session) -> None:
            which = {"kind": kind, "scope": scope} | {f"doc.{k}": v for k, v in where.items()}
            change = {"$set": {f"doc.{k}": v for k, v in fields.items()}}
            await self._collection.update_many(which, change, session=session)

        return write

    async def amend(self, kind: str, scope: str, id: str, where: Mapping[str, Any], fields: Mapping[str, Any]) -> bool:
        """Set fields of a document, but only while others of it are as in `where`; whether they were."""
        return await self._amend(kind, scope, id, where, fields, None)

    def amended(self, kind: str, scope: str, id: str, where: Mapping[str, Any], fields: Mapping[str, Any]) -> Write:
        """The same in the transaction of a commit, which is nothing where they are not: raises `Conflict`. Of two
        transactions that amend one document only one can be; so `fields` must differ from what they were."""

        async def write(session: Session) -> None:
            if not await self._amend(kind, scope, id, where, fields, session):
                raise Conflict(f"the {kind} is not as it was; try again")

        return write

    def exchanged(
        self, kind: str, scope: str, id: str, before: Mapping[str, Any] | None, doc: Mapping[str, Any]
    ) -> Write:
        """Replace a document that is still as it was read (None: not there), in the transaction of a commit, which is
        nothing where it is not: raises `Conflict`. So of all who read it the same only one can go on."""

        async def write(session: Session) -> None:
            await self._replace(kind, scope, id, doc, session, {"doc": before})

        return write

    async def _amend(
        self,
        kind: str,
        scope: str,
        id: str,
        where: Mapping[str, Any],
        fields: Mapping[str, Any],
        session: Session | None,
    ) -> bool:
        which = {"_id": _key(kind, scope, id)} | {f"doc.{k}": v for k, v in where.items()}
        change = {"$set": {f"doc.{k}": v for k, v in fields.items()}}
        return bool((await self._collection.update_one(which, change, session=session)).matched_count)

    def bury(self, kind: str, scope: str, id: str) -> Write:
        """Delete a document for good, whether it is there or not: nobody can write it again.

        What stays is its id.
        """

        async def write(session: Session | None) -> None:
            stone = {"_id": _key(kind, scope, id), "kind": kind, "scope": scope, "buried": True}
            await self._collection.replace_one({"_id": stone["_id"]}, stone, upsert=True, session=session)

        return write

    async def find(
        self, kind: str, scope: str, where: Mapping[str, Any] | None = None, *, limit: int = 100_000
    ) -> list[Document]:
        """Documents of a kind in a scope whose fields match `where`, by id."""
        if not scope:
            raise ValueError(f"a query of {kind} needs a scope")
        query = {"scope": scope, "kind": kind} | {f"doc.{k}": v for k, v in (where or {}).items()}
        docs = await self._collection.find(query, batch_size=5000).sort("_id", 1).limit(limit).to_list(None)
        return [d["doc"] for d in docs if not d.get("buried")]

    async def _replace(
        self,
        kind: str,
        scope: str,
        id: str,
        doc: Mapping[str, Any],
        session: Session | None,
        where: Mapping[str, Any] | None = None,
    ) -> None:
        whole = {"_id": _key(kind, scope, id), "kind": kind, "scope": scope, "doc": dict(doc)}
        try:
            which = {"_id": whole["_id"], "buried": None, **(where or {})}
            await self._collection.replace_one(which, whole, upsert=True, session=session)
        except DuplicateKeyError:  # it is there, and not as it must be
            raise Conflict(f"the {kind} was changed or deleted at the same time; try again") from None


def _key(kind: str, scope: str, id: str) -> str:
    return f"{kind}/{scope}/{id}"
