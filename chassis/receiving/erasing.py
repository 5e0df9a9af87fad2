"""Erasing what a service keeps of somebody: the state documents of every version of its inbox, for good."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from chassis.deciding.cuts import Cuts
from chassis.receiving.versions import CHECKPOINTS, Versions, collection_of
from chassis.receiving.views import StateView
from chassis.running.mongo import Database, Session, is_transient

TRIES = 8
"""Tries of a cut against consumers that move the same checkpoints."""


@dataclass(frozen=True)
class Erasing:
    """One service's state documents that are about people, live and not.

    A cut writes every checkpoint of their topics too. So each transaction of a consumer either came before it, and
    what it kept is deleted here, or sees the cut and keeps nothing, whatever may come on the topic.
    """

    database: Database
    versions: Versions
    states: tuple[StateView[Any], ...]

    @property
    def cuts(self) -> Cuts:
        """What is cut."""
        return Cuts(self.database)

    async def cut(self, person: str, scopes: Sequence[str], at: datetime, *others: str) -> int:
        """Keep nothing of a person from now on, in these scopes and beyond; answers how many documents went.

        `others` are further ids that are cut with them. Again does nothing more.
        """
        for attempt in range(TRIES):
            try:
                async with self.database.transaction() as session:
                    return await self._cut(person, scopes, at, others, session)
            except Exception as error:
                if not is_transient(error) or attempt == TRIES - 1:
                    raise
            await asyncio.sleep(0.02 * 2**attempt)
        raise AssertionError("the last try raises")

    async def left(self, person: str, scopes: Sequence[str]) -> int:
        """How many documents about them there are, in any version."""
        n = 0
        for collection in await self._collections():
            n += await self.database.collection(collection).count_documents({"_id": {"$in": self._ids(person, scopes)}})
        return n

    async def _cut(
        self, person: str, scopes: Sequence[str], at: datetime, others: Iterable[str], session: Session
    ) -> int:
        for id in (person, *others):
            await self.cuts.cut(id, at)(session)
        for scope in scopes:
            await self.cuts.bump(scope)(session)
        await self._meet_consumers(session)
        n = 0
        for collection in await self._collections():
            which = {"_id": {"$in": self._ids(person, scopes)}}
            done = await self.database.collection(collection).delete_many(which, session=session)
            n += done.deleted_count
        return n

    async def _meet_consumers(self, session: Session) -> None:
        """Write the checkpoints that a consumer of these topics writes in every transaction."""
        topics = {view.topic for view in self._about_people}
        checkpoints = self.database.collection(CHECKPOINTS)
        found = await checkpoints.find({}, {"_id": 1}, session=session).to_list(None)
        places = [d["_id"] for d in found if d["_id"].split("|")[1] in topics]
        await checkpoints.update_many({"_id": {"$in": places}}, {"$inc": {"cuts": 1}}, session=session)

    async def _collections(self) -> list[str]:
        return [collection_of(version) for version in sorted((await self.versions.pointer()).made_by)]

    @property
    def _about_people(self) -> list[StateView[Any]]:
        return [view for view in self.states if view.personal]

    def _ids(self, person: str, scopes: Sequence[str]) -> list[str]:
        keys = [person, *(f"{scope}/{person}" for scope in scopes)]
        return [view.id_of(key) for view in self._about_people for key in keys]
