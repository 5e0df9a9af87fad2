"""How far behind an inbox is, for a process that does not feed it: it tells when nobody does."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import Any

from aiokafka import AIOKafkaConsumer

from chassis.distributing.access import client
from chassis.receiving.consumer import Lag
from chassis.receiving.inbox import Inbox, Place
from chassis.receiving.versions import CHECKPOINTS

_ENDS = 3.0


class Outside:
    """Compares the checkpoints in the database with where the topics end, over a connection that is kept."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._began = time.time()
        self._level: dict[Place, float] = {}
        self._topics: list[str] = []
        self._kafka: Any = None

    async def lag(self, inbox: Inbox) -> list[Lag]:
        """The lag of every partition that anybody has ever fed to this inbox. Raises what either server raises."""
        found = await inbox.database.collection(CHECKPOINTS).find({"inbox": inbox.name}).to_list(None)
        ends, now = await self._ends(inbox.topics), time.time()
        lag = []
        for doc in found:
            _, topic, partition = doc["_id"].split("|")
            place, offset = (topic, int(partition)), int(doc["offset"])
            if place not in ends:
                continue
            if offset >= ends[place]:
                self._level[place] = now
            since = max(self._level.get(place, 0.0), doc.get("timestamp", 0) / 1000) or self._began
            seconds = max(0.0, now - since) if offset < ends[place] else 0.0
            lag.append(Lag(*place, offset, ends[place], round(seconds, 3)))
        return lag

    async def _ends(self, topics: list[str]) -> dict[Place, int]:
        try:
            async with asyncio.timeout(_ENDS):
                if self._kafka is None or topics != self._topics:
                    await self.close()
                    options = {**client(self._bootstrap), "group_id": None, "auto_offset_reset": "latest"}
                    self._topics, self._kafka = topics, AIOKafkaConsumer(*topics, **options)
                    await self._kafka.start()
                    self._kafka.pause(*self._kafka.assignment())  # nothing is fetched, only asked
                ends = await self._kafka.end_offsets(self._kafka.assignment())
        except BaseException:
            await self.close()
            raise
        return {(tp.topic, tp.partition): end for tp, end in ends.items()}

    async def close(self) -> None:
        """Disconnect."""
        kafka, self._kafka = self._kafka, None
        if kafka is not None:
            with suppress(Exception):
                await kafka.stop()
