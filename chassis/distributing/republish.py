"""Republishing: another generation of a topic is filled from the journal beside the live one, and takes its place."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field

from chassis.deciding.journal import COLLECTION, Commit
from chassis.distributing import generations, reading, topics
from chassis.distributing.generations import Generations, Lane
from chassis.distributing.producer import Producer
from chassis.distributing.relay import LEASES, outgoing
from chassis.distributing.slots import partition_of
from chassis.running.job import Cannot
from chassis.running.mongo import SNAPSHOT_READ, Database, Document
from chassis.running.pace import Pace, Progress
from contracts.catalog import Catalog
from contracts.envelope import Unreadable, from_headers
from contracts.streams import generation_name, parts

PAGE = 2000
"""Facts that are sent before the next are read."""
NEAR = 2000
"""Facts behind the journal from which on the relay is made to wait for the rest."""
HOLD_MS = 60_000
"""How long the relay's lease is taken at a time; a republishing that dies holds publishing up no longer than this."""


class _Overtaken(Exception):
    """The relay's lease ended while we had it: begin again with taking it."""


@dataclass
class Republish:
    """Fills the next generation of one topic with every fact of the journal, as it was sent, and makes it the live one.

    What has been sent is read back from the new generation itself: whoever goes on after a crash needs nothing else.
    Only one may run for a service (`chassis/running/job.py` holds a lease for it).
    """

    service: str
    catalog: Catalog
    database: Database
    bootstrap: str
    topic: str
    partitions: int
    wanted: int | None = None
    say: Callable[[Progress], None] = lambda progress: None
    takeovers: int = 0
    _sent: dict[str, int] = field(default_factory=dict)
    _pace: Pace = field(default_factory=Pace)

    async def run(self) -> Lane:
        """Fill, catch up, change over; answers what is live now. Raises `Cannot`, Kafka's or the database's errors."""
        self._categories = {c.name for c in self.catalog.categories.values() if c.topic == self.topic}
        if self.topic not in {c.topic for c in self.catalog.categories.values() if c.service == self.service}:
            raise Cannot(f"{self.service} says nothing on {self.topic}")
        seen = await generations.live(self.database, self.partitions)
        target = await self._target(seen)
        await self._read_back(target)
        producer = Producer(self.bootstrap)
        await producer.start()
        try:
            while await self._send_all(producer, target) > NEAR:
                pass
            while not await self._change_over(producer, target, seen):
                pass
        finally:
            await producer.close()
        return target

    async def _target(self, seen: Generations) -> Lane:
        """The generation to fill: the next one, made where it does not exist yet."""
        lane = seen.lane(self.topic)
        name = generation_name(self.topic, lane.generation + 1)
        try:
            if name not in await topics.present(self.bootstrap, [self.topic]):
                await topics.create(self.bootstrap, name, self.wanted or lane.partitions)
            has = await topics.verify(self.bootstrap, {name: self.wanted})
        except topics.WrongTopic as wrong:
            raise Cannot(str(wrong)) from None
        return Lane(self.topic, lane.generation + 1, has[name])

    async def _read_back(self, target: Lane) -> None:
        """What an earlier attempt has sent: the last version of each stream."""
        reached: dict[str, int] = {}
        async for batch in reading.records(self.bootstrap, [target.name]):
            for record in batch:
                try:
                    e = from_headers(record.headers)
                except Unreadable as wrong:
                    raise Cannot(f"{target.name} holds what is no fact of ours: {wrong}") from None
                if e.version == reached.get(e.stream, 0) + 1:
                    reached[e.stream] = e.version
                    if e.version == e.last:  # a commit that was cut by the crash is sent again whole
                        self._sent[e.stream] = e.last

    # -- sending ----------------------------------------------------------------------------------------------------

    async def _send_all(self, producer: Producer, target: Lane) -> int:
        """Send what the journal has and the new generation has not; answers how many facts that were."""
        ends = {stream: to async for stream, to in self._ends()}
        todo = {stream: to - self._sent.get(stream, 0) for stream, to in ends.items()}
        total, sent = sum(ends.values()), 0
        for streams in _portions({stream: n for stream, n in todo.items() if n > 0}):
            while left := [s for s in streams if self._sent.get(s, 0) < ends[s]]:
                sent += await self._send(producer, target, left)
                done = sum(ends.values()) - sum(todo.values()) + sent
                self.say(self._pace.step(target.generation, min(done, total), total))
        self.say(self._pace.step(target.generation, total, total))
        return sent

    async def _ends(self) -> AsyncIterator[tuple[str, int]]:
        """The last version of each stream of this topic."""
        look: list[Document] = [
            {"$sort": {"stream": -1, "from": -1}},
            {"$group": {"_id": "$stream", "to": {"$first": "$to"}}},
        ]
        async for doc in await self.database.aggregate(COLLECTION, look, SNAPSHOT_READ):
            if parts(doc["_id"])[1] in self._categories:
                yield doc["_id"], int(doc["to"])

    async def _send(self, producer: Producer, target: Lane, streams: list[str]) -> int:
        """Send a page of what these streams have beyond what was sent, each in order; how many facts that were."""
        begun = [s for s in streams if s in self._sent]
        which: list[Document] = [{"stream": s, "from": {"$gt": self._sent[s]}} for s in begun]
        which.append({"stream": {"$in": [s for s in streams if s not in self._sent]}})
        # As of one moment: a scan that moves on while commits arrive could show version 3 and not yet 2.
        journal = self.database.collection(COLLECTION, read_concern=SNAPSHOT_READ)
        cursor = journal.find({"$or": which}, batch_size=PAGE + 1).sort([("stream", 1), ("from", 1)]).limit(PAGE)
        commits = [Commit.from_document(doc) for doc in await cursor.to_list(None)]
        lanes: dict[int, list[Commit]] = {}
        reached = {s: self._sent[s] for s in begun}
        for commit in commits:
            if commit.first != reached.get(commit.stream, 0) + 1:
                raise Cannot(f"{commit.stream}@{commit.first} follows no commit: audit the journal first")
            reached[commit.stream] = commit.last
            lanes.setdefault(partition_of(commit.stream, target.partitions), []).append(commit)
        await asyncio.gather(
            *(
                producer.send(target.name, partition, [r for c in of_it for r in outgoing(self.service, c, again=True)])
                for partition, of_it in lanes.items()
            )
        )
        self._sent |= reached
        return sum(len(c.events) for c in commits)

    # -- changing over ----------------------------------------------------------------------------------------------

    async def _change_over(self, producer: Producer, target: Lane, seen: Generations) -> bool:
        """Make the relay wait, send the rest, and let it go on in the new generation. False: the lease was lost."""
        owner = "republish " + secrets.token_hex(8)
        self.takeovers += 1
        try:
            await self._stop_relays(producer, target, owner)
            # Whatever a relay may still mark was there before this: from here on what is not sent is pending.
            await self._send_all(producer, target)
            async with self.database.transaction() as session:
                released = await self.database.collection(LEASES).update_one(
                    {"_id": "relay", "owner": owner}, {"$set": {"owner": None}}, session=session
                )
                if not released.matched_count:
                    raise _Overtaken
                await generations.change(self.database, target, seen, session)
            return True
        except _Overtaken:
            return False
        finally:
            await self.database.collection(LEASES).update_one(
                {"_id": "relay", "owner": owner}, {"$set": {"owner": None}}
            )

    async def _stop_relays(self, producer: Producer, target: Lane, owner: str) -> None:
        """Take the relay's lease, and wait until the one that had it must have noticed."""
        until = {"$dateAdd": {"startDate": "$$NOW", "unit": "millisecond", "amount": HOLD_MS}}
        mine = [{"$set": {"owner": owner, "until": until}}]
        leases = self.database.collection(LEASES)
        before = await leases.find_one_and_update({"_id": "relay"}, mine, upsert=True)
        while before and before["owner"] and before["until"] > await self.database.now():
            await self._send_all(producer, target)
            await asyncio.sleep(0.1)
        if not (await leases.update_one({"_id": "relay", "owner": owner}, mine)).matched_count:
            raise _Overtaken


def _portions(todo: dict[str, int]) -> Iterable[list[str]]:
    """Streams in portions of about a page of facts."""
    portion: list[str] = []
    size = 0
    for stream, facts in sorted(todo.items()):
        portion.append(stream)
        size += facts
        if size >= PAGE or len(portion) >= 200:
            yield portion
            portion, size = [], 0
    if portion:
        yield portion
