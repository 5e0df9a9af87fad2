"""Bids, in plain loops that numba compiles as they are: nearly the best prices by auction, and the step to exact ones.

A seat bids for the partner who is worth most at the present prices, and so much that the partner is hardly worth more
than the next best; whoever is outbid bids again.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from services.matching.solver.compiling import inlined

LITTLE = -(2**62)


class Lots(NamedTuple):
    """The seats that are bid for: those of `j` are a heap from `place[j]` to `place[j + 1]`, the cheapest first, each
    with its price and the edge that has it, or -1."""

    place: Any
    price: Any
    edge: Any


class Bidders(NamedTuple):
    """The side that bids: what a first seat gains, how many are first, seats that are not given up, seats that wait."""

    first: Any
    people: Any
    taken: Any
    left: Any


class Ends(NamedTuple):
    """The edges as one side sees them: its own ends, the others', and its order: `order[start[i]:start[i + 1]]`."""

    tail: Any
    head: Any
    start: Any
    order: Any


@inlined
def _sink(lots: Lots, first: Any, last: Any, price: Any, edge: Any) -> None:
    """Put a seat in the place of the cheapest of a heap."""
    at = first
    while True:
        below = 2 * at - first + 1
        if below >= last:
            break
        if below + 1 < last and lots.price[below + 1] < lots.price[below]:
            below += 1
        if lots.price[below] >= price:
            break
        lots.price[at] = lots.price[below]
        lots.edge[at] = lots.edge[below]
        at = below
    lots.price[at] = price
    lots.edge[at] = edge


def bid(
    ours: Bidders, ends: Ends, gain: Any, room: Any, flow: Any, lots: Lots, prices: Any, queue: Any, least: int,
    most: int,
) -> int:  # fmt: skip
    """Bid, each time `least` more than what would be even, until every seat is placed or given up, or `most` bids were
    made; how many were. `prices` are those of the cheapest seats; `queue` has room for everybody of our side."""
    count = len(ours.left)
    waiting = 0
    for i in range(count):
        if ours.left[i] > 0:
            queue[waiting] = i
            waiting += 1
    head = 0
    bids = 0
    while waiting > 0 and bids < most:
        i = queue[head]
        head = head + 1 if head + 1 < count else 0
        waiting -= 1
        while ours.left[i] > 0:
            bids += 1
            floor = 0 if ours.taken[i] > ours.people[i] else -ours.first[i]
            best = LITTLE
            second = LITTLE
            chosen = -1
            for place in range(ends.start[i], ends.start[i + 1]):
                edge = ends.order[place]
                worth = gain[edge] - prices[ends.head[edge]]
                if worth > second and flow[edge] < room[edge]:
                    if worth > best:
                        second = best
                        best = worth
                        chosen = edge
                    else:
                        second = worth
            ours.left[i] -= 1
            if best <= floor:
                ours.taken[i] -= 1
                continue
            j = ends.head[chosen]
            first = lots.place[j]
            out = lots.edge[first]
            _sink(lots, first, lots.place[j + 1], prices[j] + best - max(second, floor) + least, chosen)
            prices[j] = lots.price[first]
            flow[chosen] += 1
            if out >= 0:
                flow[out] -= 1
                k = ends.tail[out]
                ours.left[k] += 1
                if ours.left[k] == 1 and k != i:
                    at = head + waiting
                    queue[at if at < count else at - count] = k
                    waiting += 1
    return bids


def even(
    ours: Ends, theirs: Ends, gain: Any, room: Any, flow: Any, dear: Any, cheap: Any, queue: Any, waits: Any, most: int
) -> int:
    """Raise the prices `dear` of our side and lower those `cheap` of the other, from where they are, until no open edge
    gains more than its two prices and none in use less; ends after `most` steps. How many there were."""
    columns = len(theirs.start) - 1
    for j in range(columns):
        queue[j] = j
        waits[j] = True
    head = 0
    waiting = columns
    steps = 0
    while waiting > 0 and steps < most:
        steps += 1
        j = queue[head]
        head = head + 1 if head + 1 < columns else 0
        waiting -= 1
        waits[j] = False
        for place in range(theirs.start[j], theirs.start[j + 1]):
            edge = theirs.order[place]
            i = ours.tail[edge]
            if flow[edge] >= room[edge] or gain[edge] - cheap[j] <= dear[i]:
                continue
            dear[i] = gain[edge] - cheap[j]
            for other in range(ours.start[i], ours.start[i + 1]):
                used = ours.order[other]
                k = ours.head[used]
                if flow[used] == 0 or gain[used] - dear[i] >= cheap[k]:
                    continue
                cheap[k] = gain[used] - dear[i]
                if not waits[k]:
                    waits[k] = True
                    at = head + waiting
                    queue[at if at < columns else at - columns] = k
                    waiting += 1
    return steps
