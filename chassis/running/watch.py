"""Whether the servers answer right now: what readiness is told by."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from chassis.distributing.topics import Broker
from chassis.running.mongo import Database, within

LOOK_SECONDS = 1.0
ANSWER_SECONDS = 3.0


class Watch:
    """Asks both servers again and again; `away` names those that did not answer when they were last asked."""

    def __init__(self, database: Database, bootstrap: str) -> None:
        self._database = database
        self._bootstrap = bootstrap
        self.away: set[str] = set()

    async def run(self) -> None:
        """Watch for ever; cancel to stop."""
        broker = Broker(self._bootstrap)
        try:
            await asyncio.gather(self._look("database", self._database.ping), self._look("kafka", broker.ask))
        finally:
            with contextlib.suppress(Exception):
                await broker.close()

    async def _look(self, name: str, ask: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                with within(ANSWER_SECONDS):
                    async with asyncio.timeout(ANSWER_SECONDS + LOOK_SECONDS):
                        await ask()
                self.away.discard(name)
            except Exception:
                self.away.add(name)
            await asyncio.sleep(LOOK_SECONDS)
