"""Faults in what processes tell of themselves."""

from __future__ import annotations

from chassis.running.figures import Figures
from chassis.running.metrics import Metrics
from tests.planted import Fault

_ALARMS = "tests/alarms/test_alarms.py::test_faults_bring_their_alerts_and_no_others_and_what_the_pages_say_ends_them"


async def only_ones_own(self: Figures) -> None:
    """Nobody tells how far behind those are who are gone."""
    if self._runtime.following.consumer is not None:
        await _LOOK(self)


_LOOK = Figures._look_lag

FAULTS = [
    Fault(
        "lag-is-seen-by-who-hears-alone",
        "running",
        "chassis/running/figures.py",
        lambda: setattr(Figures, "_look_lag", only_ones_own),
        (_ALARMS,),
    ),
    Fault(
        "anything-may-be-told-of-a-figure",
        "running",
        "chassis/running/metrics.py",
        lambda: setattr(Metrics, "views", property(lambda self: [])),
        ("tests/chassis/test_metrics.py::test_what_is_on_no_list_does_not_leave_the_process",),
    ),
]
