"""A running outlet: what it is made of, and how its parts are started, watched and stopped."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from chassis.distributing.tailing import Readers
from chassis.running.auth import Tokens
from chassis.running.parts import Parts
from chassis.running.problems import Problem, later
from chassis.running.runtime import STALLED_SECONDS, settle
from contracts.catalog import Catalog
from contracts.streams import Audience
from outlet.hearing import Hearing
from outlet.hooks.webhooks import Webhooks
from outlet.pages import Pages
from outlet.settings import Settings

UNANSWERED_SECONDS = 10.0


class Runtime:
    """One process of the outlet. Of facts it keeps nothing: whatever it knows, it hears again from the beginning."""

    def __init__(self, settings: Settings, catalog: Catalog) -> None:
        self.settings = settings
        self.tokens = Tokens(settings)
        public = [c for c in catalog.categories.values() if c.audience is Audience.public and c.topic]
        self.types = frozenset(name for name, fact in catalog.facts.items() if fact.category in public)
        self._readers = Readers(settings.kafka, settings.feed_readers)
        self.hearing = Hearing([c.topic for c in public if c.topic], settings.kafka, self._readers)
        self.pages = Pages(self.hearing.index, self.hearing)
        self.parts = Parts()
        self.webhooks: Webhooks | None = None
        if settings.has_webhooks:
            self.webhooks = Webhooks(settings, self.pages, self.hearing)
        self._asking: Counter[str] = Counter()

    # -- life -------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to hear, in the background."""
        self.parts.for_ever("facts", self.hearing.run)
        if self.webhooks is not None:
            self.parts.once("start", self._start_webhooks)
        settle()

    async def _start_webhooks(self) -> None:
        assert self.webhooks is not None
        await self.parts.until_done("database", self.webhooks.keeping.prepare)
        while not self.hearing.whole:  # noqa: ASYNC110 - a moment, once
            await asyncio.sleep(0.1)
        self.parts.for_ever("webhooks", self.webhooks.delivering.run)

    def begin_to_stop(self) -> None:
        """Let those who wait go on elsewhere."""
        self.parts.stop()
        self.hearing.wake()

    async def stop(self) -> None:
        """Stop hearing and disconnect."""
        self.begin_to_stop()
        await self.parts.cancel()
        await self._readers.close()
        if self.webhooks is not None:
            await self.webhooks.close()

    # -- probes -----------------------------------------------------------------------------------------------------

    def waiting_for(self) -> list[str]:
        """What is missing before this process can answer."""
        return sorted(self.parts.waiting | (set() if self.hearing.whole else {"facts"}))

    def without(self) -> list[str]:
        """What is away: without Kafka only what is in memory can be answered."""
        silent = asyncio.get_running_loop().time() - self.hearing.answered > UNANSWERED_SECONDS
        return ["kafka"] if silent else []

    def caught_up(self) -> bool:
        """Whether everything has been heard that was there at the start."""
        return self.hearing.whole

    def stalled(self) -> list[str]:
        """Parts that have not even tried anything for a minute."""
        attempted = self.hearing.attempted
        idle = attempted and asyncio.get_running_loop().time() - attempted
        return ["facts"] if idle > STALLED_SECONDS else []

    # -- asking -----------------------------------------------------------------------------------------------------

    @contextmanager
    def asked_by(self, subject: str) -> Iterator[None]:
        """While a subject's request is answered. Raises 429 where it has too many at once, 503 where all have."""
        if self._asking[subject] >= self.settings.feed_each:
            detail = f"no more than {self.settings.feed_each} requests at once, please; wait for their answers"
            raise Problem(429, "too-many-requests", detail, headers={"Retry-After": "1"})
        if self._asking.total() >= self.settings.feed_waiting:
            raise later("busy", "too many are waiting for facts here at the moment", 5)
        self._asking[subject] += 1
        try:
            yield
        finally:
            self._asking[subject] -= 1
            if not self._asking[subject]:
                del self._asking[subject]
