"""What an aggregate is made of: a command and a state in, facts out. Pure; time and ids are arguments."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict

from contracts.fact import Fact
from contracts.streams import Category


class Command(BaseModel):
    """Something one wants done. Imperative; unknown fields are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class State(BaseModel):
    """What an aggregate needs to remember in order to decide. Its defaults are the state before the first fact."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Refused(Exception):
    """A rule says no. `code` is kebab-case and lasting (it names the problem type), `detail` is for people.

    `pointer` is the JSON pointer of the field at fault, where it is one field.
    """

    def __init__(self, code: str, detail: str, *, pointer: str | None = None) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.pointer = pointer


class Unhandled(TypeError):
    """An aggregate was given a command that it has no `decide` for: a mistake in the code."""


S = TypeVar("S", bound=State)


@dataclass(frozen=True)
class Aggregate(Generic[S]):
    """One kind of stream, and how it is decided.

    `decide(command, state, now)` answers facts (none: nothing to do) or raises `Refused`;
    `evolve(state, fact)` answers the next state.
    """

    category: Category
    initial: S
    decide: Callable[[Any, S, datetime], list[Fact]]
    evolve: Callable[[S, Fact], S]

    def stream(self, scope: str, id: str) -> str:
        """The stream of one thing of this kind."""
        return self.category.stream(scope, id)

    def fold(self, facts: Iterable[Fact], state: S | None = None) -> S:
        """The state after `facts`."""
        state = self.initial if state is None else state
        for fact in facts:
            state = self.evolve(state, fact)
        return state


@dataclass(frozen=True)
class On:
    """One command for one stream. `expect` is the version the caller saw (If-Match), None where it does not matter."""

    aggregate: Aggregate[Any]
    stream: str
    command: Command
    expect: int | None = None
