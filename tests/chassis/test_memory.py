"""How much is remembered, and that it is remembered once."""

from __future__ import annotations

from chassis.deciding.journal import GENESIS
from chassis.deciding.memory import Head, Memory


def test_the_stream_that_was_longest_not_written_is_forgotten_first() -> None:
    memory, head = Memory(size=2), Head(None, 0, GENESIS, None)
    for stream in ("a", "b", "c"):
        memory.put(stream, head)
    assert memory.take("a") is None
    assert memory.take("b") is head
    assert memory.take("b") is None, "who takes it may change the stream: nobody else decides on it meanwhile"
    assert memory.take("c") is head
