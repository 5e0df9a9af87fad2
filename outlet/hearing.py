"""Hears all generations of the public topics: keeps the index and the newest records, and wakes whoever waits."""

from __future__ import annotations

import asyncio
import logging
import math
from bisect import bisect_left
from collections import deque
from collections.abc import Sequence

from chassis.distributing.reading import Place
from chassis.distributing.tailing import Readers, Tail
from chassis.receiving.records import Record
from contracts.streams import topic_of
from outlet.index import Generation, Index, number_of

LOOK_SECONDS = 2.0
"""How often Kafka is asked which generations there are, and whether any has lost what it had."""
FIRST_LOOKS_SECONDS = 0.2
ENDS_SECONDS = 0.5
"""How often Kafka is asked where a topic ends, for those who have been where this process has not."""
POLL_SECONDS = 0.5
BATCH = 2000
KEPT_BYTES = 32 * 1024 * 1024
"""How much of the newest records is kept, so that whoever waits at the end is answered without asking Kafka."""
_log = logging.getLogger("counterpoint.outlet")


class _Kept:
    """Records of one place: those behind `start` in a list that is cut now and then."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.start = 0

    def drop_first(self) -> None:
        self.start += 1
        if self.start > 1000 and self.start * 2 > len(self.records):
            del self.records[: self.start]
            self.start = 0


class Newest:
    """The newest records of every place, all of them together no larger than `most` bytes."""

    def __init__(self, most: int = KEPT_BYTES) -> None:
        self._most = most
        self._places: dict[Place, _Kept] = {}
        self._order: deque[tuple[Place, int]] = deque()
        self.bytes = 0

    def put(self, place: Place, records: Sequence[Record]) -> None:
        """These come next there."""
        kept = self._places.setdefault(place, _Kept())
        for record in records:
            kept.records.append(record)
            self._order.append((place, _size(record)))
            self.bytes += self._order[-1][1]
        while self.bytes > self._most:
            oldest, size = self._order.popleft()
            self._places[oldest].drop_first()
            self.bytes -= size

    def read(self, place: Place, offset: int, at_most: int) -> list[Record]:
        """Records from an offset on; none where that one is not kept."""
        kept = self._places.get(place)
        if kept is None or kept.start == len(kept.records) or kept.records[kept.start].offset > offset:
            return []
        at = bisect_left(kept.records, offset, lo=kept.start, key=lambda record: record.offset)
        return kept.records[at : at + at_most]

    def drop(self, place: Place) -> None:
        """Nothing there is what it was."""
        if self._places.pop(place, None) is not None:
            self.bytes -= sum(size for where, size in self._order if where == place)
            self._order = deque(each for each in self._order if each[0] != place)


def _size(record: Record) -> int:
    headers = sum(len(name) + len(value or b"") for name, value in record.headers)
    return len(record.key or b"") + len(record.value or b"") + headers + 1000  # what Python adds, about


class Hearing:
    """Follows the topics for ever. `whole` once everything has been heard that was there at the start."""

    def __init__(self, topics: Sequence[str], bootstrap: str, readers: Readers) -> None:
        self.index = Index(topics)
        self.whole = False
        self.attempted = self.answered = 0.0
        self.heard = 0
        self._bootstrap = bootstrap
        self._readers = readers
        self._newest = Newest()
        self._ends: dict[str, tuple[float, list[int]]] = {}
        self._goals: dict[str, dict[Place, int]] = {}
        self._waiting: set[asyncio.Future[None]] = set()

    # -- for those who read -----------------------------------------------------------------------------------------

    async def read(self, place: Place, offset: int, at_most: int) -> Sequence[Record]:
        """Records of a place from an offset on, at least one; from memory where they are. Raises Kafka's errors."""
        return self._newest.read(place, offset, at_most) or await self._readers.read(place, offset, at_most)

    async def ends(self, topic: str) -> list[int]:
        """The offset behind the last record of each partition of a topic, asked of Kafka. Raises Kafka's errors."""
        asked, ends = self._ends.get(topic, (-math.inf, []))
        if asyncio.get_running_loop().time() - asked > ENDS_SECONDS:
            ends = await self._readers.ends(topic)
            self._ends[topic] = (asyncio.get_running_loop().time(), ends)
        return ends

    @property
    def waiting(self) -> int:
        """How many wait for something to be said."""
        return len(self._waiting)

    async def more(self, seconds: float) -> None:
        """Return when something has been said, or after this time."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.add(future)
        try:
            await asyncio.wait({future}, timeout=seconds)
        finally:
            self._waiting.discard(future)

    def wake(self) -> None:
        """Let everybody who waits look."""
        for future in self._waiting:
            if not future.done():
                future.set_result(None)

    # -- following --------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Follow for ever, from where the index ends. Raises Kafka's errors: the caller starts it again."""
        tail = Tail(self._bootstrap)
        await tail.start()
        try:
            clock = asyncio.get_running_loop().time
            looked, followed = 0.0, False
            while True:
                self.attempted = clock()
                if clock() - looked > (LOOK_SECONDS if self.whole else FIRST_LOOKS_SECONDS):
                    changed, level = await self._look(tail)
                    self.whole = self.whole or level
                    looked = self.answered = clock()
                    if changed or not followed:
                        tail.go_to(self._positions())
                        followed = True
                await self._hear(tail)
        finally:
            await tail.close()

    def _positions(self) -> dict[Place, int]:
        return {
            (g.name, partition): known
            for topic in self.index.topics
            for g in self.index.of(topic)
            for partition, known in enumerate(g.known())
        }

    async def _hear(self, tail: Tail) -> None:
        """What has come since."""
        if not self._positions():
            await asyncio.sleep(POLL_SECONDS)
            return
        batches = await tail.read(POLL_SECONDS, BATCH)
        for batch in batches:
            name, partition = batch[0].topic, batch[0].partition
            topic = topic_of(name)
            generation = self.index.find(topic, number_of(name, topic))
            if generation is not None:
                self.heard += len(batch)
                self._newest.put((name, partition), [r for r in batch if r.offset >= generation.lanes[partition].known])
                generation.add(partition, batch)
        if batches:
            self.wake()

    async def _look(self, tail: Tail) -> tuple[bool, bool]:
        """Which generations have come, are gone, or are not what they were: whether any, and whether we are level."""
        ours = {name: n for name, n in (await tail.topics()).items() if topic_of(name) in self.index.topics}
        there = {(topic_of(name), number_of(name, topic_of(name))): name for name in ours}
        bounds = await tail.bounds([(name, partition) for name, n in ours.items() for partition in range(n)])
        changed = False
        for topic in self.index.topics:
            for g in self.index.of(topic):
                if (topic, g.number) not in there or self._is_another(g, bounds):
                    _log.warning("%s is gone, or is not what it was", g.name)
                    self._forget(g)
                    changed = True
        for (topic, number), name in sorted(there.items()):
            if self.index.find(topic, number) is None:
                older = [g for g in self.index.of(topic) if g.number < number]
                if self._has(name, bounds, [g.name for g in older]):
                    self.index.add(topic, number, [bounds[name, partition][0] for partition in range(ours[name])])
                    self._goals.pop(name)
                    changed = True
        level = len({topic for topic, _ in there}) == len(self.index.topics) and all(
            self.index.find(topic, number) is not None and self._has(f"{name} itself", bounds, [name])
            for (topic, number), name in there.items()
        )
        return changed, level

    def _has(self, what: str, bounds: dict[Place, tuple[int, int]], names: Sequence[str]) -> bool:
        """Whether all has been heard of these that was there when this was first asked: their ends go on moving."""
        goals = self._goals.setdefault(what, {place: end for place, (_, end) in bounds.items() if place[0] in names})
        known = self._positions()
        return all(known.get(place, 0) >= end for place, end in goals.items())

    def _forget(self, g: Generation) -> None:
        for partition in range(len(g.lanes)):
            self._newest.drop((g.name, partition))
        self._goals.pop(f"{g.name} itself", None)
        self.index.drop(g.topic, g.number)

    @staticmethod
    def _is_another(g: Generation, bounds: dict[Place, tuple[int, int]]) -> bool:
        """Whether a generation has lost records, or was made again under the same name."""
        places = [(g.name, partition) for partition in range(len(g.lanes))]
        if len([place for place in bounds if place[0] == g.name]) != len(places):
            return True
        return any(
            bounds[place][0] > lane.first or bounds[place][1] < lane.known
            for place, lane in zip(places, g.lanes, strict=True)
        )
