"""Servers in memory for a simulated world, in a time of its own."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from random import Random
from typing import Any

from chassis.distributing.producer import Outgoing
from chassis.running.mongo import Database
from chassis.testing.broker import MemoryBroker, MemoryProducer
from chassis.testing.log import Kept, MemoryLog, Place
from chassis.testing.memory import MemoryServer
from chassis.testing.network import Caller, Fault, Network
from tests.chassis.process import EPOCH, PARTITIONS


class MemoryLink:
    """One process's way to servers in memory, where any request may go wrong."""

    def __init__(self, ground: MemoryGround, name: str) -> None:
        self._ground = ground
        self.caller = Caller(ground.network, name, self._died)
        self._brokers: list[MemoryBroker] = []

    @property
    def dead(self) -> bool:
        return self.caller.dead

    def database(self, name: str) -> Database:
        return self._ground.server.database(name, self.caller)

    def producer(self) -> MemoryProducer:
        return MemoryProducer(self._ground.log, self.caller)

    def broker(self, bootstrap: str, **how: Any) -> MemoryBroker:
        broker = MemoryBroker(self._ground.log, self.caller, bootstrap, **how)
        self._brokers.append(broker)
        return broker

    def expect(self, calls: int, fault: Fault) -> None:
        """Let one of the next requests go wrong."""
        self.caller.expect(calls, fault)

    def calm(self) -> None:
        """From now on nothing goes wrong."""
        self.caller.plan.clear()

    def kill(self) -> None:
        """As SIGKILL."""
        self.caller.die()

    def pause(self) -> None:
        """As SIGSTOP; after a while its group goes on without it."""
        self.caller.pause()
        asyncio.get_running_loop().call_later(0.02, self.evict)

    def go_on(self) -> None:
        """As SIGCONT."""
        self.caller.go_on()

    def evict(self) -> None:
        """Its group takes it for dead."""
        for broker in self._brokers:
            if broker.evict():
                self._ground.seen["evictions"] += 1

    def _died(self) -> None:
        self._ground.seen["deaths"] += 1
        asyncio.get_running_loop().call_later(self._ground.network.travel() * 10, self.evict)


class MemoryGround:
    """A database server and a log, and what went wrong between them and their clients."""

    def __init__(self, seed: int, topics: Sequence[str]) -> None:
        self.chance = Random(seed)
        self.network = Network(self.chance)
        self.server = MemoryServer(EPOCH)
        self.log = MemoryLog(self.network, topics, PARTITIONS)
        self.seen: Counter[str] = Counter()

    def now(self) -> datetime:
        """The right time, if nobody travels."""
        return EPOCH + timedelta(seconds=asyncio.get_running_loop().time())

    def link(self, name: str) -> MemoryLink:
        """The way of a new process."""
        return MemoryLink(self, name)

    async def records(self) -> dict[Place, Sequence[Kept]]:
        """Everything on the log."""
        return dict(self.log.places)

    async def ends(self) -> dict[Place, int]:
        """Where each partition ends."""
        return {place: self.log.end(place) for place in self.log.places}

    async def append(self, place: Place, record: Outgoing) -> None:
        """Say something that was said before."""
        self.log.append(place, [record])

    def counted(self) -> Counter[str]:
        """What happened."""
        seen = self.seen + self.network.seen
        for store in self.server._stores.values():
            seen += store.seen
        for group in self.log.groups.values():
            seen += group.seen
        return seen
