"""The only file that knows which MongoDB driver runs: Motor or PyMongo's async client; they differ in few awaits."""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pymongo
from bson.codec_options import CodecOptions
from bson.errors import BSONError
from motor.motor_asyncio import AsyncIOMotorClient
from pymongo import ASCENDING, AsyncMongoClient, IndexModel, ReadPreference
from pymongo.errors import ConnectionFailure, DocumentTooLarge, DuplicateKeyError, OperationFailure, PyMongoError
from pymongo.monitoring import CommandFailedEvent, CommandListener, CommandStartedEvent, CommandSucceededEvent
from pymongo.read_concern import ReadConcern
from pymongo.uri_parser import parse_uri
from pymongo.write_concern import WriteConcern

from chassis.running import spans
from chassis.running.metrics import METRICS

__all__ = [
    "ASCENDING",
    "MAJORITY_READ",
    "SNAPSHOT_READ",
    "Database",
    "Document",
    "DuplicateKeyError",
    "IndexModel",
    "PyMongoError",
    "Session",
    "Unprepared",
    "WriteFailed",
    "in_short",
    "is_transient",
    "within",
]

Document = dict[str, Any]
Session = Any
Collection = Any

MAJORITY = WriteConcern("majority")
MAJORITY_READ = ReadConcern("majority")
SNAPSHOT_READ = ReadConcern("snapshot")
_CODEC: CodecOptions[Document] = CodecOptions(tz_aware=True, tzinfo=UTC)
_UNAUTHORIZED = 13
_APP = "counterpoint "
_LOOK_AGAIN = 0.05
_CLOSE = 0.5
_LARGEST_COMMAND = 12 * 1024 * 1024
_NOT_ROUND_TRIPS = frozenset({"hello", "ping", "isMaster", "endSessions", "saslStart", "saslContinue", "getMore"})
_NOT_TRACED = _NOT_ROUND_TRIPS - {"getMore"}


def within(seconds: float) -> AbstractContextManager[None]:
    """Bound all that is asked of the database in the block together: what has no answer by then raises a PyMongoError.

    A server that hangs would otherwise be waited for until the driver's own monitor gives it up. A block within
    another can only be shorter.
    """
    return pymongo.timeout(seconds)


class WriteFailed(Exception):
    """A bulk command wrote less than it was given: `db.command` itself does not raise for that."""


def is_transient(error: BaseException) -> bool:
    """Whether the whole transaction may simply be tried again."""
    return isinstance(error, PyMongoError) and (
        error.has_error_label("TransientTransactionError")
        or error.has_error_label("UnknownTransactionCommitResult")
        or isinstance(error, ConnectionFailure)
        or (isinstance(error, OperationFailure) and error.code in (112, 251))
    )


