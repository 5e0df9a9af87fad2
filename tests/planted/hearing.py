"""Faults in how an inbox moves its checkpoint and tells repeats."""

from __future__ import annotations

from typing import Any

from chassis.receiving.folding import Folding
from chassis.receiving.inbox import Inbox
from tests.planted import Fault

_TRACES = ("tests/model/test_inbox_traces.py::test_the_model_accepts_what_real_inboxes_do",)


async def without_a_fence(self: Inbox, moved: Any, timestamp: int, session: Any) -> None:
    """Move a checkpoint wherever it stands."""
    places = {self._key(p): offset for p, offset in moved.items()}
    updates = [{"q": {"_id": key}, "u": {"$set": {"offset": offset}}} for key, offset in places.items()]
    await self.database.update("checkpoints", updates, session)


def repeats_are_applied(self: Folding, heard: Any, doc: Any) -> None:
    """Fold what was folded before."""
    self._apply(heard, doc)


FAULTS = [
    Fault(
        "checkpoint-without-a-fence",
        "G3",
        "chassis/receiving/inbox.py",
        lambda: setattr(Inbox, "_advance", without_a_fence),
        (*_TRACES, "tests/chaos/test_steps.py::test_a_worker_that_lost_its_partition_in_its_sleep_cannot_write"),
    ),
    Fault(
        "repeats-are-applied",
        "G3",
        "chassis/receiving/folding.py",
        lambda: setattr(Folding, "_repeat", repeats_are_applied),
        (
            *_TRACES,
            "tests/integration/test_hard_cases.py::test_a_repeat_at_a_new_offset_takes_effect_once",
            "tests/chassis/test_stateful.py::test_whatever_goes_wrong_everything_takes_effect_once_and_in_order",
        ),
    ),
]
