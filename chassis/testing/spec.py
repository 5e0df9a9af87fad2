"""Given, when, then: the way to say what an aggregate promises."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from chassis.deciding.decider import Aggregate, Command, Refused
from contracts.fact import Fact


@dataclass(frozen=True)
class When:
    """A command was given to an aggregate with a past."""

    facts: list[Fact] | None
    refusal: Refused | None

    def then(self, *expected: Fact) -> None:
        """Exactly these facts follow, in this order; none means that nothing was to do."""
        assert self.refusal is None, f"refused: {self.refusal!r}"
        assert self.facts == list(expected)
        for fact in expected:
            fact.encode()

    def refused(self, code: str) -> None:
        """A rule says no, with this code."""
        assert self.refusal is not None, f"not refused; facts: {self.facts}"
        assert self.refusal.code == code, f"refused as {self.refusal.code!r}: {self.refusal.detail}"


@dataclass(frozen=True)
class Given:
    """An aggregate with a past."""

    aggregate: Aggregate[Any]
    past: tuple[Fact, ...]

    def when(self, command: Command, now: datetime) -> When:
        """Decide `command` at `now`."""
        state = self.aggregate.fold(self.past)
        try:
            facts = self.aggregate.decide(command, state, now)
        except Refused as refusal:
            return When(None, refusal)
        read = [type(fact).model_validate_json(fact.encode()) for fact in facts]
        remembered, loaded = (self.aggregate.fold(each, state) for each in (facts, read))
        assert remembered == loaded, "the state after these facts is another one once they were written and read"
        return When(facts, None)


def given(aggregate: Aggregate[Any], *past: Fact) -> Given:
    """An aggregate, and the facts so far."""
    return Given(aggregate, past)
