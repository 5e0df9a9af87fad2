"""One process of the outlet delivers, the others stand by: a sender for each active webhook, anew when it changes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from chassis.running.lease import Taken, lease
from chassis.running.mongo import Database, Document
from outlet.hooks.keeping import PAUSED, Keeping
from outlet.hooks.sending import Sender

LEASE_SECONDS = 10.0
"""After this another process delivers for one that died."""
STAND_BY_SECONDS = 2.0
LOOK_SECONDS = 0.5
_log = logging.getLogger("counterpoint.outlet")


class Delivering:
    """Runs the senders. `allowed` says whether a webhook's owner may still hear what it is for."""

    def __init__(
        self,
        database: Database,
        keeping: Keeping,
        sender_of: Callable[[Document], Sender],
        allowed: Callable[[Document], bool],
    ) -> None:
        self._database = database
        self._keeping = keeping
        self._sender_of = sender_of
        self._allowed = allowed
        self._senders: dict[str, tuple[int, asyncio.Task[None]]] = {}
        self.works = False

    async def run(self) -> None:
        """Deliver, or stand by, for ever."""
        while True:
            try:
                async with lease(self._database, "deliveries", LEASE_SECONDS):
                    self.works = True
                    await self._work()
            except Taken:
                await asyncio.sleep(STAND_BY_SECONDS)
            finally:
                self.works = False

    async def _work(self) -> None:
        try:
            while True:
                await self._look()
                await asyncio.sleep(LOOK_SECONDS)
        finally:
            for id in list(self._senders):
                await self._end(id)

    async def _look(self) -> None:
        active = await self._keeping.active()
        for id, (epoch, task) in list(self._senders.items()):
            if id not in active or active[id]["epoch"] != epoch or task.done():
                await self._end(id)
        for id, webhook in active.items():
            if not self._allowed(webhook):
                changes = {"state": PAUSED, "why": "not-allowed"}
                await self._keeping.change(id, changes, epoch=webhook["epoch"])
            elif id not in self._senders:
                sending = asyncio.create_task(self._sender_of(webhook).run())
                self._senders[id] = (webhook["epoch"], sending)

    async def _end(self, id: str) -> None:
        _, task = self._senders.pop(id)
        task.cancel()
        (ended,) = await asyncio.gather(task, return_exceptions=True)
        if isinstance(ended, Exception):
            _log.warning("a sender begins again: %s", type(ended).__name__)