class Unprepared(spans.Told):
    """A collection or an index is missing, and this user may not make it."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} is missing, and this user may not make it: run --prepare as the user who may")


class RoundTrips(CommandListener):
    """Counts what is asked of the database, by command name and collection; the figures gate in tests."""

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, str]] = Counter()
        self._asked: dict[int, dict[str, str]] = {}

    def started(self, event: CommandStartedEvent) -> None:
        if event.command_name not in _NOT_ROUND_TRIPS:
            on = event.command.get(event.command_name)
            self.counts[event.command_name, str(on)] += 1
            told = {"db.system.name": "mongodb", "db.operation.name": event.command_name}
            self._asked[event.request_id] = told | ({"db.collection.name": on} if isinstance(on, str) else {})

    def succeeded(self, event: CommandSucceededEvent) -> None:
        self._answered(event.request_id, event.duration_micros)

    def failed(self, event: CommandFailedEvent) -> None:
        self._answered(event.request_id, event.duration_micros, str(event.failure.get("code", "network")))

    def _answered(self, request: int, micros: int, error: str | None = None) -> None:
        told = self._asked.pop(request, None)
        if told is not None:
            METRICS.database_duration.record(micros / 1e6, told | ({"error.type": error} if error else {}))

    @property
    def total(self) -> int:
        return sum(self.counts.values())


class Spans(CommandListener):
    """A CLIENT span for each command that is part of a sampled trace. Neither what is looked for nor what is found."""

    def __init__(self) -> None:
        self._open: dict[int, spans.Span] = {}

    def started(self, event: CommandStartedEvent) -> None:
        above = spans.sampled_now()
        if above is None or event.command_name in _NOT_TRACED:
            return
        collection = event.command.get("collection" if event.command_name == "getMore" else event.command_name)
        target = collection if isinstance(collection, str) else None
        about = {
            "db.system.name": "mongodb",
            "db.namespace": event.database_name,
            "db.operation.name": event.command_name,
            "db.collection.name": target,
            "server.address": event.connection_id[0],
            "server.port": event.connection_id[1],
        }
        name = f"{event.command_name} {target or event.database_name}"
        self._open[event.request_id] = spans.begin(name, spans.SpanKind.CLIENT, about, below=above)

    def succeeded(self, event: CommandSucceededEvent) -> None:
        if span := self._open.pop(event.request_id, None):
            spans.end(span)

    def failed(self, event: CommandFailedEvent) -> None:
        if span := self._open.pop(event.request_id, None):
            code = event.failure.get("code") if isinstance(event.failure, Mapping) else None
            if code is not None:
                span.set_attribute("db.response.status_code", str(code))
            spans.end(span, str(code) if code is not None else "_OTHER")


class Database:
    """One service's database; all writes are at majority. `gate` bounds concurrent commands, first come first.

    With `ca`, a file of authorities, everything goes over TLS. `client` is the class of a client to use instead of the
    driver's; it answers as Motor's does.
    """

    def __init__(
        self,
        uri: str,
        name: str,
        *,
        driver: str = "motor",
        concurrency: int = 16,
        ca: Path | None = None,
        client: Callable[..., Any] | None = None,
    ) -> None:
        self.round_trips = RoundTrips()
        self._motor = driver == "motor"
        made_by: Any = client or (AsyncIOMotorClient if self._motor else AsyncMongoClient)
        self._looking: asyncio.Task[int] | None = None
        self._abandoned: list[Mapping[str, Any]] = []
        self.client: Any = made_by(
            uri,
            maxPoolSize=concurrency + 8,
            event_listeners=[self.round_trips, Spans()],
            serverSelectionTimeoutMS=5000,
            connectTimeoutMS=5000,
            appname=_APP + secrets.token_hex(8),
            **({"tls": True, "tlsCAFile": str(ca)} if ca else {}),
        )
        self._db: Any = self.client.get_database(
            name, codec_options=_CODEC, write_concern=MAJORITY, read_preference=ReadPreference.PRIMARY
        )
        self.gate = asyncio.Semaphore(concurrency)

    def collection(self, name: str, *, read_concern: ReadConcern | None = None) -> Collection:
        """A collection, with datetimes in UTC."""
        return self._db.get_collection(name, read_concern=read_concern)

    async def create(self, *names: str) -> None:
        """Create collections beforehand: creating them inside concurrent transactions conflicts.

        Raises `Unprepared` where one is missing and this user may not make it.
        """
        there = set(await self.collections())
        for name in names:
            if name not in there:
                try:
                    await self._db.create_collection(name)
                except OperationFailure as error:
                    if error.code == _UNAUTHORIZED:
                        raise Unprepared(f"the collection {name}") from None
                    if error.code != 48:  # another process was quicker
                        raise

    async def collections(self) -> list[str]:
        """The collections that this user may look into."""
        try:
            found: list[str] = await self._db.list_collection_names(authorizedCollections=True)
        except OperationFailure as error:
            if error.code != _UNAUTHORIZED:
                raise
            return []  # who has no right at all may not even ask
        return sorted(name for name in found if not name.startswith("system."))

    async def index(self, collection: str, models: Sequence[IndexModel]) -> None:
        """Create the indexes that are not there yet; raises as `create` does.

        What is there already is not asked for again, because asking is a right of its own.
        """
        there = await self._db[collection].index_information()
        missing = [m for m in models if _told(m.document) != _told(there.get(m.document["name"], {}))]
        if missing:
            try:
                await self._db[collection].create_indexes(missing)
            except OperationFailure as error:
                if error.code == _UNAUTHORIZED:
                    raise Unprepared(f"the index {missing[0].document['name']} of {collection}") from None
                raise

    async def grant(self, role: str, rights: Mapping[str, Sequence[str]]) -> None:
        """Let a role of this database do these actions on these collections, and nothing else.

        First what is new, then away with what was too much: a process at work is refused nothing it may do.
        """
        known = (await self._db.command("rolesInfo", role, showPrivileges=True))["roles"]
        if not known:
            await self._db.command("createRole", role, privileges=[], roles=[])
        wanted = [self._privilege(name, actions) for name, actions in sorted(rights.items())]
        await self._db.command("grantPrivilegesToRole", role, privileges=wanted)
        has = {p["resource"]["collection"]: set(p["actions"]) for p in (known[0]["privileges"] if known else ())}
        excess = {name: sorted(actions - set(rights.get(name, ()))) for name, actions in has.items()}
        if away := [self._privilege(name, actions) for name, actions in sorted(excess.items()) if actions]:
            await self._db.command("revokePrivilegesFromRole", role, privileges=away)

    async def let_in(self, address: str, role: str) -> None:
        """Make the user whom an address names, with the password there, and that role alone; again changes both.

        Raises ValueError for an address that has no user of this database.
        """
        said = parse_uri(address, validate=False, warn=False)
        if not said["username"] or said["options"].get("authSource", said["database"]) != self._db.name:
            raise ValueError(f"its user must be one of {self._db.name}: …/{self._db.name}?authSource={self._db.name}")
        if not (await self._db.command("rolesInfo", role))["roles"]:
            await self._db.command("createRole", role, privileges=[], roles=[])
        known = (await self._db.command("usersInfo", said["username"]))["users"]
        command = "updateUser" if known else "createUser"
        granted = [{"role": role, "db": self._db.name}]
        await self._db.command(command, said["username"], pwd=said["password"], roles=granted)

    def _privilege(self, collection: str, actions: Iterable[str]) -> Document:
        return {"resource": {"db": self._db.name, "collection": collection}, "actions": list(actions)}

    async def start_session(self) -> Session:
        """A session to run transactions in, one after another."""
        return await self.client.start_session() if self._motor else self.client.start_session()

    @asynccontextmanager
    async def transaction(self, session: Session | None = None) -> AsyncIterator[Session]:
        """A transaction at snapshot and majority; committed at the end, aborted on any exception.

        A commit whose answer was lost is asked for again, once: it is the same transaction.
        """
        own = session is None
        s: Any = await self.start_session() if own else session
        try:
            starting = s.start_transaction(read_concern=SNAPSHOT_READ, write_concern=MAJORITY)
            if not self._motor:
                await starting
            try:
                yield s
                await self._commit(s)
            except BaseException as error:
                if own and isinstance(error, ConnectionFailure | asyncio.CancelledError):
                    self._abandoned.append(s.session_id)  # perhaps nobody can tell the server that it is over
                if s.in_transaction:
                    with suppress(PyMongoError):  # the first error says more
                        await s.abort_transaction()
                raise
        finally:
            if own:
                await s.end_session()

    @staticmethod
    async def _commit(session: Session) -> None:
        try:
            await session.commit_transaction()
        except PyMongoError as error:
            if not error.has_error_label("UnknownTransactionCommitResult"):
                raise
            await session.commit_transaction()

    async def kill_session(self, lsid: Mapping[str, Any]) -> None:
        """End a dead process's session and with it the transaction that holds locks. Only the same user can."""
        await self.client.admin.command("killSessions", [lsid])

    async def end_dead_transactions(self) -> int:
        """End the open transactions of processes of this user that have no connection left; answers how many.

        And those that this process had to give up when its own connection was lost.
        The server ends none because its process is gone: it would hold its locks until its time is over. Every
        connection tells whose it is, and a process that lives has one. Whoever asks meanwhile shares the answer.
        """
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._end_dead())
            self._looking.add_done_callback(lambda look: look.cancelled() or look.exception())
        return await asyncio.shield(self._looking)

    async def _end_dead(self) -> int:
        if abandoned := self._abandoned[:100]:
            await self.client.admin.command("killSessions", abandoned)
            del self._abandoned[: len(abandoned)]
        dead = await self._dead()
        if dead:
            await asyncio.sleep(_LOOK_AGAIN)  # one look is no single moment: a process may just be starting
            again = await self._dead()
            dead = {key: lsid for key, lsid in dead.items() if key in again}
        if dead:
            await self.client.admin.command("killSessions", list(dead.values()))
        return len(dead)

    async def _dead(self) -> dict[tuple[bytes, int], Document]:
        """The sessions with an open transaction whose process is not connected, by their id and transaction."""
        look = [{"$currentOp": {"allUsers": False, "idleSessions": True, "idleConnections": True}}]
        cursor = self.client.admin.aggregate(look)
        found = await (cursor if self._motor else await cursor).to_list(None)
        living = {op.get("appName") for op in found if op["type"] == "op"}
        return {
            (bytes(op["lsid"]["id"]), op["transaction"]["parameters"]["txnNumber"]): {"id": op["lsid"]["id"]}
            for op in found
            if op["type"] == "idleSession"
            and op.get("transaction")
            and op.get("appName", "").startswith(_APP)
            and op["appName"] not in living
        }

    async def now(self) -> datetime:
        """The database's clock, UTC."""
        answer = await self.client.admin.command("hello")
        at: datetime = answer["localTime"]
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at

    async def insert(self, collection: str, documents: Sequence[Document], session: Session | None = None) -> None:
        """Insert new documents, all or an error."""
        for part in _parts(documents):
            await self._write({"insert": collection, "documents": part}, len(part), session)

    async def replace(self, collection: str, documents: Sequence[Document], session: Session | None = None) -> None:
        """Replace known documents by `_id`, all or an error."""
        for part in _parts(documents):
            updates = [{"q": {"_id": d["_id"]}, "u": d} for d in part]
            await self._write({"update": collection, "ordered": False, "updates": updates}, len(part), session)

    async def update(self, collection: str, updates: Sequence[Document], session: Session | None = None) -> int:
        """Several `{q, u}` updates in one command. Answers how many matched."""
        answer = await self._db.command({"update": collection, "updates": list(updates)}, session=session)
        if answer.get("writeErrors"):
            raise WriteFailed(f"{collection}: {_codes(answer)}")
        return int(answer["n"])

    async def _write(self, command: Document, wanted: int, session: Session | None) -> None:
        answer = await self._db.command(command, session=session)
        if answer.get("writeErrors") or answer["n"] != wanted:
            kind = next(iter(command))
            raise WriteFailed(f"{kind} {command[kind]}: {answer['n']} of {wanted} written {_codes(answer)}")

    async def aggregate(
        self, collection: str, stages: Sequence[Document], read_concern: ReadConcern, index: str | None = None
    ) -> Any:
        """A cursor over what the stages answer; `index` is the one to go along where the server would not."""
        along = {"hint": index} if index else {}
        cursor = self.collection(collection, read_concern=read_concern).aggregate(
            list(stages), batchSize=10_000, **along
        )
        return cursor if self._motor else await cursor

    @asynccontextmanager
    async def watch_inserts(self, collection: str) -> AsyncIterator[Any]:
        """A change stream over a collection's inserts."""
        inserts = [{"$match": {"operationType": "insert"}}]
        watching = self.collection(collection).watch(inserts, max_await_time_ms=1000)
        async with watching if self._motor else await watching as stream:
            yield stream

    async def ping(self) -> None:
        """Raise a PyMongoError where no primary answers."""
        await self.client.admin.command("ping")

    async def close(self) -> None:
        """Close all connections. A server that hangs is not waited for."""
        with within(_CLOSE):
            closing = self.client.close()
            if closing is not None:
                await closing


