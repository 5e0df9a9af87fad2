"""A MongoDB in memory: what `chassis.running.mongo.Database` calls of its driver, over a network that can fail."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, TypeVar

from bson import decode, encode
from bson.binary import Binary
from bson.codec_options import CodecOptions
from pymongo.errors import AutoReconnect, InvalidOperation, OperationFailure

from chassis.running.mongo import Database
from chassis.testing.network import Caller
from chassis.testing.queries import Document
from chassis.testing.store import LIFETIME, TRANSIENT, Store, Transaction, no_such_transaction
from chassis.testing.stored import MemoryCollection

T = TypeVar("T")
CODEC: CodecOptions[Document] = CodecOptions(tz_aware=True, tzinfo=UTC)
UNKNOWN = "UnknownTransactionCommitResult"


class MemoryServer:
    """One server for any number of processes. `epoch` is the time of its clock when its loop's time is 0."""

    def __init__(self, epoch: datetime) -> None:
        self._epoch = epoch
        self._stores: dict[str, Store] = {}
        self.clients: list[MemoryClient] = []

    def now(self) -> datetime:
        """The server's clock."""
        at = self._epoch + timedelta(seconds=asyncio.get_running_loop().time())
        return at.replace(microsecond=at.microsecond // 1000 * 1000)

    def store(self, name: str) -> Store:
        """What a database holds."""
        if name not in self._stores:
            self._stores[name] = Store(CODEC, self.now)
        return self._stores[name]

    @property
    def transactions(self) -> list[Transaction]:
        """Those that are open."""
        return [t for store in self._stores.values() for t in store.transactions.values() if t.open]

    def database(self, name: str, caller: Caller, concurrency: int = 16) -> Database:
        """The chassis's own `Database` on this server, for one process."""
        return Database(
            "memory", name, concurrency=concurrency, client=lambda uri, **how: MemoryClient(self, caller, **how)
        )


class MemoryClient:
    """As Motor's client, as far as `Database` uses it."""

    def __init__(
        self, server: MemoryServer, caller: Caller, *, appname: str, event_listeners: Sequence[Any], **_: Any
    ) -> None:
        self.server = server
        self.caller = caller
        self.appname = appname
        self.admin = _Admin(self)
        self.closed = False
        self._listeners = event_listeners
        server.clients.append(self)

    @property
    def connected(self) -> bool:
        return not (self.closed or self.caller.dead)

    def get_database(self, name: str, **_: Any) -> _MemoryDatabase:
        return _MemoryDatabase(self, name)

    async def start_session(self) -> MemorySession:
        return MemorySession(self)

    def close(self) -> None:
        self.closed = True

    async def ask(
        self,
        command: str,
        serve: Callable[[Transaction | None], T],
        store: Store,
        session: MemorySession | None = None,
        half: Callable[[Transaction | None], object] | None = None,
    ) -> T:
        """Send one command; `serve` is called with the session's transaction when it arrives."""
        for listener in self._listeners:
            listener.started(SimpleNamespace(command_name=command, command={}, request_id=0))
        within = session.enter(store) if session else lambda: None
        labels = [TRANSIENT] if session and session.in_transaction else []

        def failure() -> Exception:
            return AutoReconnect("connection closed", {"errorLabels": labels})

        partly = (lambda: half(within())) if half else None
        return await self.caller.ask(lambda: serve(within()), failure, partly)


class MemorySession:
    """As Motor's session: one transaction after another."""

    def __init__(self, client: MemoryClient) -> None:
        self.client = client
        self.session_id = {"id": Binary(secrets.token_bytes(16), 4)}
        self._number = 0
        self._state = "none"
        self._store: Store | None = None

    @property
    def in_transaction(self) -> bool:
        return self._state in ("starting", "open")

    def start_transaction(self, **_: Any) -> None:
        if self.in_transaction:
            raise InvalidOperation("Transaction already in progress")
        self._number += 1
        self._state = "starting"
        self._store = None

    def enter(self, store: Store) -> Callable[[], Transaction | None]:
        """For the next command: what looks its transaction up, on the server."""
        if not self.in_transaction:
            return lambda: None
        begin, self._state, self._store = self._state == "starting", "open", store
        lsid, number, app = bytes(self.session_id["id"]), self._number, self.client.appname

        found: list[Transaction] = []

        def look() -> Transaction:
            if begin and not found:
                found.append(store.transaction(lsid, number, app, begin=True))
                asyncio.get_running_loop().call_later(LIFETIME, _expire, store, found[0])
            return store.transaction(lsid, number, app, begin=False)

        return look

    async def commit_transaction(self) -> None:
        if self._state == "none":
            raise InvalidOperation("No transaction started")
        was, self._state = self._state, "committed"
        if was == "starting" or self._store is None:
            return
        store, lsid, number = self._store, bytes(self.session_id["id"]), self._number

        def commit() -> None:
            found = store.transactions.get(lsid)
            if found is None or found.number != number or not (found.open or found.committed):
                raise no_such_transaction()
            store.end(found, commit=True)

        await self.client.caller.ask(commit, lambda: AutoReconnect("connection closed", {"errorLabels": [UNKNOWN]}))

    async def abort_transaction(self) -> None:
        """As the driver's: errors are not told, for the server ends it anyway."""
        was, self._state = self._state, "aborted"
        if was == "open" and self._store is not None:
            store, lsid, number = self._store, bytes(self.session_id["id"]), self._number
            with suppress(AutoReconnect):
                await self.client.caller.ask(lambda: _abort(store, lsid, number), AutoReconnect)

    async def end_session(self) -> None:
        if self.in_transaction:
            await self.abort_transaction()


def _abort(store: Store, lsid: bytes, number: int) -> None:
    found = store.transactions.get(lsid)
    if found is not None and found.number == number:
        store.end(found, commit=False)


def _expire(store: Store, transaction: Transaction) -> None:
    store.end(transaction, commit=False)


class _MemoryDatabase:
    def __init__(self, client: MemoryClient, name: str) -> None:
        self.name = name
        self._client = client
        self._store = client.server.store(name)

    def get_collection(self, name: str, **_: Any) -> MemoryCollection:
        return MemoryCollection(self._client, self._store, name)

    __getitem__ = get_collection

    async def create_collection(self, name: str) -> None:
        def create(_: Any) -> None:
            if name in self._store.kept:
                raise OperationFailure("already exists", 48)
            self._store.collection(name)

        await self._client.ask("create", create, self._store)

    async def list_collection_names(self, **_: Any) -> list[str]:
        return await self._client.ask("listCollections", lambda _: list(self._store.kept), self._store)

    async def command(self, command: Document, session: MemorySession | None = None) -> Document:
        name, collection = next(iter(command.items()))
        if name == "insert":
            raws = [encode(doc) for doc in command["documents"]]
            return await self._client.ask(name, lambda t: self._insert(collection, raws, t), self._store, session)
        if name == "update":
            updates = decode(encode({"all": command["updates"]}), CODEC)["all"]
            return await self._client.ask(name, lambda t: self._update(collection, updates, t), self._store, session)
        raise NotImplementedError(name)

    def _insert(self, name: str, raws: list[bytes], transaction: Transaction | None) -> Document:
        done = 0
        for raw in raws:
            try:
                self._store.insert(name, raw, transaction)
            except OperationFailure as error:
                if error.code != 11000:
                    raise
                return {"n": done, "ok": 1.0, "writeErrors": [{"index": done, "code": 11000, "errmsg": str(error)}]}
            done += 1
        return {"n": done, "ok": 1.0}

    def _update(self, name: str, updates: list[Document], transaction: Transaction | None) -> Document:
        answer = {"n": 0, "nModified": 0, "ok": 1.0}
        for u in updates:
            matched, modified, _, _ = self._store.update(name, u["q"], u["u"], transaction)
            answer["n"] += matched
            answer["nModified"] += modified
        return answer


class _Admin:
    def __init__(self, client: MemoryClient) -> None:
        self._client = client

    async def command(self, name: str, value: Any = 1) -> Document:
        server = self._client.server
        if name == "hello":
            return await self._client.caller.ask(lambda: {"localTime": server.now()}, AutoReconnect)
        if name == "killSessions":
            return await self._client.caller.ask(lambda: self._kill(value), AutoReconnect)
        raise NotImplementedError(name)

    def _kill(self, sessions: list[Document]) -> Document:
        killed = {bytes(s["id"]) for s in sessions}
        server = self._client.server
        for store in server._stores.values():
            for lsid in killed & store.transactions.keys():
                store.end(store.transactions[lsid], commit=False)
        return {"ok": 1.0}

    def aggregate(self, pipeline: list[Document]) -> Any:
        if "$currentOp" not in pipeline[0]:
            raise NotImplementedError(pipeline)
        return SimpleNamespace(to_list=self._operations)

    async def _operations(self, _: int | None) -> list[Document]:
        server = self._client.server

        def look() -> list[Document]:
            living: list[Document] = [{"type": "op", "appName": c.appname} for c in server.clients if c.connected]
            return living + [
                {
                    "type": "idleSession",
                    "appName": t.app,
                    "lsid": {"id": Binary(t.session, 4)},
                    "transaction": {"parameters": {"txnNumber": t.number}},
                }
                for t in server.transactions
            ]

        return await self._client.caller.ask(look, AutoReconnect)
