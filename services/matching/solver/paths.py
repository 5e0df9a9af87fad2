"""Shortest augmenting paths in a sparse network, one seat after another; plain loops that numba compiles as they are.

Every person has seats. A seat in use is joined to a partner's by an edge, or not used and back in the pool. A person's
first seats (as many as there are people: an entry may stand for several) gain `first` when used, the others nothing;
an edge gains `gain`. Prices keep all that could change from being worth it: an edge that is open has a gain of at most
the two prices, one in use of at least that, and so on for first and further seats. A seat that is too dear for the pool
looks for the cheapest way out: a free seat on the other side, or pushing somebody else's seat back into the pool.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from services.matching.solver.compiling import inlined

FAR = 2**62


class Nodes(NamedTuple):
    """One side. `taken` are the seats that left the pool; `using` lists, from `place` on, the `uses` edges in use."""

    price: Any
    first: Any
    people: Any
    seats: Any
    taken: Any
    place: Any
    using: Any
    uses: Any


class Edges(NamedTuple):
    """The edges, and for the side that searches the order in which it sees them: `order[start[i]:start[i + 1]]`."""

    tail: Any
    head: Any
    gain: Any
    room: Any
    flow: Any
    start: Any
    order: Any


class Scratch(NamedTuple):
    """What a search writes down: distances, the edge each was reached by, a heap and the places in it, who was seen."""

    far: Any
    via: Any
    heap: Any
    at: Any
    seen: Any


@inlined
def _up(s: Scratch, place: int, node: int) -> None:
    """Put a node into the heap at a place that is too low for it, or just right."""
    while place > 0:
        above = (place - 1) // 2
        other = s.heap[above]
        if s.far[other] <= s.far[node]:
            break
        s.heap[place] = other
        s.at[other] = place
        place = above
    s.heap[place] = node
    s.at[node] = place


@inlined
def _pop(s: Scratch, size: int) -> Any:
    """Take the nearest node out of a heap of that size."""
    top = s.heap[0]
    last = s.heap[size - 1]
    place = 0
    while True:
        below = 2 * place + 1
        if below >= size - 1:
            break
        if below + 1 < size - 1 and s.far[s.heap[below + 1]] < s.far[s.heap[below]]:
            below += 1
        other = s.heap[below]
        if s.far[other] >= s.far[last]:
            break
        s.heap[place] = other
        s.at[other] = place
        place = below
    s.heap[place] = last
    s.at[last] = place
    s.at[top] = -1
    return top


@inlined
def _enter(nodes: Nodes, short: Any, j: int) -> Any:
    """What it costs to use one more seat of a node of the other side."""
    if short[j] > 0:
        return 0
    if nodes.taken[j] < nodes.people[j]:
        return -(nodes.first[j] + nodes.price[j])
    if nodes.taken[j] < nodes.seats[j]:
        return -nodes.price[j]
    return FAR


@inlined
def _drop(nodes: Nodes, i: int) -> Any:
    """What it costs to push a seat of a node of our side back into the pool."""
    if nodes.taken[i] > nodes.people[i]:
        return nodes.price[i]
    if nodes.taken[i] > 0:
        return nodes.first[i] + nodes.price[i]
    return FAR


@inlined
def _list(nodes: Nodes, i: int, edge: int) -> None:
    nodes.using[nodes.place[i] + nodes.uses[i]] = edge
    nodes.uses[i] += 1


@inlined
def _unlist(nodes: Nodes, i: int, edge: int) -> None:
    at = nodes.place[i]
    while nodes.using[at] != edge:
        at += 1
    nodes.uses[i] -= 1
    last = nodes.place[i] + nodes.uses[i]
    while at < last:
        nodes.using[at] = nodes.using[at + 1]
        at += 1


@inlined
def _search(ours: Nodes, theirs: Nodes, edges: Edges, short: Any, s: Scratch, root: int) -> Any:
    """The cheapest way out for a seat of `root`: where it ends, its length, and how many nodes were seen."""
    count = len(ours.price)
    s.far[root] = 0
    s.heap[0] = root
    s.at[root] = 0
    s.seen[0] = root
    size = 1
    seen = 1
    end = root
    best = _drop(ours, root)
    while size > 0 and s.far[s.heap[0]] < best:
        x = _pop(s, size)
        size -= 1
        forward = x < count
        if forward:
            first = edges.start[x]
            last = edges.start[x + 1]
            base = s.far[x] + ours.price[x]
        else:
            first = theirs.place[x - count]
            last = first + theirs.uses[x - count]
            base = s.far[x] - theirs.price[x - count]
        for place in range(first, last):
            if forward:
                edge = edges.order[place]
                if edges.flow[edge] >= edges.room[edge]:
                    continue
                y = edges.head[edge]
                far = base + theirs.price[y] - edges.gain[edge]
                node = count + y
            else:
                edge = theirs.using[place]
                y = edges.tail[edge]
                far = base - ours.price[y] + edges.gain[edge]
                node = y
            if far >= best or far >= s.far[node]:
                continue
            if s.far[node] == FAR:
                s.seen[seen] = node
                seen += 1
            s.far[node] = far
            s.via[node] = edge
            way_out = far + (_enter(theirs, short, y) if forward else _drop(ours, y))
            if way_out < best:
                best = way_out
                end = node
            if s.at[node] < 0:
                s.at[node] = size
                size += 1
            _up(s, s.at[node], node)
    for place in range(size):
        s.at[s.heap[place]] = -1
    return end, best, seen


@inlined
def _push(ours: Nodes, theirs: Nodes, edges: Edges, excess: Any, short: Any, s: Scratch, root: int, end: int) -> None:
    """Move as many seats as the way out has room for."""
    count = len(ours.price)
    amount = excess[root]
    if end < count:
        spare = ours.taken[end] - (ours.people[end] if ours.taken[end] > ours.people[end] else 0)
    elif short[end - count] > 0:
        spare = short[end - count]
    else:
        j = end - count
        spare = (theirs.people[j] if theirs.taken[j] < theirs.people[j] else theirs.seats[j]) - theirs.taken[j]
    amount = min(amount, spare)
    x = end
    while x != root:
        edge = s.via[x]
        if x >= count:
            amount = min(amount, edges.room[edge] - edges.flow[edge])
            x = edges.tail[edge]
        else:
            amount = min(amount, edges.flow[edge])
            x = count + edges.head[edge]
    x = end
    while x != root:
        edge = s.via[x]
        if x >= count:
            if edges.flow[edge] == 0:
                _list(ours, edges.tail[edge], edge)
                _list(theirs, edges.head[edge], edge)
            edges.flow[edge] += amount
            x = edges.tail[edge]
        else:
            edges.flow[edge] -= amount
            if edges.flow[edge] == 0:
                _unlist(ours, edges.tail[edge], edge)
                _unlist(theirs, edges.head[edge], edge)
            x = count + edges.head[edge]
    excess[root] -= amount
    if end < count:
        ours.taken[end] -= amount
    elif short[end - count] > 0:
        short[end - count] -= amount
    else:
        theirs.taken[end - count] += amount


def route(ours: Nodes, theirs: Nodes, edges: Edges, excess: Any, short: Any, scratch: Scratch) -> int:
    """Give every seat in `excess` the cheapest way out; how many searches that took. All prices stay right."""
    count = len(ours.price)
    searches = 0
    for root in range(count):
        while excess[root] > 0:
            searches += 1
            end, best, seen = _search(ours, theirs, edges, short, scratch, root)
            for place in range(seen):
                x = scratch.seen[place]
                nearer = best - scratch.far[x]
                if nearer > 0:
                    if x < count:
                        ours.price[x] -= nearer
                    else:
                        theirs.price[x - count] += nearer
                scratch.far[x] = FAR
            _push(ours, theirs, edges, excess, short, scratch, root, end)
    return searches
