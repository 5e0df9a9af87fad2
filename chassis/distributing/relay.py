"""The relay: sweep what is pending by key, send one batch per partition, await the answer, mark."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property
from itertools import count
from math import inf, isfinite

from chassis.deciding.journal import COLLECTION, Commit
from chassis.distributing import generations
from chassis.distributing.generations import Generations
from chassis.distributing.latest import LatestStore
from chassis.distributing.producer import Outgoing, Sender
from chassis.distributing.slots import partition_of
from chassis.distributing.traced import Lane, Sending
from chassis.running import spans
from chassis.running.logs import about
from chassis.running.metrics import METRICS
from chassis.running.mongo import SNAPSHOT_READ, Database, Document
from contracts.catalog import Catalog
from contracts.envelope import Envelope, to_headers
from contracts.streams import HEARTBEAT, parts
from contracts.types import instant_text

LEASES = "leases"
PAGE = 2000
"""Commits read at once. The slot at the end of a full page is left for the next one, so that no stream is in both."""
MARK_SECONDS = 2.0
"""How long a relay that stops waits for its last mark: without it, what was sent is sent again."""

BEATING_DAYS = 30
"""How long after an erasure records come that let Kafka tidy up: longer than a segment is written to."""

_log = logging.getLogger("counterpoint.relay")


class Relay:
    """Publishes one service's journal. Whatever kills it, the first occurrence of each version is in order.

    One relay of a service works, the others stand by: a lease on the database's clock saves the topics from being
    written twice for ever. No correctness rests on it.
    """

    def __init__(
        self,
        service: str,
        catalog: Catalog,
        database: Database,
        latest: LatestStore,
        connect: Callable[[], Sender],
        *,
        now: Callable[[], datetime],
        partitions: int,
        sweep_seconds: float = 0.25,
        lease_seconds: float = 10.0,
        beat_seconds: float = 3600.0,
        watch: bool = False,
        page: int | None = None,
    ) -> None:
        self._service = service
        self._catalog = catalog
        self._database = database
        self._latest = latest
        self._connect = connect
        self._now = now
        self._partitions = partitions
        self._generations = Generations({}, partitions)
        self._leased_until = inf
        self._sweep_seconds = sweep_seconds
        self._lease_ms = int(lease_seconds * 1000)
        self._watch = watch
        self._page = page or PAGE
        self._owner = secrets.token_hex(8)
        self._producer: Sender | None = None
        self._woken = asyncio.Event()
        self._begin = 0
        self._marking: asyncio.Task[None] | None = None
        self._unmarked: set[str] = set()
        self._beat_seconds = beat_seconds
        self._beaten = -beat_seconds
        self._ends = inf
        self.attempted = 0.0
        # Read as of one moment: a scan that moves on while commits arrive could show version 3 and not yet 2.
        self._journal = database.collection(COLLECTION, read_concern=SNAPSHOT_READ)
        self._marks = database.collection(COLLECTION)

    @property
    def working(self) -> bool:
        """Whether this process is the one of its service that publishes."""
        return isfinite(self._leased_until) and time.monotonic() < self._leased_until

    def wake(self) -> None:
        """Something was committed in this process: do not wait for the next sweep."""
        self._woken.set()

    def finish(self, seconds: float) -> None:
        """Let `run` end by itself, after a whole sweep: when nothing is left to publish, or after this time."""
        self._ends = asyncio.get_running_loop().time() + seconds
        self._woken.set()

    async def prepare(self) -> None:
        """Create the lease, held by nobody."""
        await self._database.create(LEASES)
        await self._database.collection(LEASES).update_one(
            {"_id": "relay"}, {"$setOnInsert": {"owner": None, "until": datetime.fromtimestamp(0, UTC)}}, upsert=True
        )

    async def run(self) -> None:
        """Relay until told to finish; cancel to stop at once.

        Raises what the database or Kafka raise: the caller starts it again.
        """
        loop = asyncio.get_running_loop()
        self._leased_until = 0.0
        watching = asyncio.create_task(self._wake_on_inserts()) if self._watch else None
        try:
            while loop.time() < self._ends:
                self.attempted = loop.time()
                if loop.time() > self._leased_until - self._lease_ms / 1000 * 2 / 3:
                    asked = loop.time()
                    if not await self._lease():
                        if self._ends < inf:
                            return
                        await asyncio.sleep(min(1.0, self._lease_ms / 3000))
                        continue
                    self._leased_until = asked + self._lease_ms / 1000
                    self._generations = await generations.live(self._database, self._partitions)
                self._woken.clear()
                if not await self.sweep():
                    if self._ends < inf:
                        return
                    # Not wait_for: before Python 3.12 it swallows a cancellation that meets the event.
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(self._sweep_seconds):
                            await self._woken.wait()
        finally:
            if watching is not None:
                watching.cancel()
            await self._disconnect()
            with contextlib.suppress(Exception):
                async with asyncio.timeout(MARK_SECONDS):
                    await self._marked()
            with contextlib.suppress(Exception):
                await self._database.collection(LEASES).update_one(
                    {"_id": "relay", "owner": self._owner}, {"$set": {"owner": None}}
                )

    async def sweep(self) -> int:
        """Publish one page of what is pending; answers how many commits and state records were sent.

        Its mark is set while the next page is read and sent, if that one begins behind it and cannot show what waits
        for the mark. Every other sweep waits for the mark first.
        """
        sent = await self._sweep_latest()
        query: Document = {"pending": True}
        if began := self._begin:
            query["slot"] = {"$gte": began}
        else:
            await self._marked()
        cursor = self._journal.find(query, batch_size=self._page + 1).sort([("slot", 1), ("stream", 1), ("from", 1)])
        docs = await cursor.limit(self._page).to_list(None)
        if asyncio.get_running_loop().time() > self._leased_until:
            return 0  # it stalled, and what is pending now may be for another generation of the topics
        self._begin = 0
        if len(docs) == self._page and docs[0]["slot"] < (last := docs[-1]["slot"]):
            docs = [d for d in docs if d["slot"] < last]
            self._begin = last
        if docs:
            await self._publish([Commit.from_document(d) for d in docs])
        # An empty rest of the slots says nothing about those before it.
        return sent + len(docs) + (1 if began and not docs else 0)

    async def _publish(self, commits: list[Commit]) -> None:
        lanes: dict[Lane, list[Commit]] = {}
        for commit in commits:
            topic = self._catalog.categories[parts(commit.stream)[1]].topic
            assert topic is not None, f"{commit.stream} is sealed and must never be pending"
            to = self._generations.lane(topic)
            lanes.setdefault((to.name, partition_of(commit.stream, to.partitions)), []).append(commit)
        producer = await self._connected()
        answers = await asyncio.gather(
            *(self._send(producer, lane, lane_commits) for lane, lane_commits in lanes.items()), return_exceptions=True
        )
        acknowledged: list[str] = []
        errors: list[BaseException] = []
        for answer, lane_commits in zip(answers, lanes.values(), strict=True):
            if isinstance(answer, BaseException):
                errors.append(answer)
            else:
                acknowledged += [c.id for c in lane_commits]
        await self._marked()
        self._marking = asyncio.create_task(self._mark(acknowledged))
        if errors:
            self._begin = 0
            await self._disconnect()
            raise errors[0]

    async def _mark(self, ids: list[str]) -> None:
        if ids:
            # At majority: a weaker mark is not seen by the next sweep, which would send everything again.
            await self._marks.update_many({"_id": {"$in": ids}}, {"$unset": {"pending": 1}})
            self._unmarked.difference_update(ids)

    async def _marked(self) -> None:
        """Wait until what was sent last is marked. Raises where it could not be: then it is sent again."""
        marking, self._marking = self._marking, None
        if marking is not None:
            await marking

    async def _send(self, producer: Sender, lane: Lane, commits: list[Commit]) -> None:
        traced = any(spans.is_sampled(commit.meta.traceparent) for commit in commits)
        sending = Sending(lane, self._unmarked) if traced else None
        records = [
            record
            for commit in commits
            for record in outgoing(self._service, commit, sending.created(commit) if sending else None)
        ]
        with sending.sent(len(records)) if sending else contextlib.nullcontext():
            await self._send_measured(producer, lane, records)

    @staticmethod
    async def _send_measured(producer: Sender, lane: Lane, records: list[Outgoing]) -> None:
        told = {
            "messaging.system.name": "kafka", "messaging.operation.name": "send", "messaging.destination.name": lane[0]
        }  # fmt: skip
        began = time.perf_counter()
        try:
            await producer.send(*lane, records)
        except BaseException as error:
            told["error.type"] = spans.kind_of(error)
            raise
        finally:
            METRICS.sent_duration.record(time.perf_counter() - began, told)
            METRICS.sent.add(len(records), told)

    async def _sweep_latest(self) -> int:
        await self._beat()
        docs = await self._latest.unsent(PAGE)
        if not docs:
            return 0
        producer = await self._connected()
        lanes: dict[Lane, list[Document]] = {}
        for doc in docs:
            lanes.setdefault((doc["topic"], partition_of(doc["key"], self._partitions)), []).append(doc)
        try:
            await asyncio.gather(
                *(producer.send(*lane, [self._state(d) for d in lane_docs]) for lane, lane_docs in lanes.items())
            )
        except Exception:
            await self._disconnect()
            raise
        await self._latest.sent(docs)
        return len(docs)

    def _state(self, doc: Document) -> Outgoing:
        headers = [
            ("ce_specversion", b"1.0"),
            ("content-type", b"application/json"),
            ("ce_id", f"{doc['key']}@{doc['rev']}".encode()),
            ("ce_source", f"/counterpoint/{self._service}".encode()),
            ("ce_type", doc["topic"].encode()),
            ("ce_subject", doc["key"].encode()),
            ("ce_time", instant_text(self._now()).encode()),
        ]
        return Outgoing(doc["key"].encode(), doc["value"].encode() if doc["value"] is not None else None, headers)

    async def _beat(self) -> None:
        """Say nothing on each partition of topics on which something was erased: Kafka closes a segment, and cleans it,
        only when another record comes."""
        loop = asyncio.get_running_loop()
        if loop.time() - self._beaten < self._beat_seconds:
            return
        for topic in await self._latest.erased_since(self._now() - timedelta(days=BEATING_DAYS)):
            producer = await self._connected()
            for partition, key in enumerate(self._beats):
                await producer.send(topic, partition, [Outgoing(key.encode(), None, [])])
        self._beaten = loop.time()

    @cached_property
    def _beats(self) -> list[str]:
        """For each partition a key that belongs on it."""
        found: dict[int, str] = {}
        for n in count():
            key = f"{HEARTBEAT}-{n}"
            found.setdefault(partition_of(key, self._partitions), key)
            if len(found) == self._partitions:
                break
        return [found[partition] for partition in range(self._partitions)]

    # -- connection and lease ---------------------------------------------------------------------------------------

    async def _connected(self) -> Sender:
        if self._producer is None:
            producer = self._connect()
            await producer.start()
            self._producer = producer
        return self._producer

    async def _disconnect(self) -> None:
        """After any error the producer may hold what it could not send: it is given up whole."""
        producer, self._producer = self._producer, None
        if producer is not None:
            with contextlib.suppress(Exception):
                await producer.close()

    async def _lease(self) -> bool:
        free: list[Document] = [{"owner": {"$in": [None, self._owner]}}, {"$expr": {"$lt": ["$until", "$$NOW"]}}]
        until = {"$dateAdd": {"startDate": "$$NOW", "unit": "millisecond", "amount": self._lease_ms}}
        found = await self._database.collection(LEASES).update_one(
            {"_id": "relay", "$or": free}, [{"$set": {"owner": self._owner, "until": until}}]
        )
        return bool(found.matched_count)

    async def _wake_on_inserts(self) -> None:
        """Commits of other processes: a change stream says so at once. Without it the sweep still finds them."""
        while True:
            try:
                async with self._database.watch_inserts(COLLECTION) as stream:
                    async for _ in stream:
                        self._woken.set()
            except Exception as error:
                _log.warning("the change stream ended", extra=about(error))
                await asyncio.sleep(1)


def outgoing(
    service: str, commit: Commit, hops: Sequence[str | None] | None = None, *, again: bool = False
) -> list[Outgoing]:
    """The records of a commit; `hops` are the spans its facts are sent in, where that is sampled.

    What is sent `again` from the journal has no `traceparent`: it says which trace it was decided in
    (`ce_traceparent`), and whoever hears it now does not go on with that one.
    """
    key = commit.stream.encode()
    made = []
    for n, event in enumerate(commit.events):
        headers = to_headers(
            Envelope(
                service=service,
                type=event.type,
                v=event.v,
                stream=commit.stream,
                version=commit.first + n,
                at=commit.at,
                digest=commit.digest,
                commit=commit.id,
                first=commit.first,
                last=commit.last,
                command=commit.command_id,
                correlation=commit.meta.correlation,
                causation=commit.meta.causation,
                traceparent=commit.meta.traceparent,
                hop=hops[n] if hops else None,
            )
        )
        if again:
            headers = [header for header in headers if header[0] != "traceparent"]
        made.append(Outgoing(key, event.data.encode(), headers))
    return made