def in_short(error: BaseException) -> str:
    """An error in words that may be logged and kept: what the database and its driver say repeats the documents."""
    if isinstance(error, OperationFailure):
        return f"{type(error).__name__}: {error.code} {(error.details or {}).get('codeName', '')}"
    if isinstance(error, BSONError) and not isinstance(error, DocumentTooLarge):
        return type(error).__name__
    return f"{type(error).__name__}: {error}"[:500]


def _codes(answer: Mapping[str, Any]) -> list[Any]:
    """The codes of the first errors of a bulk command: their texts tell what is in the documents."""
    return [error.get("code") for error in answer.get("writeErrors", ())[:3]]


def _told(index: Mapping[str, Any]) -> tuple[Any, ...]:
    """What an index is, whether a model or the server tells it."""
    key = dict(index.get("key", {}))
    return list(key.items()), bool(index.get("unique")), dict(index.get("partialFilterExpression", {}))


def _parts(documents: Sequence[Document]) -> list[list[Document]]:
    """A command is one BSON document: split long lists by their approximate size."""
    parts: list[list[Document]] = []
    size = _LARGEST_COMMAND
    for d in documents:
        weight = len(str(d)) if len(documents) > 1000 else 4096
        if size + weight > _LARGEST_COMMAND:
            parts.append([])
            size = 0
        parts[-1].append(d)
        size += weight
    return parts
