"""Whatever is said, repeated, filled again and restarted: a chain of cursors has every fact once, streams in order."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chassis.distributing.slots import partition_of
from contracts.envelope import Envelope, Headers, from_headers, to_headers
from contracts.streams import generation_name
from outlet import cursor as cursors
from outlet.index import Index
from outlet.pages import Limits, NotYet, Pages
from outlet.question import Question

TOPICS = ("counterpoint.a.events", "counterpoint.b.events")
KEY = b"k" * 32
TYPES = ("One", "Two")
QUESTIONS = (
    Question(),
    Question(types=frozenset({"One"})),
    Question(programs=frozenset({"p1"})),
    Question(types=frozenset({"Two"}), programs=frozenset({"p0", "p2"})),
)


@dataclass
class Said:
    """A record as Kafka has it."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers
    timestamp: int = 0


def fact(topic: str, stream: str, version: int) -> tuple[bytes, bytes, Headers]:
    service = topic.split(".")[1]
    type_ = TYPES[(len(stream) + version * 7 + ord(stream[-1])) % 2]
    e = Envelope(
        service=service, type=type_, v=1, stream=stream, version=version, at=datetime(2026, 1, 1, tzinfo=UTC),
        digest="d", commit="c", first=version, last=version, command="x", correlation="y",
    )  # fmt: skip
    return stream.encode(), b'{"n":%d}' % version, to_headers(e)


