"""The inbox: one transaction moves the checkpoint, folds the views, writes tasks and parks what cannot be applied."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from math import inf
from types import MappingProxyType
from typing import Any

from chassis.deciding.cuts import COLLECTION as CUTS
from chassis.deciding.cuts import Cuts
from chassis.distributing.latest import LatestStore
from chassis.receiving import tasks as task_rows
from chassis.receiving.folding import Folding
from chassis.receiving.parking import DROPS, PARKED, foreign_row
from chassis.receiving.records import Foreign, Heard, Latest, Record, read_fact, read_latest
from chassis.receiving.tasks import Tasks
from chassis.receiving.traced import Hearing
from chassis.receiving.versions import CHECKPOINTS, FILLING, HELD, LIVE, NotLive, collection_of
from chassis.receiving.versions import COLLECTION as INBOXES
from chassis.receiving.views import StateView, View, Views
from chassis.running import spans
from chassis.running.metrics import METRICS
from chassis.running.mongo import (
    ASCENDING,
    Database,
    Document,
    DuplicateKeyError,
    IndexModel,
    PyMongoError,
    Session,
    in_short,
    is_transient,
)
from contracts.catalog import Catalog
from contracts.fact import Fact

Place = tuple[str, int]
"""A topic and a partition of it."""


class Lost(Exception):
    """Another process has taken a partition over, or its checkpoint is not where we thought: look again."""


@dataclass
class Inbox:
    """One service's inbox, version `version`: which topics it reads and what it does with each record.

    The session's id in a checkpoint is the fencing token: whoever took the partition last wrote theirs, and every
    other process fails at its next transaction. An inbox that `follows` the live version fills itself behind it: it
    never passes it, and writes no tasks, which are those of the live one. `stamps` are Kafka's time stamps (ms) of the
    last records that took effect.
    """

    service: str
    catalog: Catalog
    database: Database
    views: tuple[View[Any], ...]
    states: tuple[StateView[Any], ...]
    tasks: Tasks
    now: Callable[[], datetime]
    version: int = 1
    follows: int | None = None
    wake_tasks: Callable[[], None] = lambda: None
    names: tuple[str, ...] = ()
    offsets: dict[Place, int] = field(default_factory=dict)
    stamps: dict[Place, int] = field(default_factory=dict)
    _session: Session | None = None

    def __post_init__(self) -> None:
        self.name = f"{self.service}.inbox.v{self.version}"
        self.collection = collection_of(self.version)
        self._mode = LIVE if self.follows is None else FILLING
        self.reader = Views(self.database, self.collection, [*self.views, *self.states])
        self._by_topic = {s.topic: s for s in self.states}
        categories = {v.category.name for v in self.views} | {f.category.name for f in self.tasks.hears}
        self.categories = frozenset(categories)

    @property
    def hears(self) -> frozenset[type[Fact]]:
        """Every fact that a view folds or a task is for."""
        return self.tasks.hears.union(*(v.hears for v in self.views))

    @property
    def facts(self) -> list[str]:
        """The topics its facts are said on."""
        return sorted({t for name in self.categories if (t := self.catalog.categories[name].topic)})

    @property
    def topics(self) -> list[str]:
        """The topics it subscribes to: those in `names`, every generation that Kafka had when it was asked last."""
        return sorted({*(self.names or self.facts), *self._by_topic})

    async def prepare(self) -> None:
        """Create the collections and indexes."""
        await self.database.create(self.collection, CHECKPOINTS, PARKED, DROPS, CUTS, task_rows.COLLECTION)
        waiting = IndexModel([("stream", ASCENDING), ("version", ASCENDING)], name="waiting")
        kinds = IndexModel([("inbox", ASCENDING), ("kind", ASCENDING)], name="kinds")
        await self.database.index(PARKED, [waiting, kinds])
        await self.reader.prepare()

    # -- owning partitions ------------------------------------------------------------------------------------------

    async def take(self, places: Iterable[Place]) -> dict[Place, int]:
        """Become the owner of partitions; answers the offset to go on from in each.

        Whoever owned one before may be dead with a transaction open: its session is ended first. Raises `NotLive`
        where this version may not go on.
        """
        if self._session is None:
            self._session = await self.database.start_session()
        checkpoints = self.database.collection(CHECKPOINTS)
        taken: dict[Place, int] = {}
        mine = self._session.session_id
        for place in places:
            key = self._key(place)
            old = await checkpoints.find_one({"_id": key})
            if old and old["lsid"] not in (None, mine):
                await self.database.kill_session(old["lsid"])
            try:
                doc = await checkpoints.find_one_and_update(
                    {"_id": key, "mode": self._mode},
                    {"$set": {"lsid": mine, "inbox": self.name}, "$setOnInsert": {"offset": 0}},
                    upsert=True,
                    return_document=True,
                )
            except DuplicateKeyError:
                await self._let_go(key)
                raise NotLive(key) from None
            taken[place] = int(doc["offset"])
            self.stamps[place] = int(doc.get("timestamp", 0))
        self.offsets.update(taken)
        return taken

    async def _let_go(self, key: str) -> None:
        """Open a checkpoint again that somebody held to change the live version, and did not come back to."""
        late = {"_id": key, "mode": HELD, "$expr": {"$lt": ["$held_until", "$$NOW"]}}
        await self.database.collection(CHECKPOINTS).update_one(late, {"$set": {"mode": LIVE}})

    async def stay_live(self, session: Session) -> None:
        """Within a transaction that is not the consumer's: no other version becomes live before it ends.

        Raises `NotLive` where one has.
        """
        pointer = self.database.collection(INBOXES)
        mine = {"_id": f"{self.service}.inbox", "live": self.version}
        if not (await pointer.update_one(mine, {"$inc": {"touched": 1}}, session=session)).matched_count:
            raise NotLive(self.name)

    def leave(self, places: Iterable[Place]) -> None:
        """Forget partitions that belong to somebody else now."""
        for place in places:
            self.offsets.pop(place, None)

    async def positions(self, places: Iterable[Place]) -> dict[Place, int]:
        """The checkpoints as the database has them, for those of `places` that are still ours."""
        assert self._session is not None
        keys = {self._key(p): p for p in places}
        cursor = self.database.collection(CHECKPOINTS).find(
            {"_id": {"$in": list(keys)}, "lsid": self._session.session_id}
        )
        found = {keys[doc["_id"]]: int(doc["offset"]) async for doc in cursor}
        self.leave(set(keys.values()) - found.keys())
        self.offsets.update(found)
        return found

    async def checkpoints(self) -> dict[Place, int]:
        """How far this inbox is in every partition, whoever owns it."""
        return await checkpoints_of(self.database, self.name)

    async def limits(self) -> Callable[[Place], float]:
        """How far each partition may be read: behind a live version not beyond its checkpoint, else to the end.

        A topic that the live version never heard has no limit, and neither has a compacted one: what is newest there
        counts, whoever reads it first.
        """
        if self.follows is None:
            return lambda place: inf
        ends = await checkpoints_of(self.database, f"{self.service}.inbox.v{self.follows}")
        heard = {topic for topic, _ in ends} - self._by_topic.keys()
        return lambda place: ends.get(place, 0) if place[0] in heard else inf

    def _key(self, place: Place) -> str:
        return f"{self.name}|{place[0]}|{place[1]}"

    # -- applying ---------------------------------------------------------------------------------------------------

    async def apply(self, records: Sequence[Record]) -> int:
        """Give records effect, in one transaction; answers how many facts took effect.

        Each partition's records must begin at its checkpoint and be contiguous in order. Raises `Lost`, or the
        database's transient errors: then nothing happened, and the caller reads the checkpoints again.
        """
        try:
            return await self._apply(records)
        except Lost:
            raise
        except Exception as error:
            if is_transient(error) or isinstance(error, PyMongoError):
                raise
            if len(records) == 1:
                return await self._apply(records, unfit=in_short(error))
        return sum([await self.apply([record]) for record in records])

    async def _apply(self, records: Sequence[Record], unfit: str | None = None) -> int:
        assert self._session is not None
        heard, latest, foreign, sampled = self._read(records, unfit)
        moved: dict[Place, int] = {}
        begun: dict[Place, int] = {}
        stamps: dict[Place, int] = {}
        for record in records:
            begun.setdefault((record.topic, record.partition), record.offset)
            moved[record.topic, record.partition] = record.offset + 1
            stamps[record.topic, record.partition] = record.timestamp
        # Tried one by one, what is in hand may be from before the partition went to somebody else and came back.
        if any(offset < self.offsets.get(place, offset) for place, offset in begun.items()):
            raise Lost(", ".join(f"{t}/{p}" for t, p in moved))
        hearing: Hearing | None = None
        if sampled:
            hearing = Hearing(self.name, sampled, len(records), rebuilds=self.follows is not None)
        try:
            with spans.inside(hearing.batch if hearing else None):
                async with self.database.transaction(self._session) as session:
                    await self._advance(moved, stamps, session)
                    folding = await self._fold(heard, latest, hearing, session)
                    await self.write(folding, session, foreign)
        except BaseException as error:
            if hearing:
                hearing.end(spans.kind_of(error))
            raise
        if hearing:
            hearing.end(documents=folding.documents)
        self.offsets.update(moved)
        self.stamps.update(stamps)
        METRICS.projected.add(folding.applied)
        METRICS.repeats.add(folding.repeats)
        METRICS.foreign.add(len(foreign))
        if folding.applied and self.follows is None:
            METRICS.delay.record(max(0.0, time.time() - min(record.timestamp for record in records) / 1000))
        if folding.rows and self.follows is None:
            self.wake_tasks()
        return folding.applied

    def _read(
        self, records: Sequence[Record], unfit: str | None
    ) -> tuple[list[Heard], list[Latest], list[Document], list[tuple[Heard, Record]]]:
        """What was heard, what is newest, what nobody can place; and of what was heard that which is traced."""
        heard: list[Heard] = []
        sampled: list[tuple[Heard, Record]] = []
        latest: list[Latest] = []
        foreign: list[Document] = []
        for record in records:
            state = self._by_topic.get(record.topic)
            found: Heard | Latest | Foreign | None
            found = read_latest(record, state) if state else read_fact(record, self.catalog, self.categories)
            if unfit is not None and isinstance(found, Heard):
                found = Heard(found.envelope, found.raw, None, unfit)
            elif unfit is not None and isinstance(found, Latest):
                found = Foreign(unfit)
            if isinstance(found, Heard):
                heard.append(found)
                if spans.is_sampled(found.envelope.traceparent):
                    sampled.append((found, record))
            elif isinstance(found, Latest):
                latest.append(found)
            elif isinstance(found, Foreign):
                foreign.append(foreign_row(self.name, record, found.reason, self.now()))
        return heard, latest, foreign, sampled

    async def _advance(self, moved: dict[Place, int], stamps: dict[Place, int], session: Session) -> None:
        assert self._session is not None
        updates: list[Document] = [
            {
                "q": {"_id": self._key(p), "offset": self.offsets.get(p), "lsid": self._session.session_id},
                "u": {"$set": {"offset": offset, "timestamp": stamps[p]}},
            }
            for p, offset in moved.items()
        ]
        if await self.database.update(CHECKPOINTS, updates, session) != len(updates):
            raise Lost(", ".join(f"{t}/{p}" for t, p in moved))

    async def _fold(
        self, heard: Sequence[Heard], latest: Sequence[Latest], hearing: Hearing | None, session: Session
    ) -> Folding:
        ids = list(dict.fromkeys([h.envelope.stream for h in heard] + [x.view.id_of(x.key) for x in latest]))
        documents: dict[str, Document] = {}
        if ids:
            cursor = self.database.collection(self.collection).find(
                {"_id": {"$in": ids}}, session=session, batch_size=len(ids) + 1
            )
            documents = {d["_id"]: d for d in await cursor.to_list(None)}
        waiting = await self.waiting([d["_id"] for d in documents.values() if d.get("parked")], session)
        traces = hearing.begin(heard, documents, waiting) if hearing else {}
        folding = self.folding(documents, waiting, traces)
        for h in heard:
            folding.hear(h)
        about = {who for x in latest if (who := x.view.about(x.key)) is not None}
        cut = await Cuts(self.database).among(about, session) if about else frozenset()
        for x in latest:
            folding.keep(x, cut)
        if self.follows is None:
            await self._heard_own(latest, folding, session)
        return folding

    async def _heard_own(self, latest: Sequence[Latest], folding: Folding, session: Session) -> None:
        """Tell the store of state records which of its own records came back, and in which order."""
        last = {f"{x.view.topic}|{x.key}": x for x in latest if x.view.own}
        if last:
            tombstones = [id for id, x in last.items() if x.doc is None]
            others = [id for id, x in last.items() if x.doc is not None]
            stale = {id: x.rev for id, x in last.items() if x.view.id_of(x.key) in folding.stale}
            await LatestStore(self.database).heard(tombstones, others, stale, session)

    def folding(
        self,
        documents: dict[str, Document],
        waiting: Mapping[str, list[Document]],
        traces: Mapping[str, str | None] = MappingProxyType({}),
    ) -> Folding:
        """What folds into these documents, with what waits on those of them that are parked."""
        return Folding(documents, waiting, self.reader, self.tasks, traces, self.catalog, self.name, self.now())

    async def waiting(self, parked: Sequence[str], session: Session) -> dict[str, list[Document]]:
        """The facts that wait on parked streams, in the order of versions."""
        waiting: dict[str, list[Document]] = {}
        if parked:
            query = {"inbox": self.name, "stream": {"$in": list(parked)}}
            cursor = self.database.collection(PARKED).find(query, session=session).sort("version", 1)
            for row in await cursor.to_list(None):
                waiting.setdefault(row["stream"], []).append(row)
        return waiting

    async def write(self, folding: Folding, session: Session, foreign: Sequence[Document] = ()) -> None:
        """Write what a folding came to, and records that nobody can place, in the session's transaction."""
        new = [folding.documents[id] for id in folding.changed if id not in folding.known]
        known = [folding.documents[id] for id in folding.changed if id in folding.known]
        await self.database.insert(self.collection, new, session)
        await self.database.replace(self.collection, known, session)
        if self.follows is None:
            await self.database.insert(task_rows.COLLECTION, folding.rows, session)
        await self.database.insert(PARKED, [*folding.parked, *foreign], session)
        if folding.drained:
            await self.database.collection(PARKED).delete_many({"_id": {"$in": folding.drained}}, session=session)

    async def close(self) -> None:
        """End the session; an open transaction of ours is aborted with it."""
        if self._session is not None:
            with suppress(PyMongoError):
                await self._session.end_session()
            self._session = None


async def checkpoints_of(database: Database, name: str, session: Session | None = None) -> dict[Place, int]:
    """The checkpoints of an inbox by its name, whoever owns them."""
    found = {}
    for doc in await database.collection(CHECKPOINTS).find({"inbox": name}, session=session).to_list(None):
        _, topic, partition = doc["_id"].split("|")
        found[topic, int(partition)] = int(doc["offset"])
    return found
