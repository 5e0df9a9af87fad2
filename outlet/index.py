"""What has been said where: of each generation of a topic, how far it is known and which of its records repeat others.

With it a reader needs to remember positions only, however many streams there are. Pure: records are put in, by whoever
follows the topics, in the order of each partition.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from chassis.receiving.records import Record
from contracts.envelope import Envelope, Unreadable, from_headers
from contracts.streams import FIRST, generation_name


@dataclass
class Lane:
    """One partition: from `first` on everything before `known` has been looked at. `skips` are offsets that say
    nothing new, in order; `novel` is the first offset that the generation before did not have."""

    first: int = 0
    known: int = 0
    skips: list[int] = field(default_factory=list)
    novel: int | None = None

    def says(self, offset: int) -> bool:
        """Whether the record there is the first to say what it says."""
        at = bisect_left(self.skips, offset)
        return at == len(self.skips) or self.skips[at] != offset


class Generation:
    """One generation of a topic, as far as it is known."""

    def __init__(self, topic: str, number: int, firsts: Sequence[int], before: Generation | None) -> None:
        self.topic = topic
        self.number = number
        self.lanes = [Lane(first, first) for first in firsts]
        self.last: dict[bytes, int] = {}
        """The last version of each stream, by the record's key."""
        self.facts = 0
        self._before = before
        self._covered: dict[int, tuple[int, int, bool]] = {}

    @property
    def name(self) -> str:
        return generation_name(self.topic, self.number)

    def known(self) -> tuple[int, ...]:
        """How far each partition is known: the offset behind the last record that was looked at."""
        return tuple(lane.known for lane in self.lanes)

    def add(self, partition: int, records: Iterable[Record]) -> list[Record]:
        """Look at the next records of a partition; answers those that say something new."""
        lane = self.lanes[partition]
        said = []
        for record in records:
            if record.offset < lane.known:
                continue
            lane.known = record.offset + 1
            e = envelope(record)
            if e is None or e.version <= self.last.get(record.key or b"", 0):
                lane.skips.append(record.offset)
                continue
            key = record.key or b""
            self.facts += e.version - self.last.get(key, 0)
            self.last[key] = e.version
            if lane.novel is None and (self._before is None or e.version > self._before.last.get(key, 0)):
                lane.novel = record.offset
            said.append(record)
        return said

    def covers(self, other: Generation) -> bool:
        """Whether everything that is known of the other one is known of this one."""
        if self.facts < other.facts:
            return False
        looked = self._covered.get(other.number)
        if looked is None or looked[:2] != (self.facts, other.facts):
            does = all(self.last.get(key, 0) >= version for key, version in other.last.items())
            looked = self._covered[other.number] = (self.facts, other.facts, does)
        return looked[2]

    def begin(self, other: Generation | None = None) -> tuple[int, ...]:
        """Where to begin for whoever has had everything of the other one: nothing before these offsets is new then."""
        if other is None or self._before is not other:
            return tuple(lane.first for lane in self.lanes)
        return tuple(lane.known if lane.novel is None else lane.novel for lane in self.lanes)

    def forget(self, number: int) -> None:
        """Another generation has been deleted; one of the same number may come."""
        self._covered.pop(number, None)


class Index:
    """Every generation of each topic that there is."""

    def __init__(self, topics: Iterable[str]) -> None:
        self.topics = tuple(sorted(set(topics)))
        self._generations: dict[str, dict[int, Generation]] = {topic: {} for topic in self.topics}

    def of(self, topic: str) -> list[Generation]:
        """The generations of a topic that are there, the oldest first."""
        return [g for _, g in sorted(self._generations[topic].items())]

    def find(self, topic: str, number: int) -> Generation | None:
        """One of them."""
        return self._generations[topic].get(number)

    def get(self, topic: str, number: int) -> Generation:
        """One that is there. Raises KeyError."""
        return self._generations[topic][number]

    def add(self, topic: str, number: int, firsts: Sequence[int]) -> Generation:
        """A generation has come."""
        older = [g for g in self.of(topic) if g.number < number]
        made = Generation(topic, number, firsts, older[-1] if older else None)
        self._generations[topic][number] = made
        return made

    def drop(self, topic: str, number: int) -> None:
        """A generation has been deleted, or is not what it was."""
        del self._generations[topic][number]
        for other in self.of(topic):
            other.forget(number)

    def start(self, topic: str) -> Generation | None:
        """Where a new reader begins: in the generation that has most."""
        return max(self.of(topic), key=lambda g: (g.facts, g.number), default=None)


def number_of(name: str, topic: str) -> int:
    """Which generation of the topic has this name."""
    return FIRST if name == topic else int(name.rpartition(".g")[2])


def envelope(record: Record) -> Envelope | None:
    """The envelope of a record that is a fact; None where it is none, and nobody shall hear of it."""
    try:
        e = from_headers(record.headers)
    except Unreadable:
        return None
    return e if record.key == e.stream.encode() and record.value else None
