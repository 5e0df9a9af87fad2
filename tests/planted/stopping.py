"""Faults in how a process stops, lives through outages, and lets callers see what they wrote."""

from __future__ import annotations

import contextlib
from typing import Any

import uvicorn
from starlette.datastructures import Headers

from chassis.receiving.consumer import Consumer
from chassis.running.answering import Patience
from chassis.running.arrivals import Arrivals
from chassis.running.program import Server
from chassis.running.runtime import Runtime
from tests.planted import Fault

_STOPS = ("tests/outages/test_stopping.py::test_told_to_stop_under_load_every_role_ends_in_time_and_nothing_is_lost",)
_OUTAGE = (
    "tests/outages/test_outages.py::test_while_the_database_is_away_callers_are_told_in_time_and_nothing_restarts",
)
_STALLS = ("tests/outages/test_stalls.py::test_a_consumer_that_does_nothing_is_replaced",)
_OWN = "tests/outages/test_own_write.py::"
_SHOWN = (_OWN + "test_nothing_older_is_ever_shown_while_a_version_changes_and_a_worker_dies",)

_STOP = Consumer.stop


async def without_the_batch(self: Consumer, comes_back: bool = False) -> None:
    """Stop polling in the middle of a batch."""
    for task in list(self._subscriber.tasks):  # type: ignore[attr-defined]
        task.cancel()
    await _STOP(self, comes_back)


def first_line(self: Headers, key: str) -> list[str]:
    """The first header of a name only."""
    with contextlib.suppress(KeyError):
        return [self[key]]
    return []


async def at_once(self: Arrivals, after: Any) -> None:
    """Wait for nothing."""


FAULTS = [
    Fault(
        "batch-in-hand-is-cut",
        "G10",
        "chassis/receiving/consumer.py",
        lambda: setattr(Consumer, "stop", without_the_batch),
        _STOPS,
    ),
    Fault(
        "signal-ends-the-process-in-the-end",
        "G10",
        "chassis/running/program.py",
        lambda: setattr(Server, "handle_exit", uvicorn.Server.handle_exit),
        _STOPS,
    ),
    Fault(
        "liveness-counts-successes",
        "G10",
        "chassis/running/runtime.py",
        lambda: setattr(Runtime, "stalled", lambda self: sorted(self._watch.away)),
        _OUTAGE,
    ),
    Fault(
        "readiness-looks-only-at-the-start",
        "G10",
        "chassis/running/runtime.py",
        lambda: setattr(Runtime, "waiting_for", lambda self: sorted(self.parts.waiting)),
        _OUTAGE,
    ),
    Fault(
        "requests-wait-as-long-as-the-driver",
        "G10",
        "chassis/running/answering.py",
        lambda: setattr(Patience, "begin", lambda self: None),
        _OUTAGE,
    ),
    Fault(
        "idle-consumer-stays",
        "G10",
        "chassis/receiving/consumer.py",
        lambda: setattr(Consumer, "idle_seconds", 0.0),
        _STALLS,
    ),
    Fault(
        "after-does-not-wait",
        "G11",
        "chassis/running/arrivals.py",
        lambda: setattr(Arrivals, "of", at_once),
        (*_SHOWN, _OWN + "test_who_names_what_will_not_come_is_told_in_time_and_what_is_no_version_is_refused"),
    ),
    Fault(
        "after-of-the-first-header-only",
        "G11",
        "chassis/running/http.py",
        lambda: setattr(Headers, "getlist", first_line),
        _SHOWN,
    ),
]
