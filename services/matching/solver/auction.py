"""An auction on a sparse network: quick, nearly exact, and nothing relies on it.

All of our seats bid for theirs; then those of theirs that nobody took at a price above the least bid for ours. That is
repeated from the prices it led to, each time with a smaller least raise, so that no war is long. In parts of a unit
small enough the choice is exact, and prices in whole units are one step away (Bertsekas and Castañón's forward and
reverse auction with scaling, for any number of seats and people who need not be placed).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from services.matching.solver import bidding
from services.matching.solver.bidding import Bidders, Ends, Lots
from services.matching.solver.compiling import compiled
from services.matching.solver.network import Network, as_lists, index, sums
from services.matching.solver.problem import Ints

_compiled_bid = compiled(bidding.bid)
_compiled_even = compiled(bidding.even)
SHORT, LONG = 20, 200
"""So many bids a seat end a phase, if prices are good and if they need not be."""
STEP = 8
"""The least raise of a phase over that of the next."""
MUCH = 2**57
"""Gains stay below this, so that some of them together are whole numbers of 64 bits."""
ROUGH = 64
"""The least raise, in points, that is enough to learn prices."""


def rough(network: Network, coarse: int) -> None:
    """Set prices that are much nearer to the best than they are; these are about `coarse` away, 0 if nobody knows."""
    auction = _Auction(network, 1)
    ours, theirs = network.ours, network.theirs
    ours.price[:], theirs.price[:] = auction.run(theirs.price, coarse, ROUGH)
    network.flow[:] = auction.flow


def exact(network: Network, coarse: int) -> None:
    """Choose edges and set prices as they are best, but for what is left to `settle`: see `Network.loose`. Edges that
    are worth much less than their prices, which are about `coarse` away, are left out; 0 if nobody knows how far."""
    worth = network.gain - network.ours.price[network.tail] - network.theirs.price[network.head]
    near = np.flatnonzero((network.flow > 0) | (worth >= -coarse // 4) | (coarse == 0))
    some = network.like(network.ours, network.theirs)
    some.add(network.tail[near], network.head[near], network.gain[near])
    _choose(some, coarse)
    network.flow[:] = 0
    network.flow[near] = some.flow


def _choose(network: Network, coarse: int) -> None:
    """The same with all edges of a network."""
    ours, theirs = network.ours, network.theirs
    parts = 1 << (4 * (len(ours.price) + len(theirs.price))).bit_length()
    while parts > 1 and parts * network.highest >= MUCH:
        parts //= 2  # less than exact, but whole numbers of 64 bits
    auction = _Auction(network, parts)
    dear, cheap = auction.run(theirs.price * parts, coarse * parts, 1)
    network.flow[:] = auction.flow
    # Rounded so that each side's prices need only move one way until they are even.
    dear, cheap = dear // parts, -(-cheap // parts)
    used = np.flatnonzero(network.flow)
    np.minimum.at(cheap, network.head[used], network.gain[used] - dear[network.tail[used]])
    auction.even(network.gain, dear, cheap)
    ours.place(dear, sums(network.tail, network.flow, len(dear)))
    theirs.place(cheap, sums(network.head, network.flow, len(cheap)))


class _Auction:
    """The auction of a network in which a unit has so many parts."""

    def __init__(self, network: Network, parts: int) -> None:
        self.fast, self.sides = network.fast, (network.ours, network.theirs)
        self.gain, self.room, self.flow = network.gain * parts, network.room, np.zeros_like(network.flow)
        self.first = [side.first * parts for side in self.sides]
        ends, count = (network.tail, network.head), [len(side.price) for side in self.sides]
        self.ends = [Ends(ends[k], ends[1 - k], *index(ends[k], count[k])) for k in (0, 1)]
        self.seats = int(sum(side.seats.sum() for side in self.sides))
        self.most, self.highest = 0, network.highest * parts

    def run(self, prices: Ints, coarse: int, fine: int) -> tuple[Ints, Ints]:
        """Phase after phase, from these prices of the other side to those of both; the last least raise is `fine`. If
        the prices turn out to be further off than `coarse`, it begins with a least raise for that."""
        for begin, most in ((coarse, SHORT), (self.highest, LONG)):
            self.most = most * self.seats
            least, told = begin, (-self.first[0], prices) if begin > 0 else None
            while told is not None and least > fine:
                least = max(fine, least // STEP)
                told = self._phase(told[1], least)
            if told is not None:
                return told
        self.flow[:] = 0
        return -self.first[0], prices

    def _phase(self, prices: Ints, least: int) -> tuple[Ints, Ints] | None:
        """All of our seats bid; then those of theirs that are too dear for nobody to have taken them."""
        ours, theirs = self.sides
        self.flow[:] = 0
        lots = self._lots(1, np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64), prices)
        if not self._bid(0, ours.seats.copy(), ours.seats.copy(), lots, least):
            return None
        prices, used = _cheapest(lots), sums(self.ends[1].tail, self.flow, len(theirs.price))
        wanted = np.where(prices > 0, theirs.seats, np.where(prices > -self.first[1], theirs.people, 0))
        waiting = np.maximum(wanted - used, 0)
        lots = self._turned(0, lots)
        if waiting.any() and not self._bid(1, used + waiting, waiting, lots, least):
            return None
        return _cheapest(lots), _cheapest(self._turned(1, lots))

    def _turned(self, side: int, lots: Lots) -> Lots:
        """The seats of a side, priced at what is left of an edge beside the price of the other end."""
        held = lots.edge >= 0
        edges = lots.edge[held]
        return self._lots(side, edges, self.gain[edges] - lots.price[held], None)

    def _lots(self, k: int, edges: Ints, price: Ints, dearest: Ints | None) -> Lots:
        """The seats of a side, those of these edges at these prices, the others at the least, or dearer."""
        side, first = self.sides[k], self.first[k]
        count = len(first)
        held = np.bincount(self.ends[k].tail[edges], minlength=count).astype(np.int64)
        free = np.repeat(np.arange(count), side.seats - held)
        rank = np.arange(len(free)) - np.repeat(np.cumsum(side.seats - held) - side.seats + held, side.seats - held)
        least = np.where(rank < (side.people - held)[free], -first[free], 0)
        if dearest is not None:
            least = np.maximum(least, dearest[free])
        owner, price = np.concatenate([self.ends[k].tail[edges], free]), np.concatenate([price, least])
        edge = np.concatenate([edges, np.full(len(free), -1)])
        order = np.lexsort((edge, price, owner))
        place = np.concatenate([[0], np.cumsum(side.seats)]).astype(np.int64)
        return Lots(place, price[order], edge[order])

    def _bid(self, k: int, taken: Ints, left: Ints, lots: Lots, least: int) -> bool:
        """Side `k` bids for the seats of the other; edges and seats change. Whether that came to an end."""
        bidders = Bidders(self.first[k], self.sides[k].people, taken, left)
        queue = np.empty(len(left), dtype=np.int64)
        given = bidders, self.ends[k], self.gain, self.room, self.flow, lots, _cheapest(lots), queue
        if self.fast:
            return bool(_compiled_bid(*given, least, self.most) < self.most)
        lists: list[Any] = [*map(as_lists, given), least, self.most]
        bids = bidding.bid(*lists)
        self.flow[:], lots.price[:], lots.edge[:] = lists[4], lists[5].price, lists[5].edge
        return bids < self.most

    def even(self, gain: Ints, dear: Ints, cheap: Ints) -> None:
        """Prices in whole units without a step that is worth it."""
        count = len(cheap)
        given = (
            *self.ends,
            gain,
            self.room,
            self.flow,
            dear,
            cheap,
            np.empty(count, np.int64),
            np.empty(count, np.bool_),
        )
        if self.fast:
            _compiled_even(*given, 4 * count)
            return
        lists: list[Any] = [*map(as_lists, given), 4 * count]
        bidding.even(*lists)
        dear[:], cheap[:] = lists[5], lists[6]


def _cheapest(lots: Lots) -> Ints:
    return np.asarray(lots.price[lots.place[:-1]])
