"""Rebuilding an inbox: another version is filled beside the live one, catches up, and takes its place at one point."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from chassis.distributing import topics
from chassis.receiving import tasks as task_rows
from chassis.receiving.consumer import Consumer, Lag
from chassis.receiving.inbox import Inbox, Place, checkpoints_of
from chassis.receiving.parking import PARKED, from_row
from chassis.receiving.versions import (
    CHECKPOINTS,
    CLOSED,
    FILLING,
    HELD,
    LIVE,
    Pointer,
    Versions,
    collection_of,
)
from chassis.receiving.views import PARKED_STREAM
from chassis.running.job import Cannot
from chassis.running.logs import about
from chassis.running.mongo import Database, Document, PyMongoError, Session, is_transient
from chassis.running.pace import Pace, Progress
from chassis.running.spans import Told

NEAR = 1000
"""Records behind the live version, over all partitions, from which on changing over is tried."""
HOLD = timedelta(seconds=5)
"""How long the live version may be held for changing over; whoever dies meanwhile holds it no longer than this."""
_CHANGED = "somebody else has changed what is live, or is being filled: look again"
_PAUSE = 0.2

__all__ = ["Cannot", "Progress", "Rebuild"]

_log = logging.getLogger("counterpoint.rebuild")


@dataclass
class Rebuild:
    """Fills one version behind the live one and changes over. `inbox(version, follows)` makes an inbox of the service;
    `prepared()` is called once the collection of the new version is there.

    Only one may run for a service (`chassis/running/job.py` holds a lease for it): with two, each owns a part of
    the partitions, and neither ever changes over.
    """

    database: Database
    versions: Versions
    inbox: Callable[[int, int | None], Inbox]
    bootstrap: str
    batch_records: int = 2000
    say: Callable[[Progress], None] = lambda progress: None
    prepared: Callable[[], Awaitable[None]] | None = None
    flips: int = 0
    _lsid: Any = None
    _pace: Pace = field(default_factory=Pace)

    async def forward(self) -> int:
        """Fill a new version from the beginning, or go on with one that was begun, and make it live; its number."""
        await self.versions.prepare()
        seen = await self.versions.pointer()
        version = seen.filling or max(seen.made_by) + 1
        if seen.made_by.get(version, self.versions.folds) != self.versions.folds:
            raise Cannot(f"another release has begun to fill version {version}: drop it first")
        return await self._fill(version, seen)

    async def back(self) -> int:
        """Bring the version that was live before up to date, and make it live again; its number."""
        await self.versions.prepare()
        seen = await self.versions.pointer()
        version = seen.previous
        if version is None or version not in seen.made_by:
            raise Cannot("no earlier version is kept")
        if seen.made_by[version] != self.versions.folds:
            raise Cannot(f"version {version} was made by other folds: go back with the release that made it")
        return await self._fill(version, seen)

    async def drop(self) -> list[int]:
        """Remove every version that is not live, with its views, checkpoints and what was parked for it."""
        await self.versions.prepare()
        seen = await self.versions.pointer()
        dropped = []
        for version in seen.others:
            if not await self.versions.forget(version, seen):
                raise Cannot(_CHANGED)
            of_it = {"inbox": self.versions.name(version)}
            await self.database.collection(CHECKPOINTS).delete_many(of_it)
            await self.database.collection(PARKED).delete_many(of_it)
            await self.database.collection(collection_of(version)).drop()
            dropped.append(version)
            seen = await self.versions.pointer()
        return dropped

    # -- filling ----------------------------------------------------------------------------------------------------

    async def _fill(self, version: int, seen: Pointer) -> int:
        live = self.versions.name(seen.live)
        if not await checkpoints_of(self.database, live):
            raise Cannot(f"{live} has never heard anything: start its workers first")
        if seen.filling != version and not await self.versions.begin(version, seen):
            raise Cannot(_CHANGED)
        seen = await self.versions.pointer()
        was = {"inbox": self.versions.name(version), "mode": CLOSED}  # where it was live once
        await self.database.collection(CHECKPOINTS).update_many(was, {"$set": {"mode": FILLING}})
        inbox = self.inbox(version, seen.live)
        inbox.names = tuple(await topics.present(self.bootstrap, inbox.facts))
        await inbox.prepare()
        if self.prepared is not None:
            await self.prepared()
        consumer = Consumer(inbox, self.bootstrap, batch_records=self.batch_records)
        try:
            await consumer.start()
            while True:
                if await self._near(inbox, consumer, live) and await self._change_over(inbox, seen):
                    await self._report(inbox, consumer)
                    return version
                await asyncio.sleep(_PAUSE)
        finally:
            await consumer.stop()

    async def _near(self, inbox: Inbox, consumer: Consumer, live: str) -> bool:
        """Whether it is close enough to the live version to change over."""
        limits = await checkpoints_of(self.database, live)
        lags = await self._report(inbox, consumer)
        ours = {p: end for p, end in limits.items() if p[0] in inbox.topics}
        behind = sum(max(0, end - inbox.offsets.get(p, 0)) for p, end in ours.items())
        behind += sum(x.behind for x in lags if (x.topic, x.partition) not in ours)
        return ours.keys() <= consumer.ready and behind <= NEAR

    async def _report(self, inbox: Inbox, consumer: Consumer) -> list[Lag]:
        """Say how far it is."""
        lags = await consumer.lag()
        done, total = sum(x.offset for x in lags), sum(max(x.end, x.offset) for x in lags)
        self.say(self._pace.step(inbox.version, done, total))
        return lags

    # -- changing over ----------------------------------------------------------------------------------------------

    async def _change_over(self, inbox: Inbox, seen: Pointer) -> bool:
        """Hold the live version, follow it to exactly where it stands, and change places. False: nothing happened."""
        session = await self.database.start_session()
        self._lsid = session.session_id
        live = self.versions.name(seen.live)
        try:
            held = await self._hold(live)
            deadline = time.monotonic() + HOLD.total_seconds() / 2
            while not self._level(inbox, held, inbox.offsets) and time.monotonic() < deadline:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            return await self._flip(inbox, seen, session)
        finally:
            with suppress(PyMongoError):
                await self._release(live)
                await session.end_session()

    async def _hold(self, live: str) -> dict[Place, int]:
        """Fence the live version's workers; where it stands, which is final until it is released."""
        until = await self.database.now() + HOLD
        await self.database.collection(CHECKPOINTS).update_many(
            {"inbox": live, "mode": LIVE}, {"$set": {"mode": HELD, "lsid": self._lsid, "held_until": until}}
        )
        return await checkpoints_of(self.database, live)

    async def _release(self, live: str) -> None:
        """Let the live version's workers go on, where they are held still."""
        mine = {"inbox": live, "mode": HELD, "lsid": self._lsid}
        await self.database.collection(CHECKPOINTS).update_many(mine, {"$set": {"mode": LIVE, "lsid": None}})

    def _level(self, inbox: Inbox, held: dict[Place, int], filled: dict[Place, int]) -> bool:
        """Whether the new version stands exactly where the held one does; in compacted topics, or beyond it."""
        compacted = {s.topic for s in inbox.states}
        return all(
            filled.get(p, -1) >= end if p[0] in compacted else filled.get(p) == end
            for p, end in held.items()
            if p[0] in inbox.topics
        )

    async def _flip(self, inbox: Inbox, seen: Pointer, session: Session) -> bool:
        try:
            async with self.database.transaction(session) as s:
                await self._exchange(inbox, seen, s)
        except _NotNow as why:
            _log.info("changing over has to wait", extra=about(why))
            return (await self.versions.pointer()).live == inbox.version
        except PyMongoError as error:
            if not is_transient(error):
                raise
            return (await self.versions.pointer()).live == inbox.version
        self.flips += 1
        return True

    async def _exchange(self, inbox: Inbox, seen: Pointer, session: Session) -> None:
        """Within one transaction: prove that both stand at the same place, close the one, open the other."""
        checkpoints = self.database.collection(CHECKPOINTS)
        live = self.versions.name(seen.live)
        if not await self.versions.flip(inbox.version, seen, session):
            raise Cannot(_CHANGED)
        before = await checkpoints_of(self.database, live, session)
        after = await checkpoints_of(self.database, inbox.name, session)
        if not self._level(inbox, before, after):
            raise _NotNow("it has not come as far as the live version yet")
        for name, mode, lsid, to in ((live, HELD, self._lsid, CLOSED), (inbox.name, FILLING, None, LIVE)):
            mine = {"inbox": name, "mode": mode} | ({"lsid": lsid} if lsid else {})
            done = await checkpoints.update_many(mine, {"$set": {"mode": to, "lsid": None}}, session=session)
            if done.matched_count != len(before if name == live else after):
                raise _NotNow(f"a worker has taken {name} meanwhile")
        await self._settle(inbox, seen, session)

    async def _settle(self, inbox: Inbox, seen: Pointer, session: Session) -> None:
        """Where a stream waits in one version and went on in the other, tasks must neither be missed nor repeated."""
        old, new = (self.database.collection(collection_of(v)) for v in (seen.live, inbox.version))
        ids: set[str] = set()
        for views in (old, new):
            ids |= {d["_id"] async for d in views.find(PARKED_STREAM, {"_id": 1}, session=session)}
        for stream in sorted(ids):
            was = await old.find_one({"_id": stream}, session=session)
            now = await new.find_one({"_id": stream}, session=session)
            if was is None or now is None:
                continue  # only one of them hears this category
            told = max(was["v"], was.get("tasked", 0))
            if now["v"] > told:
                await self._catch_up(inbox, seen, stream, told, now["v"], session)
            tasked = {"$set": {"tasked": told}} if told > now["v"] else {"$unset": {"tasked": ""}}
            await new.update_one({"_id": stream}, tasked, session=session)

    async def _catch_up(self, inbox: Inbox, seen: Pointer, stream: str, told: int, to: int, session: Session) -> None:
        """Write the tasks of facts that waited in the old version and took effect in the new one."""
        waited = {"inbox": self.versions.name(seen.live), "stream": stream, "version": {"$gt": told, "$lte": to}}
        found = await self.database.collection(PARKED).find(waited, session=session).to_list(None)
        found.sort(key=lambda row: (row["version"], row["at"]))
        by_version: dict[int, Document] = {}
        for row in found:
            by_version.setdefault(row["version"], row)
        if len(by_version) != to - told:
            raise Cannot(f"{stream} is at {to} here, and not all since {told} waits in the live version")
        rows: list[Document] = []
        for row in by_version.values():
            heard = from_row(row, inbox.catalog)
            rows += inbox.tasks.rows(heard, heard.envelope.traceparent)
        await self.database.insert(task_rows.COLLECTION, rows, session)


class _NotNow(Told):
    """Changing over is not possible at this moment."""
