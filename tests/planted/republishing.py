"""Faults in how a topic is filled again, and in how its generations are heard."""

from __future__ import annotations

import json
from math import inf

from chassis.deciding.journal import Commit, Event
from chassis.distributing import republish
from chassis.distributing.producer import Outgoing, Producer
from chassis.distributing.relay import Relay
from chassis.distributing.republish import Republish
from chassis.running.following import Following
from tests.planted import Fault

_TESTS = "tests/integration/test_republish.py"
_TRAFFIC = f"{_TESTS}::test_traffic_goes_on_while_another_generation_is_filled_and_heard_and_the_old_one_deleted"
_STALLED = f"{_TESTS}::test_a_relay_that_stalled_says_nothing_in_the_old_generation_once_there_is_another"
_OUTGOING = republish.outgoing
_SWEEP = Relay.sweep
_SEND_ALL = Republish._send_all


def _newest(service: str, commit: Commit) -> list[Outgoing]:
    """Write each fact again on the way, with its fields in another order, instead of sending what was stored."""
    events = tuple(Event(e.type, e.v, json.dumps(json.loads(e.data), sort_keys=True)) for e in commit.events)
    return _OUTGOING(service, Commit(**{n: getattr(commit, n) for n in Commit.__slots__} | {"events": events}))


async def _nobody_looks(self: Following) -> None:
    """Hear the generations that there were at the start."""


async def _without_the_rest(self: Republish, producer: Producer, target: object) -> int:
    """Change over without sending what was published meanwhile."""
    return 0 if self.takeovers else await _SEND_ALL(self, producer, target)  # type: ignore[arg-type]


async def _at_the_beginning(self: Republish, target: object) -> None:
    """Begin again, whatever an earlier attempt has sent."""


async def _sweep_whenever(self: Relay) -> int:
    """Send what was read, however long ago the lease was renewed."""
    self._leased_until = inf
    return await _SWEEP(self)


FAULTS = [
    Fault(
        "republished-facts-are-written-again",
        "G5",
        "chassis/distributing/republish.py",
        lambda: setattr(republish, "outgoing", _newest),
        (_TRAFFIC,),
    ),
    Fault(
        "a-generation-takes-over-without-the-rest",
        "G5",
        "chassis/distributing/republish.py",
        lambda: setattr(Republish, "_send_all", _without_the_rest),
        (_TRAFFIC,),
    ),
    Fault(
        "a-new-generation-is-not-heard",
        "G5",
        "chassis/running/following.py",
        lambda: setattr(Following, "follow_topics", _nobody_looks),
        (_TRAFFIC,),
    ),
    Fault(
        "a-stalled-relay-sends-after-its-lease",
        "G5",
        "chassis/distributing/relay.py",
        lambda: setattr(Relay, "sweep", _sweep_whenever),
        (_STALLED,),
    ),
    Fault(
        "what-was-sent-is-not-read-back",
        "G5",
        "chassis/distributing/republish.py",
        lambda: setattr(Republish, "_read_back", _at_the_beginning),
        (_TRAFFIC,),
    ),
]
