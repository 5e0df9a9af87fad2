"""Faults that only show when processes and servers die: too early an answer, too early a record, too early a mark."""

from __future__ import annotations

import asyncio
from typing import Any

from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from chassis.deciding.journal import Journal
from chassis.distributing import relay
from chassis.distributing.relay import Relay
from chassis.receiving.inbox import Inbox
from chassis.running import mongo
from tests.planted import Fault

_STEPS = "tests/chaos/test_steps.py::"
_KILLED = f"{_STEPS}test_a_process_killed_at_any_step_loses_and_doubles_nothing"
_DYING_PRIMARY = f"{_STEPS}test_what_only_a_dying_primary_has_is_neither_answered_nor_published"
_LAST_WORDS = f"{_STEPS}test_what_was_answered_survives_the_death_of_who_answered"
_APPEND, _ADVANCE, _PUBLISH = Journal.append, Inbox._advance, Relay._publish
_later: set[asyncio.Task[None]] = set()


async def insert_later(self: Journal, commit: Any, *, pending: bool, session: Any = None) -> None:
    """Answer first, and insert when there is time."""

    async def insert() -> None:
        await asyncio.sleep(2)
        await _APPEND(self, commit, pending=pending)

    _later.add(asyncio.create_task(insert()))


async def advance_apart(self: Inbox, moved: Any, timestamp: int, session: Any) -> None:
    """Move the checkpoint outside the transaction that folds."""
    await _ADVANCE(self, moved, timestamp, None)


async def newest_first(self: Relay, commits: Any) -> None:
    """Send what was committed last before the others."""
    await _PUBLISH(self, commits[::-1])


FAULTS = [
    Fault(
        "answered-before-the-insert",
        "G1",
        "chassis/deciding/commands.py",
        lambda: setattr(Journal, "append", insert_later),
        (_LAST_WORDS,),
    ),
    Fault(
        "answered-before-majority",
        "G1",
        "chassis/running/mongo.py",
        lambda: setattr(mongo, "MAJORITY", WriteConcern(1)),
        (_DYING_PRIMARY,),
    ),
    Fault(
        "published-before-majority",
        "G4",
        "chassis/distributing/relay.py",
        lambda: setattr(relay, "SNAPSHOT_READ", ReadConcern("local")),
        (_DYING_PRIMARY,),
    ),
    Fault(
        "newest-first",
        "G2",
        "chassis/distributing/relay.py",
        lambda: setattr(Relay, "_publish", newest_first),
        (_KILLED,),
    ),
    Fault(
        "checkpoint-outside-the-transaction",
        "G3",
        "chassis/receiving/inbox.py",
        lambda: setattr(Inbox, "_advance", advance_apart),
        (_KILLED,),
    ),
]
