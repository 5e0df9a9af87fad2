"""Kafka in memory: topics of partitions, and groups that share them out; what it keeps is never changed."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from chassis.distributing.producer import Outgoing
from chassis.testing.network import Network
from contracts.envelope import Headers

Place = tuple[str, int]
"""A topic and a partition of it."""


@dataclass(frozen=True, slots=True)
class Kept:
    """One record, as a consumer gets it; `timestamp` in milliseconds of the log's clock."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Headers


class MemoryLog:
    """One broker for any number of processes."""

    def __init__(self, network: Network, topics: Iterable[str], partitions: int) -> None:
        self.network = network
        self.places: dict[Place, list[Kept]] = {(t, n): [] for t in topics for n in range(partitions)}
        self.groups: dict[str, Group] = {}
        self._appended = asyncio.Event()

    def append(self, place: Place, records: Sequence[Outgoing]) -> None:
        """Append records in their order."""
        kept = self.places[place]
        at = int(asyncio.get_running_loop().time() * 1000)
        first = self.end(place)
        kept += [Kept(*place, first + n, at, r.key, r.value, list(r.headers)) for n, r in enumerate(records)]
        appended, self._appended = self._appended, asyncio.Event()
        appended.set()

    async def next_append(self) -> None:
        """Wait until something is appended."""
        await self._appended.wait()

    def end(self, place: Place) -> int:
        """The offset behind the last record there ever was."""
        kept = self.places[place]
        return kept[-1].offset + 1 if kept else 0

    def read(self, place: Place, offset: int, most: int) -> list[Kept]:
        """Records from an offset on."""
        kept = self.places[place]
        if not kept or offset > kept[-1].offset:
            return []
        if kept[-1].offset + 1 == len(kept):
            return kept[offset : offset + most]
        return [r for r in kept if r.offset >= offset][:most]

    def compact(self, topic: str) -> None:
        """Keep the newest record of each key, at its offset."""
        for (name, _), kept in self.places.items():
            if name == topic:
                last = {r.key: r.offset for r in kept}
                kept[:] = [r for r in kept if last[r.key] == r.offset]

    def group(self, name: str) -> Group:
        """A consumer group, empty where nobody has named it before."""
        return self.groups.setdefault(name, Group(self, name))


class Member(Protocol):
    """A consumer in a group, as its coordinator knows it."""

    topics: Sequence[str]

    def give_up(self) -> Awaitable[None]:
        """Say that what it has belongs to nobody now; done once it knows."""
        ...

    def receive(self, places: Sequence[Place]) -> None:
        """Say what belongs to it from now on."""
        ...


class Group:
    """The coordinator of a group: at every change all give up what they have, and all is given out again.

    Who is evicted is not told, and may go on with what it has in hand: that is a zombie.
    """

    def __init__(self, log: MemoryLog, name: str) -> None:
        self.log = log
        self.name = name
        self.members: list[Member] = []
        self.committed: dict[Place, int] = {}
        self.seen: Counter[str] = Counter()
        self._changing: asyncio.Task[None] | None = None

    def join(self, member: Member) -> None:
        """Add a member."""
        self.members.append(member)
        self._change()

    def leave(self, member: Member) -> None:
        """Take a member out, at its own wish or because it was not heard of for too long."""
        if member in self.members:
            self.members.remove(member)
            self._change()

    def _change(self) -> None:
        if self._changing is not None:
            self._changing.cancel()
        self._changing = asyncio.create_task(self._rebalance())

    async def _rebalance(self) -> None:
        self.seen["rebalances"] += 1
        await asyncio.gather(*(member.give_up() for member in list(self.members)))
        chance = self.log.network.chance
        members = self.members[:]
        chance.shuffle(members)
        topics = {t for member in members for t in member.topics}
        places = sorted(place for place in self.log.places if place[0] in topics)
        for n, member in enumerate(members):
            mine = [p for i, p in enumerate(places) if i % len(members) == n and p[0] in member.topics]
            member.receive(mine)
