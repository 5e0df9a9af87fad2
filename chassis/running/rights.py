"""Who may do what in a service's database: whoever writes history cannot change it, nor who marks it add to it."""

from __future__ import annotations

from collections.abc import Iterable

from chassis.deciding.journal import COLLECTION as JOURNAL
from chassis.distributing.healing import MARKS
from chassis.distributing.latest import COLLECTION as LATEST
from chassis.distributing.relay import LEASES
from chassis.receiving.parking import DROPS

DECIDER = "decider"
"""The database role of the processes that answer HTTP and run tasks."""
RELAY = "relay"
"""The database role of the part that publishes."""

USERS = {"decider": DECIDER, "relay": RELAY, "prepare": "dbOwner"}
"""The users of a service's database, and the role of each."""

_LOOK = ("find", "listIndexes")
_APPEND = (*_LOOK, "insert")
_MARK = (*_LOOK, "update")
ALL = (*_LOOK, "insert", "update", "remove")
"""What may be done with documents that are nobody's history."""


def of(collections: Iterable[str]) -> dict[str, dict[str, tuple[str, ...]]]:
    """The actions that each of the two roles may do, by collection, in a database with these collections."""
    own = {name: ALL for name in collections if name != LEASES}
    return {
        DECIDER: {**own, JOURNAL: _APPEND, DROPS: _APPEND},
        RELAY: {JOURNAL: (*_MARK, "changeStream"), LATEST: _MARK, LEASES: (*_MARK, "insert"), MARKS: _LOOK},
    }
