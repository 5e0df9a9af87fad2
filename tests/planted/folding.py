"""Faults in how facts are folded, parked and drained."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.chassis.parking import FAULTS as PARKING
from tests.chassis.test_parking import CAUGHT_BY
from tests.chassis.test_rebuilt_is_live import FAULTS as REBUILT
from tests.planted import Fault

_HARMS = "chassis/receiving/folding.py"
_PARKING = "tests/chassis/test_parking.py::"
_LAWS = {
    "draining_meets_arriving": f"{_PARKING}test_draining_and_arriving_in_any_order_end_as_if_never_parked",
    "poison_isolates": f"{_PARKING}test_poison_anywhere_delays_no_other_stream",
    "dropping_leaves_out_that_alone": f"{_PARKING}test_a_drop_leaves_out_what_it_names_and_nothing_else",
}
_REBUILT = "tests/chassis/test_rebuilt_is_live.py::test_any_order_that_keeps_each_streams_order_gives_the_same_bytes"


def _set(fault: str) -> Callable[[], None]:
    return lambda: setattr(*PARKING[fault])


def _patch(fault: Callable[[pytest.MonkeyPatch], None]) -> Callable[[], None]:
    return lambda: fault(pytest.MonkeyPatch())


FAULTS = [
    Fault(name.replace(" ", "-"), "G7", _HARMS, _set(name), (_LAWS[CAUGHT_BY[name].__name__],)) for name in PARKING
] + [Fault(f.__name__.replace("_", "-"), "G5", _HARMS, _patch(f), (_REBUILT,)) for f in REBUILT]
