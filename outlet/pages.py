"""The next page behind a cursor: every fact once, each stream in order, whatever generations of a topic there are.

A reader is in one generation, and may have left others: what it has had is what any of them has before its offsets. At
the end of one it goes on in one that has more, and in the end in the youngest that has everything. As what was had is
always known exactly, it never matters when it changes over, nor what is still added to any of them.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from chassis.distributing.reading import Place
from chassis.receiving.records import Record
from contracts.streams import generation_name
from outlet.cursor import BEGIN, At, BadCursor, Cursor, Gone
from outlet.index import Generation, Index, envelope
from outlet.question import Question

TURN = 200
"""Records of one partition before the next one has its turn."""
_REMEMBERED = 16


class Log(Protocol):
    """Where records are read."""

    async def read(self, place: Place, offset: int, at_most: int) -> Sequence[Record]:
        """Records of a place from an offset on, at least one; there is one."""
        ...

    async def ends(self, topic: str) -> Sequence[int]:
        """The offset behind the last record of each partition of a topic; none where there is none of that name."""
        ...


class NotYet(Exception):
    """Another process has heard of more than this one."""


@dataclass(frozen=True)
class Limits:
    """How large a page may be, and how many records may be looked at for it."""

    facts: int = 100
    bytes: int = 2 * 1024 * 1024
    looked_at: int = 10_000


@dataclass
class Page:
    """Facts, and the cursor behind them. `whole` is False where there is more already."""

    records: list[Record]
    cursor: Cursor
    whole: bool


@dataclass
class _Filling:
    """A page while it is being filled."""

    limits: Limits
    records: list[Record] = field(default_factory=list)
    bytes: int = 0
    looked_at: int = 0

    @property
    def full(self) -> bool:
        return (
            len(self.records) >= self.limits.facts
            or self.bytes >= self.limits.bytes
            or self.looked_at >= self.limits.looked_at
        )

    def put(self, record: Record) -> None:
        self.records.append(record)
        self.bytes += len(record.value or b"") + 600


class Pages:
    """Answers questions from a log, with what is known of it."""

    def __init__(self, index: Index, log: Log) -> None:
        self._index = index
        self._log = log
        self._left: OrderedDict[tuple[str, tuple[int, ...]], _Had] = OrderedDict()

    def begin(self, question: Question) -> Cursor:
        """The cursor of somebody who has heard nothing yet."""
        return Cursor(question.digest)

    def end(self, question: Question) -> Cursor:
        """The cursor of somebody who wants to hear only what is said from now on."""
        starts = {topic: self._index.start(topic) for topic in self._index.topics}
        return Cursor(question.digest, {t: (At(g.number, g.known()),) for t, g in starts.items() if g})

    async def next(self, cursor: Cursor, question: Question, limits: Limits) -> Page:
        """The next page. Raises `BadCursor`, `Gone`, `NotYet`, Kafka's errors."""
        if cursor.question != question.digest:
            raise BadCursor(
                f"this cursor belongs to other `types` or `programs`, or to other rights: ask as before, or {BEGIN}"
            )
        filling = _Filling(limits)
        await self._known(cursor)
        cursor = self._checked(cursor)
        while not filling.full:
            due = self._due(cursor)
            if not due:
                moved = self._moved(cursor)
                if moved == cursor:
                    break
                cursor = moved
                continue
            cursor = await self._take_turn(cursor, due, question, filling)
        return Page(filling.records, cursor, not self._due(cursor))

    # -- where a reader is ------------------------------------------------------------------------------------------

    def _checked(self, cursor: Cursor) -> Cursor:
        """With a position in each topic that there is; partitions that have come since begin at their beginning."""
        for topic in self._index.topics:
            start = self._index.start(topic)
            if topic not in cursor.topics:
                cursor = cursor.at(topic, At(start.number, start.begin())) if start else cursor
                continue
            at, *left = cursor.topics[topic]
            firsts = self._index.get(topic, at.generation).begin()
            offsets = at.offsets + firsts[len(at.offsets) :]
            if len(offsets) > len(firsts) or any(o < f for o, f in zip(offsets, firsts, strict=True)):
                raise Gone(f"what this cursor points at is not there any more; {BEGIN}")
            cursor = cursor.at(topic, replace(at, offsets=offsets), *left)
        return cursor

    async def _known(self, cursor: Cursor) -> None:
        """Another process may know more than this one; but nobody can have been where Kafka has nothing."""
        for topic, reached in cursor.topics.items():
            if topic not in self._index.topics:
                raise BadCursor(f"this cursor is for topics that are not heard here; {BEGIN}")
            for at in reached:
                g = self._index.find(topic, at.generation)
                if g is not None and all(o <= known for o, known in zip(at.offsets, g.known(), strict=False)):
                    continue
                ends = await self._log.ends(generation_name(topic, at.generation))
                newest = max((x.number for x in self._index.of(topic)), default=0)
                if not ends or (g is None and at.generation < newest):
                    raise Gone(f"what this cursor points at was deleted, because a newer copy has all of it; {BEGIN}")
                if any(o > end for o, end in zip(at.offsets, ends, strict=False)):
                    raise Gone(f"what this cursor points at was lost, and is being said again; {BEGIN}")
                raise NotYet(generation_name(topic, at.generation))

    def _due(self, cursor: Cursor) -> list[tuple[str, int]]:
        """Topics and partitions that go on, beginning with the one whose turn it is."""
        order = [
            (topic, partition, at.offsets[partition] < lane.known)
            for topic, (at, *_) in sorted(cursor.topics.items())
            for partition, lane in enumerate(self._index.get(topic, at.generation).lanes)
        ]
        turn = cursor.turn % len(order) if order else 0
        return [(topic, partition) for topic, partition, due in order[turn:] + order[:turn] if due]

    def _moved(self, cursor: Cursor) -> Cursor:
        """For whoever is at the end of everything: on to another generation, where one has more or is younger."""
        for topic, (at, *left) in cursor.topics.items():
            here = self._index.get(topic, at.generation)
            kept = [x for x in left if not here.covers(self._index.get(topic, x.generation))]
            if kept != left:
                return cursor.at(topic, at, *kept)
            if (other := self._better(topic, here, left)) is not None:
                there = [x for x in left if x.generation == other.number]
                rest = [x for x in left if x.generation != other.number]
                return cursor.at(topic, *(there or [At(other.number, other.begin(here))]), at, *rest)
        return cursor

    def _better(self, topic: str, here: Generation, left: Sequence[At]) -> Generation | None:
        """The generation that has most of what is not here, and was not read; else the youngest that has everything."""
        read = {x.generation: x.offsets for x in left}
        others = [g for g in self._index.of(topic) if g is not here and read.get(g.number) != g.known()]
        more = [g for g in others if not here.covers(g)]
        younger = [g for g in others if g.number > here.number and g.covers(here)]
        if more:
            return max(more, key=lambda g: (g.facts, g.number))
        return younger[-1] if younger and not left else None

    # -- reading ----------------------------------------------------------------------------------------------------

    async def _take_turn(
        self, cursor: Cursor, due: Sequence[tuple[str, int]], question: Question, filling: _Filling
    ) -> Cursor:
        """Read on in the partition whose turn it is."""
        topic, partition = due[0]
        at, *left = cursor.topics[topic]
        here, offset = self._index.get(topic, at.generation), at.offsets[partition]
        lane = here.lanes[partition]
        known = lane.known
        records = await self._log.read((here.name, partition), offset, TURN)
        had = await self._had(topic, left)  # from here to the end nothing is awaited, so that it stays true
        for record in records:
            if record.offset >= known:
                offset = known  # offsets may have holes
                break
            if filling.full:
                break
            offset = record.offset + 1
            filling.looked_at += 1
            e = envelope(record) if lane.says(record.offset) else None
            if e is not None and question.wants(e) and all(e.version > x.version(record.key) for x in had):
                filling.put(record)
        offsets = (*at.offsets[:partition], offset, *at.offsets[partition + 1 :])
        order = [(t, p) for t, (x, *_) in sorted(cursor.topics.items()) for p in range(len(x.offsets))]
        turn = order.index((topic, partition)) + 1
        return replace(cursor.at(topic, replace(at, offsets=offsets), *left), turn=turn)

    async def _had(self, topic: str, left: Sequence[At]) -> list[_Had]:
        """What was handed over from the generations that were left."""
        while True:
            found = [(g := self._index.get(topic, at.generation), self._remembered(g, at)) for at in left]
            behind = [(g, had) for g, had in found if had.known != [*g.known()]]
            if not behind:
                return [had for _, had in found]
            for g, had in behind:
                await self._look_on(g, had)

    def _remembered(self, g: Generation, at: At) -> _Had:
        key = (g.name, at.offsets)
        had = self._left.get(key)
        if had is None or had.last is not g.last:
            had = self._left[key] = _Had(g.last, list(at.offsets))
        self._left.move_to_end(key)
        while len(self._left) > _REMEMBERED:
            self._left.popitem(last=False)
        return had

    async def _look_on(self, g: Generation, had: _Had) -> None:
        """Look at what was added since. Versions have no gaps: a stream had one less than the first that was added."""
        had.known += [lane.first for lane in g.lanes[len(had.known) :]]
        for partition, lane in enumerate(g.lanes):
            while (offset := had.known[partition]) < (end := lane.known):
                records = await self._log.read((g.name, partition), offset, TURN)
                if had.known[partition] != offset:
                    continue  # somebody else was quicker
                for record in records:
                    if offset <= record.offset < end and lane.says(record.offset) and (e := envelope(record)):
                        had.but.setdefault(record.key or b"", e.version - 1)
                had.known[partition] = min(end, records[-1].offset + 1)


@dataclass
class _Had:
    """The last version of each stream that somebody had of a generation: its last of all, `but` of some an earlier one.

    `known` is how far it has been looked at for that.
    """

    last: dict[bytes, int]
    known: list[int]
    but: dict[bytes, int] = field(default_factory=dict)

    def version(self, key: bytes | None) -> int:
        key = key or b""
        return self.but[key] if key in self.but else self.last.get(key, 0)
