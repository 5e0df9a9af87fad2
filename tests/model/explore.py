"""Explores a small model breadth first, to the last state, and tells the shortest way to what must not happen."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

S = TypeVar("S", bound=Hashable)
Label = tuple[Any, ...]
"""A step: what is done, then who does it and to what."""


class Model(Protocol[S]):
    """What is explored. States are immutable; whatever is not in a state does not matter for what comes after."""

    faults: frozenset[str]
    """The steps that nobody may count on, by the first word of their label."""

    def starts(self) -> Iterable[S]: ...

    def steps(self, state: S) -> Iterable[tuple[Label, S, str | None]]:
        """Every step from a state: its label, the state after it, and what is wrong with it, if anything."""
        ...

    def canonical(self, state: S) -> S:
        """One of the states that differ only in who is called what."""
        ...

    def wrong(self, state: S) -> str | None: ...

    def done(self, state: S) -> bool:
        """Whether everything that had to be done is done."""
        ...


@dataclass(frozen=True)
class Counterexample:
    """What went wrong, and the shortest way there."""

    what: str
    start: Any
    way: Sequence[Label]

    def __str__(self) -> str:
        lines = [f"{self.what}, after {len(self.way)} steps from {self.start}:"]
        lines += [f"  {n:>2}. {' '.join(str(word) for word in step)}" for n, step in enumerate(self.way, 1)]
        return "\n".join(lines)


@dataclass(frozen=True)
class Explored:
    """How much was seen: states, steps, steps of each kind; and what is wrong, if anything is."""

    states: int
    steps: int
    kinds: Counter[str]
    broken: Counterexample | None


def explore(model: Model[S], *, most: int = 2_000_000) -> Explored:
    """Visit every state that can be reached, and ask of each whether what is left to do can still be done.

    "Can" means by steps that are no faults. It is asked of every state that can be reached, also through faults, so
    whoever never stops trying gets there once the faults end. Raises `MemoryError` beyond `most` states.
    """
    collecting = gc.isenabled()
    gc.disable()  # nothing here is in a cycle, and looking for one among millions of tuples takes half of the time
    try:
        return _explore(model, most)
    finally:
        if collecting:
            gc.enable()


def _explore(model: Model[S], most: int) -> Explored:
    known: dict[S, int] = {}
    came: list[tuple[int, Label | None]] = []
    before: list[list[int]] = []
    done: list[int] = []
    kinds: Counter[str] = Counter()
    steps = 0

    def see(state: S, where: int, label: Label | None) -> int:
        number = known[state] = len(came)
        if number > most:
            raise MemoryError(f"more than {most} states")
        came.append((where, label))
        before.append([])
        if model.done(state):
            done.append(number)
        return number

    def end(what: str, number: int, last: Label | None = None) -> Explored:
        return Explored(len(came), steps, kinds, _tell(model, list(known), came, number, what, last))

    for start in model.starts():
        if (first := model.canonical(start)) not in known:
            see(first, -1, None)
    queue = list(known)
    for state in queue:  # it grows while it is read
        number = known[state]
        for label, after, wrong in model.steps(state):
            steps += 1
            kinds[label[0]] += 1
            if wrong:
                return end(wrong, number, label)
            after = model.canonical(after)
            there = known.get(after)
            if there is None:
                there = see(after, number, label)
                queue.append(after)
                if what := model.wrong(after):
                    return end(what, there)
            if label[0] not in model.faults:
                before[there].append(number)
    stuck = _cannot_finish(before, done)
    return Explored(len(came), steps, kinds, None) if stuck is None else end("what is left can never be done", stuck)


def _cannot_finish(before: list[list[int]], done: list[int]) -> int | None:
    """The first state from which no steps without faults lead to the end."""
    can = bytearray(len(before))
    for number in done:
        can[number] = 1
    queue = list(done)
    for number in queue:
        for previous in before[number]:
            if not can[previous]:
                can[previous] = 1
                queue.append(previous)
    stuck = can.find(0)
    return None if stuck < 0 else stuck


def _tell(
    model: Model[S], states: list[S], came: list[tuple[int, Label | None]], number: int, what: str, last: Label | None
) -> Counterexample:
    """The way to a state, walked again so that everybody keeps their name on it."""
    path = []
    while number >= 0:
        path.append(states[number])
        number = came[number][0]
    path.reverse()
    state = start = next(s for s in model.starts() if model.canonical(s) == path[0])
    way: list[Label] = []
    for wanted in path[1:]:
        label, state = next((lb, after) for lb, after, _ in model.steps(state) if model.canonical(after) == wanted)
        way.append(label)
    if last is not None:
        way.append(next(lb for lb, _, wrong in model.steps(state) if wrong == what))
    return Counterexample(what, start, way)


def accepts(
    model: Model[S], start: S, trace: Iterable[Label], shows: Callable[[S], Any] = lambda state: None
) -> tuple[int, str]:
    """How many entries of a recorded trace the model can follow, and why not the next; all of them, and "", if it can.

    An entry is a step with everything that was seen of it, or `("shows", what)`: what could be seen at that moment.
    """
    states, taken = [start], 0
    for entry in trace:
        if entry[0] == "shows":
            after = [state for state in states if shows(state) == entry[1]]
            could = [str(shows(state)) for state in states]
        else:
            after = [s for state in states for label, s, wrong in model.steps(state) if label == entry and not wrong]
            could = sorted({str(label) for state in states for label, _, _ in model.steps(state)})
        if not after:
            return taken, f"{entry} cannot happen here; what can: {', '.join(could)}"
        states = list(dict.fromkeys(after))
        for state in states:
            if what := model.wrong(state):
                return taken, what
        taken += 1
    return taken, ""
