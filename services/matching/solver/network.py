"""The sparse network that is solved again and again: edges are added, whoever they suit better starts anew."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from typing import Any

import numpy as np

from services.matching.solver.compiling import compiled
from services.matching.solver.paths import FAR, Edges, Nodes, Scratch, route
from services.matching.solver.problem import Ints, Mask

_compiled_route = compiled(route)


@dataclass
class Side:
    """The seats of one side: how many people an entry stands for, all their seats, what each first one gains."""

    first: Ints
    people: Ints
    seats: Ints
    price: Ints
    taken: Ints

    @classmethod
    def of(cls, first: Ints, people: Ints, seats: Ints) -> Side:
        """Nobody is placed, and every seat is as cheap as it may be."""
        return cls(first, people, seats, price=-first, taken=np.zeros(len(first), dtype=np.int64))

    def place(self, prices: Ints, used: Ints) -> None:
        """Take prices, or the nearest that may be, and take the seats out of the pool that leave it at them, where so
        many are in use."""
        price = np.maximum(prices, -self.first)
        price = np.where(used > self.people, np.maximum(price, 0), price)
        least = np.where(price > 0, self.seats, np.where(price > -self.first, self.people, 0))
        most = np.where(price >= 0, self.seats, self.people)
        self.price[:], self.taken[:] = price, np.clip(used, least, most)

    @property
    def least(self) -> Ints:
        """The least price at which all seats may be taken."""
        return np.where(self.seats > self.people, 0, -self.first)


class Network:
    """Rows (ours) and columns (theirs), and the edges known so far, in the order of their ends."""

    def __init__(self, ours: Side, theirs: Side, *, fast: bool, barred: tuple[Ints, Ints, Ints]) -> None:
        """`barred` are rows, columns, and how many pairs of people between them are out of the question."""
        self.ours, self.theirs, self.fast = ours, theirs, fast
        rows, columns, counts = barred
        self._barred, self._counts = rows * len(theirs.price) + columns, counts
        full = counts == ours.people[rows] * theirs.people[columns]
        self.closed = np.stack([rows[full], columns[full]], axis=1)
        self.tail = self.head = self.gain = self.room = self.flow = np.empty(0, dtype=np.int64)
        self.searches = 0

    def like(self, ours: Side, theirs: Side) -> Network:
        """No edges yet between the same people, whose first seats gain something else."""
        other = copy(self)
        other.ours, other.theirs = ours, theirs
        other.keep(np.zeros(len(self.tail), dtype=np.bool_))
        return other

    @property
    def highest(self) -> int:
        """The most that an edge or a first seat gains."""
        return max(int(each.max(initial=0)) for each in (self.gain, self.ours.first, self.theirs.first))

    def loose(self) -> Mask:
        """The rows with an edge in use that is not worth its two prices, or an open one that is worth more."""
        worth = self.gain - self.ours.price[self.tail] - self.theirs.price[self.head]
        wrong = ((worth < 0) & (self.flow > 0)) | ((worth > 0) & (self.flow < self.room))
        return np.asarray(np.bincount(self.tail[wrong], minlength=len(self.ours.price)) > 0)

    def used(self) -> Ints:
        """Pairs (row, column) in use."""
        used = self.flow > 0
        return np.stack([self.tail[used], self.head[used]], axis=1)

    def worst(self, count: int, nothing: int) -> Ints:
        """For each row what the last of so many edges is worth beside the column's price, best first, of those that are
        not in use; `nothing` where it has fewer."""
        free = np.flatnonzero(self.flow == 0)
        worth, rows = (self.gain - self.theirs.price[self.head])[free], self.tail[free]
        order = np.lexsort((-worth, rows))
        known = np.bincount(rows, minlength=len(self.ours.price))
        place = np.cumsum(known) - known + count - 1
        found = np.full(len(known), nothing)
        enough = known >= count
        found[enough] = worth[order][place[enough]]
        return found

    def keep(self, edges: Mask) -> None:
        """These edges only."""
        self.tail, self.head, self.gain = self.tail[edges], self.head[edges], self.gain[edges]
        self.room, self.flow = self.room[edges], self.flow[edges]

    def add(self, tail: Ints, head: Ints, gain: Ints, flow: Ints | None = None) -> None:
        """Edges in the order of their ends, but for those that are there. An edge has room for every two people it may
        join, once."""
        keys, known = self._keys(tail, head), self._keys(self.tail, self.head)
        place = np.searchsorted(known, keys)
        there = np.append(known, -1)[place] == keys
        place = place[~there] + np.arange(int((~there).sum()))
        old = np.ones(len(known) + len(place), dtype=np.bool_)
        old[place] = False

        def merged(before: Ints, new: Ints) -> Ints:
            all_of_them = np.empty(len(old), dtype=np.int64)
            all_of_them[old], all_of_them[place] = before, new[~there]
            return all_of_them

        room = self.ours.people[tail] * self.theirs.people[head] - self._between(tail, head)
        used = np.zeros(len(tail), dtype=np.int64) if flow is None else flow
        self.gain, self.room, self.flow = merged(self.gain, gain), merged(self.room, room), merged(self.flow, used)
        self.tail, self.head = merged(self.tail, tail), merged(self.head, head)

    def _keys(self, tail: Ints, head: Ints) -> Ints:
        return tail * len(self.theirs.price) + head

    def _between(self, tail: Ints, head: Ints) -> Ints:
        """How many pairs of people between these are out of the question."""
        if not len(self._barred):
            return np.zeros(len(tail), dtype=np.int64)
        keys = self._keys(tail, head)
        place = np.minimum(np.searchsorted(self._barred, keys), len(self._barred) - 1)
        return np.where(self._barred[place] == keys, self._counts[place], 0)

    def settle(self, anew: Mask) -> None:
        """Solve, where the rows `anew` are placed from the beginning and what else is placed may move."""
        self.flow[anew[self.tail]] = 0
        self.ours.taken[anew] = self.ours.seats[anew]
        dearest = self.ours.least.copy()
        np.maximum.at(dearest, self.tail, self.gain - self.theirs.price[self.head])
        self.ours.price[anew] = dearest[anew]
        excess = self.ours.taken - sums(self.tail, self.flow, len(self.ours.price))
        short = self.theirs.taken - sums(self.head, self.flow, len(self.theirs.price))
        self._route(self.ours, self.theirs, self.tail, self.head, excess, short)
        self._route(self.theirs, self.ours, self.head, self.tail, short, np.zeros_like(excess))

    def _route(self, ours: Side, theirs: Side, tail: Ints, head: Ints, excess: Ints, short: Ints) -> None:
        if not excess.any():
            return
        start, order = index(tail, len(ours.price))
        edges = Edges(tail, head, self.gain, self.room, self.flow, start, order)
        count = len(ours.price) + len(theirs.price)
        empty = np.empty(count, dtype=np.int64)
        scratch = Scratch(np.full(count, FAR), empty, empty.copy(), np.full(count, -1), empty.copy())
        given = (_nodes(ours, tail, self.flow), _nodes(theirs, head, self.flow), edges, excess, short, scratch)
        if self.fast:
            self.searches += _compiled_route(*given)
            return
        # Lists are what the interpreter is quickest with; what changes is written back.
        lists = tuple(as_lists(each) for each in given)
        self.searches += route(*lists)
        for k, side in enumerate((ours, theirs)):
            side.price[:], side.taken[:] = lists[k].price, lists[k].taken
        self.flow[:], excess[:], short[:] = lists[2].flow, lists[3], lists[4]


def _nodes(side: Side, ends: Ints, flow: Ints) -> Nodes:
    """A side with its list of edges in use."""
    known = np.bincount(ends, minlength=len(side.price))
    place = np.concatenate([[0], np.cumsum(np.minimum(side.seats, known) + 1)]).astype(np.int64)
    used = np.flatnonzero(flow)
    used = used[np.argsort(ends[used], kind="stable")]
    uses = np.bincount(ends[used], minlength=len(side.price)).astype(np.int64)
    using = np.full(int(place[-1]), -1, dtype=np.int64)
    rank = np.arange(len(used)) - np.repeat(np.cumsum(uses) - uses, uses)
    using[place[ends[used]] + rank] = used
    return Nodes(side.price, side.first, side.people, side.seats, side.taken, place, using, uses)


def index(ends: Ints, count: int) -> tuple[Ints, Ints]:
    start = np.concatenate([[0], np.cumsum(np.bincount(ends, minlength=count))]).astype(np.int64)
    return start, np.argsort(ends, kind="stable")


def sums(ends: Ints, flow: Ints, count: int) -> Ints:
    used = np.flatnonzero(flow)
    return np.bincount(ends[used], weights=flow[used], minlength=count).astype(np.int64)


def as_lists(value: Any) -> Any:
    return type(value)(*map(as_lists, value)) if isinstance(value, tuple) else value.tolist()
