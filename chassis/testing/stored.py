"""A collection of the MongoDB in memory, and its cursor: reads, writes and indexes as the chassis asks for them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, TypeVar

from bson import encode

from chassis.testing.queries import Document, reach
from chassis.testing.store import Store, Transaction

if TYPE_CHECKING:
    from chassis.testing.memory import MemoryClient, MemorySession

T = TypeVar("T")


class MemoryCollection:
    """As Motor's collection, as far as the chassis uses it."""

    def __init__(self, client: MemoryClient, store: Store, name: str) -> None:
        self.name = name
        self._client = client
        self._store = store

    async def _ask(
        self,
        command: str,
        serve: Callable[[Transaction | None], T],
        session: MemorySession | None,
        half: Callable[[Transaction | None], object] | None = None,
    ) -> T:
        return await self._client.ask(command, serve, self._store, session, half)

    async def index_information(self) -> Document:
        def look(_: Any) -> Document:
            return {
                k: {**v, "key": list(v["key"].items())} for k, v in self._store.collection(self.name).indexes.items()
            }

        return await self._ask("listIndexes", look, None)

    async def create_indexes(self, models: Sequence[Any]) -> None:
        def create(_: Any) -> None:
            for model in models:
                self._store.create_index(self.name, {**model.document, "key": dict(model.document["key"])})

        await self._ask("createIndexes", create, None)

    async def drop(self) -> None:
        await self._ask("drop", lambda _: self._store.kept.pop(self.name, None), None)

    def find(
        self,
        query: Mapping[str, Any],
        projection: Mapping[str, Any] | None = None,
        *,
        session: MemorySession | None = None,
        batch_size: int = 0,
    ) -> MemoryCursor:
        return MemoryCursor(self, dict(query), projection, session)

    async def find_one(
        self,
        query: Mapping[str, Any],
        projection: Mapping[str, Any] | None = None,
        *,
        session: MemorySession | None = None,
    ) -> Document | None:
        return next(iter(await self.find(query, projection, session=session).limit(1).to_list(None)), None)

    async def count_documents(self, query: Mapping[str, Any], *, session: MemorySession | None = None) -> int:
        return await self._ask("aggregate", lambda t: len(self._store.find(self.name, query, t)), session)

    async def distinct(self, field: str, query: Mapping[str, Any]) -> list[Any]:
        def look(transaction: Transaction | None) -> list[Any]:
            return list(dict.fromkeys(v for doc in self._store.find(self.name, query) for v in reach(doc, field)))

        return await self._ask("distinct", look, None)

    async def insert_one(self, doc: Document, *, session: MemorySession | None = None) -> None:
        raw = encode(doc)
        await self._ask("insert", lambda t: self._store.insert(self.name, raw, t), session)

    async def update_one(
        self, query: Mapping[str, Any], update: Any, *, upsert: bool = False, session: MemorySession | None = None
    ) -> Any:
        return await self._update(query, update, session, upsert=upsert)

    async def replace_one(
        self, query: Mapping[str, Any], doc: Document, *, upsert: bool = False, session: MemorySession | None = None
    ) -> Any:
        return await self._update(query, doc, session, upsert=upsert)

    async def update_many(self, query: Mapping[str, Any], update: Any, *, session: MemorySession | None = None) -> Any:
        return await self._update(query, update, session, many=True)

    async def _update(
        self, query: Mapping[str, Any], update: Any, session: MemorySession | None, **how: bool
    ) -> SimpleNamespace:
        def some(transaction: Transaction | None) -> None:
            many = how.get("many", False)
            most = len(self._store.find(self.name, query, transaction)) // 2 if many else None
            self._store.update(self.name, query, update, transaction, **how, most=most)

        matched, modified, before, after = await self._ask(
            "update", lambda t: self._store.update(self.name, query, update, t, **how), session, some
        )
        upserted = after["_id"] if after and before is None else None
        return SimpleNamespace(matched_count=matched, modified_count=modified, upserted_id=upserted)

    async def find_one_and_update(
        self,
        query: Mapping[str, Any],
        update: Any,
        *,
        upsert: bool = False,
        return_document: bool = False,
        session: MemorySession | None = None,
    ) -> Document | None:
        _, _, before, after = await self._ask(
            "findAndModify", lambda t: self._store.update(self.name, query, update, t, upsert=upsert), session
        )
        return after if return_document else before

    async def find_one_and_delete(
        self, query: Mapping[str, Any], *, session: MemorySession | None = None
    ) -> Document | None:
        removed = await self._ask("findAndModify", lambda t: self._store.delete(self.name, query, t), session)
        return removed[0] if removed else None

    async def delete_one(self, query: Mapping[str, Any], *, session: MemorySession | None = None) -> Any:
        removed = await self._ask("delete", lambda t: self._store.delete(self.name, query, t), session)
        return SimpleNamespace(deleted_count=len(removed))

    async def delete_many(self, query: Mapping[str, Any], *, session: MemorySession | None = None) -> Any:
        removed = await self._ask("delete", lambda t: self._store.delete(self.name, query, t, many=True), session)
        return SimpleNamespace(deleted_count=len(removed))


class MemoryCursor:
    """As Motor's cursor. It finds everything at one moment, the one at which the first document is asked for."""

    def __init__(
        self,
        collection: MemoryCollection,
        query: Document,
        fields: Mapping[str, Any] | None,
        session: MemorySession | None,
    ) -> None:
        self._collection = collection
        self._query = query
        self._fields = fields
        self._session = session
        self._sort: Sequence[tuple[str, int]] = ()
        self._limit = 0

    def sort(self, by: str | Sequence[tuple[str, int]], direction: int = 1) -> MemoryCursor:
        self._sort = [(by, direction)] if isinstance(by, str) else by
        return self

    def limit(self, limit: int) -> MemoryCursor:
        self._limit = limit
        return self

    def hint(self, index: str) -> MemoryCursor:
        return self

    async def to_list(self, _: int | None) -> list[Document]:
        c = self._collection
        return await c._ask(
            "find",
            lambda t: c._store.find(c.name, self._query, t, self._sort, self._limit, self._fields),
            self._session,
        )

    async def __aiter__(self) -> AsyncIterator[Document]:
        for doc in await self.to_list(None):
            yield doc
