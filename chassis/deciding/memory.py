"""What a process remembers of the streams it wrote last, so that most commands load nothing before they decide."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from chassis.deciding.journal import GENESIS, Commit

STREAMS = 4096
"""Streams remembered at once; the one that was longest not asked for goes first."""


@dataclass(frozen=True, slots=True)
class Head:
    """A stream as far as it goes: its state, and the end of its chain. Version 0 and no time before the first fact."""

    state: Any
    version: int
    digest: str
    at: datetime | None

    @classmethod
    def of(cls, commits: Sequence[Commit], state: Any) -> Head:
        """The head of a stream of these commits, which fold to `state`."""
        last = commits[-1] if commits else None
        return cls(state, last.last, last.digest, last.at) if last else cls(state, 0, GENESIS, None)


class Memory:
    """The heads of streams. Each was true once; what came after it only the journal knows.

    So what is decided on one counts only once the journal took it, for it takes no version twice. A refusal, and that
    there is nothing to do, must be decided again on what the journal says.
    """

    def __init__(self, size: int = STREAMS) -> None:
        self._size = size
        self._heads: OrderedDict[str, Head] = OrderedDict()

    def take(self, stream: str) -> Head | None:
        """The head of a stream, forgotten by this: whoever wrote the stream puts the next one."""
        return self._heads.pop(stream, None)

    def put(self, stream: str, head: Head) -> None:
        """Remember the head of a stream, which the journal has."""
        self._heads[stream] = head
        if len(self._heads) > self._size:
            self._heads.popitem(last=False)
