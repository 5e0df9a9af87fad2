"""A database in memory as MongoDB has it: unique keys, and transactions on snapshots that conflict."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

from bson import decode, encode
from bson.codec_options import CodecOptions
from pymongo.errors import DuplicateKeyError, OperationFailure

from chassis.testing.network import Waits
from chassis.testing.queries import Document, changed, matcher, ordered, projected, reach, seed

TRANSIENT = "TransientTransactionError"
LIFETIME = 10.0
"""Seconds after which the server ends a transaction by itself."""

Key = tuple[Any, ...]
"""What is locked: a document by collection and id, or a unique key by collection, index and values."""


@dataclass(frozen=True, slots=True)
class Version:
    """A document from one moment on; `raw` is None where it was removed."""

    at: int
    doc: Document
    raw: bytes | None


@dataclass(eq=False)
class Transaction:
    """What one transaction has seen and written. It sees what there was when it began, and its own writes."""

    session: bytes
    number: int
    app: str
    began: int
    writes: dict[tuple[str, Any], Version] = field(default_factory=dict)
    keys: dict[Key, Any] = field(default_factory=dict)
    open: bool = True
    committed: bool = False
    after: list[Callable[[], None]] = field(default_factory=list)


def write_conflict() -> OperationFailure:
    """Somebody else writes, or has written, what a transaction wants to write."""
    return OperationFailure("WriteConflict", 112, {"errorLabels": [TRANSIENT], "code": 112})


def no_such_transaction() -> OperationFailure:
    """The server knows no such open transaction."""
    return OperationFailure("NoSuchTransaction", 251, {"errorLabels": [TRANSIENT], "code": 251})


def duplicate(collection: str, index: str, values: object) -> DuplicateKeyError:
    """A unique key is there already."""
    said = f"E11000 duplicate key error collection: {collection} index: {index} dup key: {values}"
    return DuplicateKeyError(said, 11000, {"code": 11000, "errmsg": said})


class Kept:
    """One collection."""

    def __init__(self, name: str, indexes: dict[str, Document]) -> None:
        self.name = name
        self.indexes = indexes
        self.past: dict[Any, list[Version]] = {}
        self.unique: dict[str, dict[Key, Any]] = {}

    def keys_of(self, doc: Document) -> Iterable[tuple[str, Key]]:
        """The unique keys of a document, by the name of their index."""
        for name in self.unique:
            yield name, tuple(next(iter(reach(doc, path)), None) for path in self.indexes[name]["key"])


class Store:
    """One database of one server. Nothing waits in here: what would have to raises `Waits`."""

    def __init__(self, codec: CodecOptions[Document], clock: Callable[[], datetime]) -> None:
        self.kept: dict[str, Kept] = {}
        self.transactions: dict[bytes, Transaction] = {}
        self.now = clock
        self.seen: Counter[str] = Counter()
        self._codec = codec
        self._at = 0
        self._locks: dict[Key, Transaction] = {}
        self._open: set[Transaction] = set()

    def collection(self, name: str) -> Kept:
        """A collection, made where it is not there yet."""
        if name not in self.kept:
            self.kept[name] = Kept(name, {"_id_": {"key": {"_id": 1}}})
        return self.kept[name]

    def create_index(self, name: str, model: Document) -> None:
        """Make an index; only its uniqueness has an effect."""
        kept = self.collection(name)
        kept.indexes[model["name"]] = model
        if model.get("unique"):
            unique: dict[Key, Any] = {}
            kept.unique[model["name"]] = unique
            for id, past in kept.past.items():
                unique |= dict.fromkeys([k for index, k in kept.keys_of(past[-1].doc) if index == model["name"]], id)

    # -- transactions -----------------------------------------------------------------------------------------------

    def transaction(self, session: bytes, number: int, app: str, *, begin: bool) -> Transaction:
        """The open transaction of a session. Raises where the server knows it no more."""
        found = self.transactions.get(session)
        if begin:
            if found is not None and found.open:
                self.end(found, commit=False)
            found = self.transactions[session] = Transaction(session, number, app, self._at)
            self._open.add(found)
        if found is None or found.number != number or not found.open:
            raise no_such_transaction()
        return found

    def end(self, transaction: Transaction, *, commit: bool) -> None:
        """Commit or abort, and let those go on who wait for it."""
        if not transaction.open:
            return
        transaction.open = False
        transaction.committed = commit
        self._open.discard(transaction)
        if commit and transaction.writes:
            self._at += 1
            for (name, id_), version in transaction.writes.items():
                self._install(self.kept[name], id_, version)
        self._locks = {key: holder for key, holder in self._locks.items() if holder is not transaction}
        for go_on in transaction.after:
            go_on()

    def _lock(self, transaction: Transaction | None, key: Key) -> None:
        holder = self._locks.get(key)
        if holder is not None and holder is not transaction:
            if transaction is None:
                self.seen["waits"] += 1
                raise Waits(holder.after.append)
            self._conflict(transaction)

    def _conflict(self, transaction: Transaction) -> None:
        self.seen["write conflicts"] += 1
        self.end(transaction, commit=False)
        raise write_conflict()

    # -- reading ----------------------------------------------------------------------------------------------------

    def find(
        self,
        name: str,
        query: Mapping[str, Any],
        transaction: Transaction | None = None,
        sort: Sequence[tuple[str, int]] = (),
        limit: int = 0,
        fields: Mapping[str, Any] | None = None,
    ) -> list[Document]:
        """Copies of the documents that match, as of one moment."""
        found = self._matching(self.collection(name), query, transaction)
        if not sort:
            chosen = [self._decoded(v.raw) for v in (found[:limit] if limit else found)]
        else:
            raws = {v.doc["_id"]: v.raw for v in found}
            docs = ordered([v.doc for v in found], sort)
            chosen = [self._decoded(raws[doc["_id"]]) for doc in (docs[:limit] if limit else docs)]
        return [projected(doc, fields) for doc in chosen] if fields else chosen

    def _decoded(self, raw: bytes | None) -> Document:
        assert raw is not None
        return decode(raw, self._codec)

    def _matching(self, kept: Kept, query: Mapping[str, Any], transaction: Transaction | None) -> list[Version]:
        matches = matcher(query, self.now())
        named = query.get("_id")
        if isinstance(named, str):
            ids: Iterable[Any] = (named,)
        elif isinstance(named, dict) and "$in" in named:
            ids = [id for id in kept.past if id in set(named["$in"])]
        else:
            ids = list(kept.past)
        if transaction is not None:
            ids = dict.fromkeys([*ids, *(id for name, id in transaction.writes if name == kept.name)])
        seen = (self._version(kept, id, transaction) for id in ids)
        return [v for v in seen if v is not None and v.raw is not None and matches(v.doc)]

    @staticmethod
    def _version(kept: Kept, id: Any, transaction: Transaction | None) -> Version | None:
        past = kept.past.get(id, ())
        if transaction is None:
            return past[-1] if past else None
        own = transaction.writes.get((kept.name, id))
        return own or next((v for v in reversed(past) if v.at <= transaction.began), None)

    # -- writing ----------------------------------------------------------------------------------------------------

    def insert(self, name: str, raw: bytes, transaction: Transaction | None = None) -> None:
        """Insert a document. Raises `DuplicateKeyError`, a write conflict, or `Waits`."""
        self._write(self.collection(name), decode(raw, self._codec), raw, None, transaction)

    def update(
        self,
        name: str,
        query: Mapping[str, Any],
        update: Any,
        transaction: Transaction | None = None,
        *,
        many: bool = False,
        upsert: bool = False,
        most: int | None = None,
    ) -> tuple[int, int, Document | None, Document | None]:
        """Change what matches; answers how many matched and changed, and the first before and after."""
        kept = self.collection(name)
        found = self._matching(kept, query, transaction)[: None if many else 1][:most]
        now = self.now()
        if not found and upsert:
            doc = changed(seed(query), update, now, new=True)
            raw = encode(doc)
            doc = self._decoded(raw)
            self._write(kept, doc, raw, None, transaction)
            return 0, 0, None, self._decoded(raw)
        made = []
        for version in found:
            raw = encode(changed(version.doc, update, now, new=False))
            if raw != version.raw:  # who writes what is there already writes nothing, and meets nobody
                made.append((version, raw))
        write = [partial(self._write, kept, self._decoded(raw), raw, version, transaction) for version, raw in made]
        if transaction is None:
            for version, _ in made:
                self._lock(None, (name, version.doc["_id"]))
        for each in write:
            each()
        before = found[0] if found else None
        after = self._version(kept, before.doc["_id"], transaction) if before else None
        return (
            len(found),
            len(made),
            self._decoded(before.raw) if before else None,
            self._decoded(after.raw) if after else None,
        )

    def delete(
        self, name: str, query: Mapping[str, Any], transaction: Transaction | None = None, *, many: bool = False
    ) -> list[Document]:
        """Remove what matches; answers what was removed."""
        kept = self.collection(name)
        found = self._matching(kept, query, transaction)[: None if many else 1]
        for version in found:
            self._lock(transaction, (name, version.doc["_id"]))
        for version in found:
            self._write(kept, version.doc, None, version, transaction)
        return [self._decoded(version.raw) for version in found]

    def _write(
        self, kept: Kept, doc: Document, raw: bytes | None, before: Version | None, transaction: Transaction | None
    ) -> None:
        id_ = doc["_id"]
        self._lock(transaction, (kept.name, id_))
        if transaction is not None:
            latest = kept.past.get(id_, ())
            if latest and latest[-1].at > transaction.began:
                self._conflict(transaction)
        if before is None:
            self._demand_new(kept, doc, transaction)
        version = Version(self._at + 1, doc, raw)
        if transaction is None:
            self._at += 1
            self._install(kept, id_, version)
            return
        transaction.writes[kept.name, id_] = version
        self._locks[kept.name, id_] = transaction
        if before is None:
            for index, key in kept.keys_of(doc):
                transaction.keys[kept.name, index, key] = id_
                self._locks[kept.name, index, key] = transaction

    def _demand_new(self, kept: Kept, doc: Document, transaction: Transaction | None) -> None:
        found = self._version(kept, doc["_id"], transaction)
        if found is not None and found.raw is not None:
            self._refuse(kept, "_id_", (doc["_id"],), transaction)
        for index, key in kept.keys_of(doc):
            self._lock(transaction, (kept.name, index, key))
            if transaction is not None and (kept.name, index, key) in transaction.keys:
                self._refuse(kept, index, key, transaction)
            other = kept.unique[index].get(key)
            if other is None:
                continue
            if transaction is not None and kept.past[other][-1].at > transaction.began:
                self._conflict(transaction)
            self._refuse(kept, index, key, transaction)

    def _refuse(self, kept: Kept, index: str, key: Key, transaction: Transaction | None) -> None:
        self.seen["duplicates"] += 1
        if transaction is not None:
            self.end(transaction, commit=False)
        raise duplicate(kept.name, index, key)

    def _install(self, kept: Kept, id_: Any, version: Version) -> None:
        version = Version(self._at, version.doc, version.raw)
        self.seen[f"{kept.name} {'kept' if version.raw else 'removed'}"] += 1
        past = kept.past.setdefault(id_, [])
        for index, key in kept.keys_of(past[-1].doc) if past else ():
            kept.unique[index].pop(key, None)
        if self._open:
            past.append(version)
        elif version.raw is None:
            del kept.past[id_]
        else:
            past[:] = [version]
        if version.raw is not None:
            for index, key in kept.keys_of(version.doc):
                kept.unique[index][key] = id_
