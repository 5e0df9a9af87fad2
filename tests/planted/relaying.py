"""Faults in how committed facts reach Kafka."""

from __future__ import annotations

from typing import Any

from chassis.deciding.journal import Commit
from chassis.distributing.relay import Relay
from tests.planted import Fault

_HARMS = "chassis/distributing/relay.py"
_TRACES = ("tests/model/test_relay_traces.py::test_the_model_accepts_what_real_relays_do",)
_STATEFUL = "tests/chassis/test_stateful.py::test_whatever_goes_wrong_everything_takes_effect_once_and_in_order"
_SEND = Relay._send


async def mark_first(self: Relay, producer: Any, lane: Any, commits: list[Commit]) -> int:
    """Mark a batch as published before Kafka answered."""
    await self._marks.update_many({"_id": {"$in": [c.id for c in commits]}}, {"$unset": {"pending": 1}})
    return await _SEND(self, producer, lane, commits)


async def take_silence_for_an_answer(self: Relay, producer: Any, lane: Any, commits: list[Commit]) -> int:
    """Go on as if a batch whose answer was lost had arrived."""
    try:
        return await _SEND(self, producer, lane, commits)
    except Exception:
        return len(commits)


async def wait_for_no_mark(self: Relay) -> None:
    """Read on while what was sent is not marked yet, wherever the next page begins."""


FAULTS = [
    Fault(
        "mark-before-the-answer",
        "G1",
        _HARMS,
        lambda: setattr(Relay, "_send", mark_first),
        (*_TRACES, "tests/chaos/test_steps.py::test_a_process_killed_at_any_step_loses_and_doubles_nothing", _STATEFUL),
    ),
    Fault(
        "silence-taken-for-an-answer",
        "G2",
        _HARMS,
        lambda: setattr(Relay, "_send", take_silence_for_an_answer),
        (*_TRACES, _STATEFUL),
    ),
    Fault(
        "marks-are-not-waited-for",
        "G2",
        _HARMS,
        lambda: setattr(Relay, "_marked", wait_for_no_mark),
        ("tests/integration/test_marking.py::test_the_next_page_is_sent_before_this_one_is_marked",),
    ),
]
