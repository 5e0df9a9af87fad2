"""What an erasing task may use, in memory: it notes in which order things are deleted and said."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from chassis.deciding.decider import On
from contracts.enrollment import ErasureRequested
from contracts.fact import Fact
from contracts.types import Date

NOW = datetime(2027, 4, 6, tzinfo=UTC)
PERSON, PROGRAM = "pe_" + "a" * 26, "pr_" + "b" * 26
ASKED = ErasureRequested(person=PERSON, programs=[PROGRAM], due=Date(2027, 5, 6))


class Work:
    """`left` is what is kept of the person by kind; `steps` what was done, and `said` with what was left then."""

    def __init__(self, **left: int) -> None:
        self.left = left
        self.said: list[tuple[Fact, dict[str, int]]] = []
        self.streams: list[tuple[str, Any]] = []
        self.erasing = self.contents = self

    def now(self) -> datetime:
        return NOW

    def keyed_hash(self, *parts: str) -> str:
        return "|".join(parts)

    async def cut(self, person: str, scopes: Sequence[str], at: datetime, *others: str) -> int:
        return self.left.pop("views", 0)

    async def erase(self, about: str) -> int:
        return self.left.pop("texts", 0)

    async def remove(self, scope: str, ids: Sequence[str]) -> int:
        for id in ids:
            self.left.pop(id, None)
        return len(ids)

    async def scan(self, aggregate: Any, scope: str) -> list[tuple[str, Any]]:
        return self.streams

    async def run(self, *on: On, step: str = "", also: Sequence[Any] = ()) -> None:
        for o in on:
            facts = o.aggregate.decide(o.command, o.aggregate.initial, NOW)
            self.said += [(fact, dict(self.left)) for fact in facts]
