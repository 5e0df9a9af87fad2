"""The claim of who solves a round: whatever they write is nothing once somebody else has claimed it, or nobody may.

One document a round. Its token is part of every transaction that solving writes; whoever takes the round over, abandons
or publishes it writes another one there. So a process that was only asleep wakes up to find that it is too late. The
document also tells how far solving has come.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol

from chassis.deciding.commands import Write, random_id
from chassis.deciding.documents import Documents
from chassis.receiving.tasks import Work

CLAIM = "round-claim"
"""The kind of document a claim is, by the round's id."""
Seen = Mapping[str, Any] | None
NOBODY = {"token": None, "phase": None, "done": 0, "total": None}


class Lost(Exception):
    """The round is claimed by somebody else, or by nobody for good."""


class _Keeps(Protocol):
    @property
    def documents(self) -> Documents: ...


class Claim:
    """One try to solve a round. `phase` is what it is at; `done` of `total`, where the end is known, are rounds of
    pricing or proposals."""

    def __init__(self, work: Work, round: str) -> None:
        self._documents, self._scope, self._round = work.documents, work.scope, round
        self._token = random_id("cl")
        self.phase, self.done = "reading", 0
        self.total: int | None = None
        self._began = work.now()

    @classmethod
    async def take(cls, work: Work, round: str) -> Claim:
        """Claim a round, whoever had it. Read nothing before that is to be relied on."""
        claim = cls(work, round)
        told = claim._told() | {"token": claim._token, "began": claim._began.isoformat()}
        await work.documents.save(CLAIM, work.scope, round, told)
        return claim

    def step(self, which: object) -> str:
        """The name of a step of this try: another try decides by what it finds."""
        return f"{self._token} {which}"

    async def tell(self) -> None:
        """Say how far it is. Raises `Lost`."""
        mine = {"token": self._token}
        if not await self._documents.amend(CLAIM, self._scope, self._round, mine, self._told()):
            raise Lost

    def holds(self, done: int) -> Write:
        """For the transaction that makes it `done`; raises `Conflict` in it where the claim is lost."""
        self.done = done
        return self._documents.amended(CLAIM, self._scope, self._round, {"token": self._token}, self._told())

    def ends(self) -> Write:
        """For the last transaction: nobody claims the round any more."""
        return self._documents.amended(CLAIM, self._scope, self._round, {"token": self._token}, NOBODY)

    async def give_back(self) -> None:
        """There is nothing to do."""
        await self._documents.amend(CLAIM, self._scope, self._round, {"token": self._token}, NOBODY)

    def _told(self) -> dict[str, Any]:
        return {"phase": self.phase, "done": self.done, "total": self.total}


async def take_from_all(documents: Documents, scope: str, round: str) -> None:
    """Whoever solves the round at the moment has to begin again."""
    await documents.amend(CLAIM, scope, round, {}, NOBODY)


def void(keeps: _Keeps, scope: str, round: str) -> Write:
    """For a transaction after which nobody may go on with what they have begun."""
    return keeps.documents.put(CLAIM, scope, round, _nobodys())


async def seen(keeps: _Keeps, scope: str, round: str) -> Seen:
    """What is known of the writing of a round. It changes with whatever is written of it, by whoever solves it or
    reviews it; to be asked before anything is read that a change rests on."""
    return await keeps.documents.get(CLAIM, scope, round)


def still(keeps: _Keeps, scope: str, round: str, seen: Seen) -> Write:
    """For the transaction of such a change, which voids the claim. Raises `Conflict` where something was written since
    it was `seen`."""
    return keeps.documents.exchanged(CLAIM, scope, round, seen, _nobodys())


def _nobodys() -> dict[str, Any]:
    return NOBODY | {"voided": random_id("cl")}


async def progress(keeps: _Keeps, scope: str, round: str, now: datetime) -> dict[str, Any] | None:
    """How far the solving of a round is; None where nobody is at it. `percent` is told where the end is known."""
    doc = await keeps.documents.get(CLAIM, scope, round)
    if doc is None or doc["token"] is None:
        return None
    done, total = doc["done"], doc["total"]
    began = datetime.fromisoformat(doc["began"])
    return {
        "phase": doc["phase"],
        "done": done,
        "total": total,
        "percent": 100 * done // total if total else None,
        "began": doc["began"],
        "seconds": max(0.0, (now - began).total_seconds()),
    }
