"""Faults in how commands become facts."""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import Any

from chassis.deciding.commands import Commands, Outcome
from tests.planted import Fault

_FLOW = "tests/integration/test_flow.py::"
_MEMORY = "tests/integration/test_memory.py::"


async def _one_by_one(self: Commands, origin: Any, on: Any, also: Any) -> Any:
    """Write the streams of a command one after another, each by itself."""
    return [await self._attempt(origin.step(str(n)), [each], also) for n, each in enumerate(on)][-1]


async def _never_seen_before(self: Commands, origin: Any, on: Any, also: Any) -> Any:
    """Take every command for a new one."""
    return await _ATTEMPT(self, replace(origin, command_id=secrets.token_hex(16)), on, also)


async def _from_memory(self: Commands, origin: Any, on: Any) -> Any:
    """Refuse a command, or find nothing to do, by what is remembered of a stream."""
    head = self._memory._heads.get(on.stream)
    if head is not None and self._decided(origin, on, head, self.now()) is None:
        return Outcome()
    return await _REMEMBERED(self, origin, on)


_ATTEMPT, _REMEMBERED = Commands._attempt, Commands._remembered

FAULTS = [
    Fault(
        "a-new-command-every-time",
        "G1",
        "chassis/deciding/commands.py",
        lambda: setattr(Commands, "_attempt", _never_seen_before),
        (f"{_FLOW}test_a_repeated_command_is_answered_as_the_first_time_and_a_reused_key_is_refused",),
    ),
    Fault(
        "streams-of-a-command-one-by-one",
        "G1",
        "chassis/deciding/commands.py",
        lambda: setattr(Commands, "_in_transaction", _one_by_one),
        (f"{_FLOW}test_a_command_over_two_streams_writes_both_or_none",),
    ),
    Fault(
        "refused-from-memory",
        "G2",
        "chassis/deciding/commands.py",
        lambda: setattr(Commands, "_remembered", _from_memory),
        (
            f"{_MEMORY}test_a_refusal_on_what_is_remembered_is_decided_again",
            f"{_MEMORY}test_that_nothing_is_to_do_is_decided_again",
            f"{_MEMORY}test_the_version_a_caller_saw_elsewhere_is_known",
        ),
    ),
]
