"""Which version of the inbox this process reads, hears and works for: the live one, from the moment it is."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable

from chassis.distributing import topics
from chassis.receiving.consumer import Consumer
from chassis.receiving.inbox import Inbox
from chassis.receiving.resuming import Resuming
from chassis.receiving.versions import Pointer, Versions
from chassis.running.parts import Parts
from chassis.running.settings import Role, Settings

FOLLOW_SECONDS = 0.25
TOPICS_SECONDS = 5.0
READ_AGAIN_SECONDS = 2.0
"""In a rolling upgrade old and new workers hear side by side: what the old ones park waits this long at most."""
IDLE_SECONDS = 30.0
LEAVE_SECONDS = 2.0
_log = logging.getLogger("counterpoint")


class Following:
    """Holds the inbox that is read, the consumer that feeds it, and the runner's task.

    `inbox_of` makes the inbox of a version, `work` runs the tasks for ever, `folds` is the number of this release's
    folds.
    """

    def __init__(
        self,
        settings: Settings,
        parts: Parts,
        versions: Versions,
        folds: int,
        inbox_of: Callable[[int], Inbox],
        work: Callable[[], Awaitable[None]],
    ) -> None:
        self._settings = settings
        self._parts = parts
        self._versions = versions
        self._folds = folds
        self._inbox_of = inbox_of
        self._work = work
        self._working: asyncio.Task[None] | None = None
        self._switched = False
        self._names: tuple[str, ...] = ()
        self._heard: tuple[str, ...] = ()
        self.consumer: Consumer | None = None
        self._use(inbox_of(1))

    def _use(self, inbox: Inbox) -> None:
        inbox.names = self._names
        self.inbox = inbox
        self.resuming = Resuming(inbox)

    @property
    def listens(self) -> bool:
        """Whether this process hears, or will as soon as it can."""
        return self._settings.role.does(Role.worker) and bool(self.inbox.topics) and "inbox" not in self._parts.waiting

    async def prepare(self) -> None:
        """Create what the live version needs, if it is made by these folds."""
        await self._versions.prepare()
        pointer = await self._versions.pointer()
        if pointer.folds == self._folds:
            self._use(self._inbox_of(pointer.live))
            await self.inbox.prepare()

    async def run(self) -> None:
        """Follow the live version for ever, with a consumer that works."""
        while True:
            await asyncio.sleep(FOLLOW_SECONDS)
            if self.consumer is not None and self.consumer.idle_seconds > IDLE_SECONDS:
                idle = round(self.consumer.idle_seconds)
                _log.warning("the consumer hangs and is replaced", extra={"counterpoint.seconds": idle})
                await self._hear()
            await self.look()

    async def read_again(self) -> None:
        """Go on for ever with what an older release could not read, as soon as it is parked."""
        while True:
            await asyncio.sleep(READ_AGAIN_SECONDS)
            if "inbox" not in self._parts.waiting:
                await self.resuming.read_again()

    async def look(self) -> None:
        """Look once which version is live, and change over to it."""
        pointer = await self._versions.pointer()
        if pointer.folds != self._folds:
            await self._stand_by(pointer)
        elif (
            pointer.live != self.inbox.version
            or "inbox" in self._parts.waiting
            or not self._switched
            or (self.consumer is not None and self._names != self._heard)  # a generation has come, or is gone
        ):
            await self._switch(pointer)

    async def _switch(self, pointer: Pointer) -> None:
        """From now on this version. Its views stand where those of the version before stood."""
        self._switched = False
        self._use(self._inbox_of(pointer.live))
        await self.stop_hearing()
        self._parts.waiting.discard("inbox")
        if (self._settings.role.does(Role.worker) or self._settings.role is Role.solver) and self._working is None:
            self._working = self._parts.for_ever("tasks", self._work)
        if self.listens:
            await self._parts.until_done("subscription", self._look_for_topics)
            self._heard = self._names
            await self._hear()
        self._switched = True

    async def _hear(self) -> None:
        await self._parts.until_done("subscription", self._subscribe)

    async def _subscribe(self) -> None:
        """Each try has a consumer and a session of its own: what is left of one that failed, or hangs, is unknown."""
        await self.stop_hearing()
        self._use(self._inbox_of(self.inbox.version))
        self.consumer = Consumer(
            self.inbox,
            self._settings.kafka,
            batch_records=self._settings.batch_records,
            stop_seconds=self._settings.stop_seconds,
            member=self._settings.member,
        )
        await self.consumer.start()

    async def _stand_by(self, pointer: Pointer) -> None:
        """Other folds made the live version: its documents are not for this release to read, nor its facts to hear."""
        if "inbox" not in self._parts.waiting:
            told = {"version": pointer.live, "made_by": pointer.folds, "folds": self._folds}
            extra = {f"counterpoint.{name}": value for name, value in told.items()}
            _log.warning("other folds made the live version of the inbox", extra=extra)
        self._parts.waiting.add("inbox")
        if self._working is not None:
            self._working.cancel()
            await asyncio.gather(self._working, return_exceptions=True)
            self._working = None
        await self.stop_hearing()

    async def follow_topics(self) -> None:
        """Hear every generation of the topics that Kafka has, as soon as it has it, for ever."""
        while True:
            await asyncio.sleep(TOPICS_SECONDS)
            await self._look_for_topics()

    async def _look_for_topics(self) -> None:
        """A generation is heard while it exists: from its creation on, before it is live, until it is deleted."""
        self._names = tuple(await topics.present(self._settings.kafka, self.inbox.facts))
        self.inbox.names = self._names

    async def stop_hearing(self, comes_back: bool = False) -> None:
        """Finish the batch in hand and leave the group; with `comes_back` a member by name stays in it."""
        if self.consumer is not None:
            consumer, self.consumer = self.consumer, None
            with contextlib.suppress(Exception):
                async with asyncio.timeout(self._settings.stop_seconds + LEAVE_SECONDS):
                    await consumer.stop(comes_back)
