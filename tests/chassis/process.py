"""One process of a service in a simulated world: the real parts, on whatever servers it is given."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from chassis.deciding.commands import Commands, Origin, Outcome, Write
from chassis.deciding.contents import Contents
from chassis.deciding.decider import On
from chassis.deciding.documents import Documents
from chassis.deciding.journal import COLLECTION, Journal
from chassis.distributing.latest import COLLECTION as LATEST
from chassis.distributing.latest import LatestStore
from chassis.distributing.producer import Sender
from chassis.distributing.relay import Relay
from chassis.receiving.consumer import Consumer
from chassis.receiving.erasing import Erasing
from chassis.receiving.inbox import Inbox
from chassis.receiving.resuming import Resuming
from chassis.receiving.runner import Runner
from chassis.receiving.versions import Versions
from chassis.running.mongo import Database
from chassis.running.service import Service

EPOCH = datetime(2026, 3, 1, tzinfo=UTC)
PARTITIONS = 4


class Link(Protocol):
    """One process's way to the servers."""

    def database(self, name: str) -> Database: ...
    def producer(self) -> Sender: ...
    def broker(self, bootstrap: str, **how: Any) -> Any: ...


@dataclass
class Clock:
    """As `chassis.running.clock.Clock`: a clock of its own, which may be wrong, and the time all have travelled."""

    now_of_loop: Callable[[], datetime]
    travelled: Callable[[], timedelta]
    wrong: timedelta = timedelta(0)

    @property
    def offset(self) -> timedelta:
        return self.travelled()

    def now(self) -> datetime:
        at = self.now_of_loop() + self.wrong + self.travelled()
        return at.replace(microsecond=at.microsecond // 1000 * 1000)


class Process:
    """Commands, relay, inbox with its consumer, operator and task runner of one service, as `Runtime` has them."""

    def __init__(self, service: Service, link: Link, clock: Clock, folder: str = "") -> None:
        self.service = service
        self.link = link
        self.clock = clock
        self.database = database = link.database(folder + service.name)
        self.journal = Journal(database)
        self.latest = LatestStore(database)
        self.documents = Documents(database)
        self.contents = Contents(database, b"0" * 32)
        self.commands = Commands(service.catalog, self.journal, database, clock.now)
        self.relay = Relay(
            service.name,
            service.catalog,
            database,
            self.latest,
            link.producer,
            now=clock.now,
            partitions=PARTITIONS,
            page=4,
        )
        self.versions = Versions(database, service.name, 1)
        self.erasing = Erasing(database, self.versions, service.states)
        self.inbox = Inbox(
            service.name, service.catalog, database, service.views, service.states, service.tasks, clock.now
        )
        self.resuming = Resuming(self.inbox)
        self.runner = Runner(self)  # type: ignore[arg-type]
        self.consumer: Consumer | None = None
        self.sweeping = asyncio.Lock()

    async def prepare(self) -> None:
        """Create everything there is to create."""
        await self.database.create(COLLECTION, LATEST)
        await self.journal.prepare()
        await self.latest.prepare()
        await self.versions.prepare()
        await self.inbox.prepare()
        await self.runner.prepare()

    async def listen(self) -> None:
        """Subscribe, and hear from now on."""
        self.consumer = Consumer(self.inbox, "", batch_records=8, stop_seconds=1.0, broker=self.link.broker)
        await self.consumer.start()

    async def run(self, origin: Origin, *on: On, also: Sequence[Write] = ()) -> Outcome:
        """As `Runtime.run`."""
        async with self.database.gate:
            return await self.commands.run(origin, *on, also=also)

    async def sweep(self) -> int:
        """Relay a page, unless this relay is at work already."""
        if self.sweeping.locked():
            return 0
        async with self.sweeping:
            return await self.relay.sweep()

    async def do_tasks(self) -> int:
        """Start the tasks that are due."""
        self.runner.attempted = asyncio.get_running_loop().time()
        return await self.runner.sweep()

    async def do_all_tasks(self) -> None:
        """Do what is due, and what that lets go on."""
        woken = self.runner._woken
        woken.set()
        while woken.is_set():
            woken.clear()
            await self.do_tasks()
            await asyncio.gather(*self.runner._jobs.values(), return_exceptions=True)

    async def stop(self) -> None:
        """End as a process does that is told to."""
        for job in self.runner._jobs.values():
            job.cancel()
        if self.consumer is not None:
            await self.consumer.stop()
        with suppress(Exception):
            await self.database.close()
