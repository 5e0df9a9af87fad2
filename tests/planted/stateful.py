"""Faults in how the parts of the chassis work together; they show when something goes wrong at the wrong moment."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

from chassis.deciding.commands import Commands
from chassis.distributing.relay import Relay
from chassis.receiving.folding import Folding
from chassis.receiving.inbox import Inbox
from chassis.receiving.resuming import Resuming
from chassis.receiving.runner import Runner, _Work
from chassis.running.mongo import Database, IndexModel, is_transient
from tests.planted import Fault

_FOUND = ("tests/chassis/test_stateful.py::test_whatever_goes_wrong_everything_takes_effect_once_and_in_order",)
_SEND, _PUBLISH, _HEAR = Relay._send, Relay._publish, Folding.hear
_ATTEMPT, _INDEX, _ORIGIN, _ONE = Commands._attempt, Database.index, _Work.origin, Runner._one


async def two_batches_in_flight(self: Relay, producer: Any, lane: Any, commits: Any) -> int:
    """Do not wait for the answer to one batch before the next is sent."""
    half = (len(commits) + 1) // 2
    return sum(await asyncio.gather(*(_SEND(self, producer, lane, part) for part in (commits[:half], commits[half:]))))


async def mark_all_where_one_went_well(self: Relay, commits: Any) -> None:
    """Mark the whole page although only some partitions answered."""
    try:
        await _PUBLISH(self, commits)
    except Exception:
        await self._marks.update_many({"_id": {"$in": [c.id for c in commits]}}, {"$unset": {"pending": 1}})


async def checkpoint_by_itself(self: Inbox, moved: Any, timestamp: int, session: Any) -> None:
    """Move the checkpoint before the transaction, not in it."""
    collection = self.database.collection("checkpoints")
    for place, offset in moved.items():
        await collection.update_one({"_id": self._key(place)}, {"$set": {"offset": offset}})


def any_version_is_applied(self: Folding, heard: Any) -> None:
    """Fold what comes without a look at its version."""
    doc = self.documents.get(heard.envelope.stream)
    if doc is None:
        return _HEAR(self, heard)
    self._apply(heard, doc)
    return None


async def versions_are_not_unique(self: Database, collection: str, models: Sequence[IndexModel]) -> None:
    """Two commits may take the same place in a stream."""
    await _INDEX(self, collection, [m for m in models if m.document["name"] not in ("version", "command")])


async def answered_before_it_is_kept(self: Commands, origin: Any, on: Any, also: Any) -> Any:
    """Answer a command whose insert may have failed."""
    try:
        return await _ATTEMPT(self, origin, on, also)
    except Exception as error:
        if not is_transient(error):
            raise
        found = await self.journal.load([o.stream for o in on])
        return self._decide(origin, on, found)[1]


def a_task_without_an_identity(self: _Work) -> Any:
    """Each try of a task is a command of its own."""
    return replace(_ORIGIN.fget(self), command_id=secrets.token_hex(20))  # type: ignore[attr-defined]


async def a_task_is_removed_first(self: Runner, row: Any, now: Any) -> bool:
    """Take a task for done before it is."""
    await self._collection.delete_one({"_id": row["_id"]})
    return await _ONE(self, row, now)


async def leased_by_its_own_clock(self: Runner, row: Any) -> bool:
    """Say until when a row is taken by a clock that somebody may set."""
    real = await self._now() - self._runtime.clock.offset
    free = [{"leased": None}, {"leased": {"$lt": real}}, {"owner": self._owner}]
    until = {"$set": {"owner": self._owner, "leased": real + timedelta(seconds=10)}}
    which = {"_id": row["_id"], "state": "open", "$or": free}
    return bool((await self._collection.update_one(which, until)).matched_count)


async def operators_meet_nobody(self: Resuming, once: Callable[[Any], Any]) -> Any:
    """Change what is parked outside any transaction."""
    await self._inbox.stay_live(None)
    return await once(None)


@asynccontextmanager
async def parts_by_themselves(self: Database, session: Any = None) -> Any:
    """Write what belongs together one after another."""
    yield None


def _fault(name: str, row: str, harms: str, owner: type[Any], attribute: str, wrong: Any) -> Fault:
    return Fault(name, row, harms, lambda: setattr(owner, attribute, wrong), _FOUND)


_RELAY, _INBOX = "chassis/distributing/relay.py", "chassis/receiving/inbox.py"
FAULTS = [
    _fault("two-batches-in-flight", "G2", _RELAY, Relay, "_send", two_batches_in_flight),
    _fault("mark-all-where-one-went-well", "G1", _RELAY, Relay, "_publish", mark_all_where_one_went_well),
    _fault("checkpoint-by-itself", "G3", _INBOX, Inbox, "_advance", checkpoint_by_itself),
    _fault("any-version-is-applied", "G3", "chassis/receiving/folding.py", Folding, "hear", any_version_is_applied),
    _fault("versions-are-not-unique", "G2", "chassis/deciding/journal.py", Database, "index", versions_are_not_unique),
    _fault(
        "answered-before-it-is-kept",
        "G1",
        "chassis/deciding/commands.py",
        Commands,
        "_attempt",
        answered_before_it_is_kept,
    ),
    _fault(
        "a-task-without-an-identity",
        "G3",
        "chassis/receiving/runner.py",
        _Work,
        "origin",
        property(a_task_without_an_identity),
    ),
    _fault("a-task-is-removed-first", "G3", "chassis/receiving/runner.py", Runner, "_one", a_task_is_removed_first),
    Fault(
        "leased-by-its-own-clock",
        "G3",
        "chassis/receiving/runner.py",
        lambda: setattr(Runner, "_claim", leased_by_its_own_clock),
        (
            "tests/chassis/test_stateful.py::test_a_process_that_dies_keeps_its_task_for_seconds_whatever_its_clock_said",
        ),
    ),
    _fault("operators-meet-nobody", "G7", "chassis/receiving/resuming.py", Resuming, "_change", operators_meet_nobody),
    _fault("parts-by-themselves", "G3", "chassis/running/mongo.py", Database, "transaction", parts_by_themselves),
]
