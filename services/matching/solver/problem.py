"""What the solver is given and gives back: two sides as arrays, the rules between them, the goal."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Bits = NDArray[np.uint64]
Mask = NDArray[np.bool_]
Goal = Literal["most_people", "most_pairs", "best_pairs"]

QUARTERS = 672
"""Quarter hours of a week, which is a ring."""
WORDS = -(-QUARTERS // 64)
TERMS = ("seeks", "offers", "level", "function", "place", "overlap", "channel")
LEVELS_FOR_ALL = 4
"""Levels beyond the least difference that give all points of `level`."""
OVERLAP_FOR_ALL = 4
"""Times the least common minutes that give all points of `overlap`."""
_ROOM = 2**61
"""Prices and path lengths stay below this, so that sums of two stay whole 64-bit numbers."""


@dataclass(frozen=True)
class People:
    """One side, one row a person. Codes of functions and sites mean the same on both sides; so do places of bits.

    `ids` are distinct hashes that settle every tie; `free` is [season, person, word]: the quarter hours in UTC that a
    person has in each combination of clocks that the program's dates see. A `paired` person's first seat is no gain.
    """

    ids: Bits
    seats: Ints
    placeable: Mask
    paired: Mask
    priority: Ints
    level: Ints
    function: Ints
    site: Ints
    languages: Bits
    channels: Bits
    offers: Bits
    seeks: Bits
    free: Bits

    def __len__(self) -> int:
        return len(self.ids)

    def some(self, which: Ints) -> People:
        """These rows, in this order."""
        rows = {name: value[which] for name, value in vars(self).items() if name != "free"}
        return People(**rows, free=np.ascontiguousarray(self.free[:, which]))


@dataclass(frozen=True)
class Rules:
    """The hard rules and the most points of each term, in the order of `TERMS`; minutes are a week's."""

    weights: tuple[int, ...]
    level_gap: int
    window_minutes: int
    overlap_minutes: int
    other_function: bool = False
    other_site: bool = False


def _no_pairs() -> Ints:
    return np.empty((0, 2), dtype=np.int64)


@dataclass(frozen=True)
class Problem:
    """Mentors and executives to be joined. `apart` are pairs (row, row) that no one may propose, `locked` pairs are
    part of every answer. Raises ValueError where a lock takes a seat that is not there, OverflowError where the numbers
    could leave 64 bits."""

    mentors: People
    executives: People
    rules: Rules
    goal: Goal = "most_people"
    apart: Ints = field(default_factory=_no_pairs)
    locked: Ints = field(default_factory=_no_pairs)

    def __post_init__(self) -> None:
        for side in (self.mentors, self.executives):
            if len(np.unique(side.ids)) != len(side):
                raise ValueError("two people of a side have the same hash")
            if (side.priority < 0).any() or (side.seats < 0).any():
                raise ValueError("seats and priorities are not negative")
        if len(np.unique(self.locked, axis=0)) != len(self.locked):
            raise ValueError("a pair is locked once")
        for k, side in enumerate((self.mentors, self.executives)):
            if (self.seats(k) < 0).any() or not side.placeable[self.locked[:, k]].all():
                raise ValueError("a lock needs a seat of somebody who can be placed")
        pair, mentors, executives = self.gains()
        most = self.most_points + pair + int(mentors.max(initial=0)) + int(executives.max(initial=0))
        if most * (len(self.mentors) + len(self.executives) + 2) >= _ROOM:
            raise OverflowError("too many people, or too many points, for whole numbers of 64 bits")

    @property
    def most_points(self) -> int:
        """No pair has a higher score."""
        return sum(self.rules.weights)

    def seats(self, side: int) -> Ints:
        """Seats of each mentor (0) or executive (1) that no lock takes."""
        people = (self.mentors, self.executives)[side]
        return people.seats - np.bincount(self.locked[:, side], minlength=len(people)).astype(np.int64)

    def able(self, side: int) -> Mask:
        """Who can be placed in a pair that is not locked."""
        people = (self.mentors, self.executives)[side]
        return people.placeable & (self.seats(side) > 0)

    def gains(self, unit: int | None = None) -> tuple[int, Ints, Ints]:
        """What a pair gains beyond its score, and what each mentor's and executive's first pair gains on top.

        What comes first is worth more than all scores and priorities together, so that these never change it; or
        another `unit`, where that does not matter.
        """
        unit = self.unit if unit is None else unit
        firsts, priority = [self._first(side) for side in (0, 1)], self._priorities()
        if self.goal == "most_people":
            return 0, firsts[0] * unit + priority[0], firsts[1] * unit + priority[1]
        if self.goal == "most_pairs":
            return unit, priority[0], priority[1]
        return 0, np.zeros(len(self.mentors), np.int64), np.zeros(len(self.executives), np.int64)

    @property
    def unit(self) -> int:
        """More than all scores and priorities together can be."""
        pairs = min(int(self.seats(0).sum()), int(self.seats(1).sum()))
        return self.most_points * pairs + sum(int(side.sum()) for side in self._priorities()) + 1

    @property
    def handy(self) -> int:
        """A unit that is worth more than some scores and each priority, if not more than all together; enough to learn
        prices, of which few are then far from the others. The goal `best_pairs` knows no units."""
        priority = max(int(side.max(initial=0)) for side in self._priorities())
        return self.unit if self.goal == "best_pairs" else min(self.unit, 8 * self.most_points + 2 * priority + 1)

    def _priorities(self) -> list[Ints]:
        sides = enumerate((self.mentors, self.executives))
        return [np.where(self._first(k), side.priority, 0) for k, side in sides]

    def _first(self, side: int) -> Ints:
        people = (self.mentors, self.executives)[side]
        first = ~people.paired
        first[self.locked[:, side]] = False
        return first.astype(np.int64)

    def with_goal(self, goal: Goal) -> Problem:
        """The same people, another goal."""
        return replace(self, goal=goal)


@dataclass(frozen=True)
class Result:
    """The chosen pairs (row, row), the locked ones among them, ordered by the mentors' and then the executives' ids,
    with the points of each pair and term. `total` is the sum of all points."""

    pairs: Ints
    points: Ints
    total: int


@dataclass(frozen=True)
class Certificate:
    """What the pairs beside the locked ones gain by the goal, what no choice gains more than, and a price of each
    person's seats that proves it: the result is optimal where the two are equal."""

    value: int
    bound: int
    mentor_prices: Ints
    executive_prices: Ints
