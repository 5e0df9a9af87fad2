"""Views: pure folds of one stream into one document, which is also the cursor of that stream."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict

from chassis.running.mongo import ASCENDING, Database, Document, IndexModel
from contracts.fact import Fact
from contracts.streams import Category

LARGEST_PAGE = 200
"""Rows that a list answers at once, at most."""
PARKED_STREAM: Document = {"parked.since": {"$exists": True}}
"""The query for streams that are parked; said exactly as the index of the few has it, or all views would be read."""


PARKED_INDEX = "parked since"


class Row(BaseModel):
    """One document of a view. Its defaults are what it is before the first fact."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


R = TypeVar("R", bound=Row)
M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True)
class View(Generic[R]):
    """A plural noun: what we keep of each stream of one category.

    `fold(row, fact, at)` answers the next row; it is called for the facts in `hears` only and sees them in stream
    order. `indexes` are fields of the row that queries filter or sort by; two with a comma between them, the first to
    filter and the second to sort by.
    """

    name: str
    category: Category
    row: type[R]
    fold: Callable[[R, Any, datetime], R]
    hears: frozenset[type[Fact]]
    indexes: tuple[str, ...] = ()


@dataclass(frozen=True)
class StateView(Generic[M]):
    """A plural noun: the latest document of each key of a compacted topic. The first segment of a key is its scope.

    `personal`: the last segment is the person it is about. `own`: this service sends the topic itself, and listens to
    know what came to stay on it.
    """

    name: str
    topic: str
    model: type[M]
    indexes: tuple[str, ...] = ()
    personal: bool = False
    own: bool = False

    def id_of(self, key: str) -> str:
        """The `_id` of its document."""
        return f"{self.name}:{key}"

    def about(self, key: str) -> str | None:
        """Whom a document is about, where that is a person."""
        return key.rpartition("/")[2] if self.personal else None


@dataclass(frozen=True)
class Found(Generic[R]):
    """One row a query found: its stream, the version it has seen, and whether the stream is parked."""

    stream: str
    version: int
    row: R
    parked: bool


class Views:
    """Reads views. Every query names its scope first; there is no way to ask across scopes."""

    def __init__(self, database: Database, collection: str, views: Iterable[View[Any] | StateView[Any]]) -> None:
        self.collection = collection
        self._views = {v.name: v for v in views}
        self._by_category = {v.category.name: v for v in self._views.values() if isinstance(v, View)}
        self._database = database
        self._documents = database.collection(collection)

    async def prepare(self) -> None:
        """Create the indexes: the scope comes first in each, and the `_id` last, by which every list is sorted."""
        models = [
            IndexModel(
                [(key, ASCENDING) for key in ("scope", "view", *(f"doc.{f}" for f in fields.split(",")), "_id")],
                name=f"{view.name} by {fields}",
                partialFilterExpression={"view": view.name},
            )
            for view in self._views.values()
            for fields in view.indexes
        ]
        models.append(IndexModel([("scope", ASCENDING), ("view", ASCENDING), ("_id", ASCENDING)], name="rows"))
        models.append(
            IndexModel([("parked.since", ASCENDING)], name=PARKED_INDEX, partialFilterExpression=PARKED_STREAM)
        )
        await self._database.index(self.collection, models)

    def of_category(self, name: str) -> View[Any] | None:
        """The view that folds a category, if any."""
        return self._by_category.get(name)

    async def get(self, view: View[R], stream: str) -> R | None:
        """One row by its stream; None where nothing was heard of it."""
        doc = await self._documents.find_one({"_id": stream, "view": view.name})
        return None if doc is None else view.row.model_validate(doc["doc"])

    async def latest(self, view: StateView[M], key: str) -> M | None:
        """One state document by its key; None where there is none or it was erased."""
        return (await self.latest_of(view, [key])).get(key)

    async def latest_of(self, view: StateView[M], keys: Iterable[str]) -> dict[str, M]:
        """Several state documents by their keys; those that are not there or were erased are missing."""
        ids = {view.id_of(key): key for key in keys}
        found = self._documents.find({"_id": {"$in": list(ids)}, "view": view.name}, batch_size=5000)
        docs: list[Document] = await found.to_list(None)
        return {ids[d["_id"]]: view.model.model_validate(d["doc"]) for d in docs if d["doc"] is not None}

    async def find(
        self,
        view: View[R],
        scope: str,
        where: Mapping[str, Any] | None = None,
        *,
        limit: int = 10_000,
        after: str | None = None,
    ) -> list[Found[R]]:
        """Rows of one scope whose fields match `where` (MongoDB's operators), by stream; `after` continues a page."""
        docs = await self._query(view.name, scope, where, limit, after)
        return [Found(d["_id"], d["v"], view.row.model_validate(d["doc"]), d.get("parked") is not None) for d in docs]

    async def sorted(
        self,
        view: View[R],
        scope: str,
        where: Mapping[str, Any],
        by: str,
        *,
        limit: int,
        down: bool = False,
        after: tuple[Any, str] | None = None,
    ) -> list[Found[R]]:
        """A page of rows in the order of a field, rows of one value by stream; `after` is the value and the stream of
        the last row of the page before. There must be an index of what `where` names, and then `by`."""
        way, beyond = (-1, "$lt") if down else (1, "$gt")
        index = f"{view.name} by {','.join([*where, by])}"
        order = [(f"doc.{by}", way), ("_id", way)]
        query: Document = {"scope": scope, "view": view.name} | {
            f"doc.{field}": value for field, value in where.items()
        }
        docs: list[Document] = []
        if after is not None:
            same = query | {f"doc.{by}": after[0], "_id": {beyond: after[1]}}
            docs = await self._documents.find(same).hint(index).sort(order).limit(limit).to_list(None)
            query[f"doc.{by}"] = {beyond: after[0]}
        if len(docs) < limit:
            docs += await self._documents.find(query).hint(index).sort(order).limit(limit - len(docs)).to_list(None)
        return [Found(d["_id"], d["v"], view.row.model_validate(d["doc"]), d.get("parked") is not None) for d in docs]

    async def find_latest(
        self, view: StateView[M], scope: str, where: Mapping[str, Any] | None = None, *, limit: int = 100_000
    ) -> list[M]:
        """State documents of one scope; erased ones are left out."""
        docs = await self._query(view.name, scope, where, limit, None)
        return [view.model.model_validate(d["doc"]) for d in docs if d["doc"] is not None]

    async def _query(
        self, name: str, scope: str, where: Mapping[str, Any] | None, limit: int, after: str | None
    ) -> list[Document]:
        if not scope:
            raise ValueError(f"a query of {name} needs a scope")
        query: Document = {"scope": scope, "view": name}
        query |= {f"doc.{field}": value for field, value in (where or {}).items()}
        if after:
            query["_id"] = {"$gt": after}
        cursor = self._documents.find(query, batch_size=5000).sort("_id", 1).limit(limit)
        docs: list[Document] = await cursor.to_list(None)
        return docs

    async def version(self, stream: str) -> int:
        """The last version of a stream that has taken effect here; 0 where none has."""
        doc = await self._documents.find_one({"_id": stream}, {"v": 1})
        return int(doc["v"]) if doc else 0