class Bus:
    """Topics as Kafka has them, and a service that publishes as the relay and a republishing do."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.topics: dict[str, list[list[Said]]] = {}
        self.live = dict.fromkeys(TOPICS, 1)
        self.journal: dict[str, Counter[str]] = {topic: Counter() for topic in TOPICS}
        self.sent: dict[str, Counter[str]] = {}
        for topic in TOPICS:
            self.make(topic, 1, 2)

    def make(self, topic: str, number: int, partitions: int) -> None:
        name = generation_name(topic, number)
        self.topics[name] = [[] for _ in range(partitions)]
        self.sent[name] = Counter()

    def put(self, name: str, topic: str, stream: str, version: int) -> None:
        partition = partition_of(stream, len(self.topics[name]))
        lane = self.topics[name][partition]
        lane.append(Said(name, partition, self._next(lane), *fact(topic, stream, version)))
        self.sent[name][stream] = max(self.sent[name][stream], version)

    def _next(self, lane: list[Said]) -> int:
        return lane[-1].offset + self.rng.choice((1, 1, 1, 3)) if lane else 0

    def commit(self, topic: str) -> None:
        stream = f"p{self.rng.randrange(3)}/{topic[13]}thing/{self.rng.randrange(4)}"
        self.journal[topic][stream] += self.rng.randrange(1, 4)

    def relay(self, topic: str, name: str | None = None) -> None:
        """Publish what is pending, now and then with a repeat of something older, as after a crash."""
        name = name or generation_name(topic, self.live[topic])
        for stream, end in sorted(self.journal[topic].items()):
            begin = self.sent[name][stream] + 1
            if begin > 1 and self.rng.random() < 0.2:
                begin = self.rng.randrange(1, begin)
            for version in range(begin, end + 1):
                self.put(name, topic, stream, version)

    def disturb(self, topic: str) -> None:
        lane = self.rng.choice(self.topics[generation_name(topic, self.live[topic])])
        lane.append(Said("", 0, self._next(lane), b"x", b"no fact", []))

    def fill(self, topic: str, part: bool) -> None:
        """Begin, or go on with, filling the next generation; whole streams up to what the journal has, or some."""
        number = self.live[topic] + 1
        name = generation_name(topic, number)
        if name not in self.topics:
            self.make(topic, number, self.rng.choice((1, 2, 4)))
        for stream, end in sorted(self.journal[topic].items()):
            if not part or self.rng.random() < 0.5:
                for version in range(self.sent[name][stream] + 1, end + 1):
                    self.put(name, topic, stream, version)

    def change_over(self, topic: str) -> None:
        self.fill(topic, part=False)
        self.live[topic] += 1

    def late(self, topic: str) -> None:
        """A relay that has stalled sends to the generation before what the live one has already."""
        if self.live[topic] > 1 and (name := generation_name(topic, self.live[topic] - 1)) in self.topics:
            self.relay(topic, name)


@dataclass
class Process:
    """One process of the outlet: an index of its own, as far as it has heard."""

    bus: Bus
    index: Index = field(default_factory=lambda: Index(TOPICS))

    def __post_init__(self) -> None:
        self.pages = Pages(self.index, self)

    async def read(self, place: tuple[str, int], offset: int, at_most: int) -> Sequence[Said]:
        lane = [r for r in self.bus.topics[place[0]][place[1]] if r.offset >= offset]
        assert lane, "asked for what is not there"
        return lane[: self.bus.rng.randrange(1, min(at_most, 7) + 1)]

    async def ends(self, topic: str) -> Sequence[int]:
        return [lane[-1].offset + 1 if lane else 0 for lane in self.bus.topics.get(topic, ())]

    def hear(self, all_of_it: bool = False) -> None:
        """Hear some of what is new, as `outlet.hearing` does."""
        for topic in TOPICS:
            for g in self.index.of(topic):
                if g.name not in self.bus.topics:
                    self.index.drop(topic, g.number)
            for number in range(1, self.bus.live[topic] + 2):
                lanes = self.bus.topics.get(generation_name(topic, number))
                if lanes is None:
                    continue
                g = self.index.find(topic, number)
                if g is None:
                    older = [x for x in self.index.of(topic) if x.number < number]
                    if any(not self.level(x.name, x.known()) for x in older):
                        break
                    g = self.index.add(topic, number, [0] * len(lanes))
                for partition, lane in enumerate(lanes):
                    new = [r for r in lane if r.offset >= g.lanes[partition].known]
                    g.add(partition, new if all_of_it else new[: self.bus.rng.randrange(len(new) + 1)])

    def level(self, name: str, known: tuple[int, ...]) -> bool:
        ends = [lane[-1].offset + 1 if lane else 0 for lane in self.bus.topics[name]]
        return list(known) == ends


class Reader:
    """One chain of cursors, handed from process to process as text."""

    def __init__(self, question: Question) -> None:
        self.question = question
        self.cursor: str | None = None
        self.had: list[str] = []

    async def ask(self, process: Process, limit: int, looked_at: int = 10_000) -> int:
        at = cursors.read(self.cursor, KEY) if self.cursor else process.pages.begin(self.question)
        try:
            page = await process.pages.next(at, self.question, Limits(limit, looked_at=looked_at))
        except NotYet:
            return 0
        assert len(page.records) <= limit
        self.had += [from_headers(r.headers).id for r in page.records]
        self.cursor = cursors.write(page.cursor, KEY)
        return len(page.records)

    def check(self, bus: Bus) -> None:
        wanted = Counter(
            from_headers(fact(topic, stream, version)[2]).id
            for topic in TOPICS
            for stream, end in bus.journal[topic].items()
            for version in range(1, end + 1)
            if self.question.wants(from_headers(fact(topic, stream, version)[2]))
        )
        assert Counter(self.had) == wanted
        last: Counter[str] = Counter()
        for id in self.had:
            stream, _, version = id.rpartition("@")
            assert int(version) > last[stream]
            last[stream] = int(version)


async def live(seed: int, steps: int) -> None:
    """Some time of two topics, two processes and a few readers, and then the end of it."""
    rng = random.Random(seed)
    bus = Bus(rng)
    processes = [Process(bus), Process(bus)]
    readers = [Reader(q) for q in QUESTIONS]
    for _ in range(steps):
        topic = rng.choice(TOPICS)
        match rng.choice("ccccrrrdflhhhaaaaaasx"):
            case "c":
                bus.commit(topic)
            case "r":
                bus.relay(topic)
            case "d":
                bus.disturb(topic)
            case "f":
                bus.fill(topic, part=rng.random() < 0.7)
            case "x":
                bus.change_over(topic)
            case "l":
                bus.late(topic)
            case "h":
                rng.choice(processes).hear()
            case "s":
                processes[rng.randrange(2)] = Process(bus)
            case "a":
                await rng.choice(readers).ask(rng.choice(processes), rng.randrange(1, 9), rng.choice((3, 10_000)))
    for topic in TOPICS:
        bus.relay(topic)
    for process in processes:
        for _ in range(4):
            process.hear(all_of_it=True)
    for reader in readers:
        for _ in range(2000):
            before = reader.cursor
            await reader.ask(rng.choice(processes), 50)
            if reader.cursor == before:
                break
        reader.check(bus)


@pytest.mark.guarantee("running")
@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 2**32), steps=st.integers(5, 60))
async def test_every_fact_once_and_each_stream_in_order(seed: int, steps: int) -> None:
    await live(seed, steps)
