"""Waiting until what was said has taken effect in this service's views."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable

from chassis.receiving.consumer import KafkaError, end_offsets
from chassis.running.following import Following
from chassis.running.mongo import within
from chassis.running.problems import Problem, later
from chassis.running.settings import Settings
from contracts.streams import parts

_VERSION = re.compile(r"[1-9][0-9]{0,17}")


class Arrivals:
    """What a request may wait for. It is asked of the version that is live at each moment.

    A process that is `stopping` waits no longer: another one can answer.
    """

    def __init__(self, settings: Settings, following: Following, stopping: Callable[[], bool]) -> None:
        self._settings = settings
        self._following = following
        self._stopping = stopping

    async def of(self, after: str | None) -> None:
        """Wait until the `stream@version`s of a `Counterpoint-After` header have taken effect here.

        Raises 400 for what is no such list or names a stream that is never heard here, 503 where it takes too long.
        """
        wanted = [w.strip() for w in (after or "").split(",") if w.strip()]
        if len(wanted) > 20:
            raise Problem(400, "after", "Counterpoint-After names more than 20 versions")
        deadline = asyncio.get_running_loop().time() + self._settings.own_write_seconds
        for want, (stream, version) in [(want, self._heard(want)) for want in wanted]:
            while await self._following.inbox.reader.version(stream) < version:
                if self._stopping() or asyncio.get_running_loop().time() > deadline:
                    raise later("not-seen-yet", f"{want} has not arrived here yet")
                await asyncio.sleep(0.01)

    def _heard(self, want: str) -> tuple[str, int]:
        stream, _, version = want.rpartition("@")
        try:
            category = parts(stream)[1]
        except ValueError:
            category = ""
        if not category or not _VERSION.fullmatch(version):
            raise Problem(400, "after", f"{want!r} is not a stream and a version, such as a/b/c@1")
        if category not in self._following.inbox.categories:
            raise Problem(400, "after", f"this service never hears {category!r} streams")
        return stream, int(version)

    async def of_everything(self) -> None:
        """Wait until everything that had been said on the topics when this was asked has taken effect here."""
        deadline = asyncio.get_running_loop().time() + self._settings.all_heard_seconds
        try:
            async with asyncio.timeout_at(deadline):
                ends = await end_offsets(self._settings.kafka, self._following.inbox.topics)
        except (KafkaError, TimeoutError):
            raise later("kafka-unavailable", "Kafka does not answer at the moment", 2) from None
        while True:
            with within(self._settings.own_write_seconds):
                reached = await self._following.inbox.checkpoints()
            if all(reached.get(place, 0) >= end for place, end in ends.items()):
                return
            if self._stopping() or asyncio.get_running_loop().time() > deadline:
                raise later("catching-up", "this service has not heard everything yet; try again in a moment", 2)
            await asyncio.sleep(0.05)
