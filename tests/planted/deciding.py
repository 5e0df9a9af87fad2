"""Faults in how commands become facts."""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import Any

from chassis.deciding.commands import Commands
from tests.planted import Fault

_FLOW = "tests/integration/test_flow.py::"


async def _one_by_one(self: Commands, origin: Any, on: Any, also: Any) -> Any:
    """Write the streams of a command one after another, each by itself."""
    return [await self._attempt(origin.step(str(n)), [each], also) for n, each in enumerate(on)][-1]


def _never_seen_before(self: Commands, origin: Any, on: Any, found: Any) -> Any:
    """Take every command for a new one."""
    return _DECIDE(self, replace(origin, command_id=secrets.token_hex(16)), on, found)


_DECIDE = Commands._decide

FAULTS = [
    Fault(
        "a-new-command-every-time",
        "G1",
        "chassis/deciding/commands.py",
        lambda: setattr(Commands, "_decide", _never_seen_before),
        (f"{_FLOW}test_a_repeated_command_is_answered_as_the_first_time_and_a_reused_key_is_refused",),
    ),
    Fault(
        "streams-of-a-command-one-by-one",
        "G1",
        "chassis/deciding/commands.py",
        lambda: setattr(Commands, "_in_transaction", _one_by_one),
        (f"{_FLOW}test_a_command_over_two_streams_writes_both_or_none",),
    ),
]
