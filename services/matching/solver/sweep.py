"""The sweep over all pairs as one loop that numba compiles: cheap tests first, common time only where it can matter."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from services.matching.solver.compiling import inlined
from services.matching.solver.problem import LEVELS_FOR_ALL, QUARTERS, Bits, Ints
from services.matching.solver.scores import QUARTER, Scores

MUCH = 2**30
"""More than any score; prices are cut here, so that bounds fit 32 bits."""
COLUMNS = 4096
"""Columns looked at together: what the sweep reads of them fits into a core's cache."""


class Arrays(NamedTuple):
    """What a pair's score is made of, looked up instead of computed."""

    levels: tuple[Any, Any]
    functions: tuple[Any, Any]
    sites: tuple[Any, Any]
    languages: tuple[Any, Any]
    channels: tuple[Any, Any]
    offers: tuple[Any, Any]
    seeks: tuple[Any, Any]
    free: tuple[Any, Any]
    starts: tuple[Any, Any]
    ids: tuple[Any, Any]
    sought: tuple[Any, Any]
    tongues: tuple[Any, Any]
    """Languages, and times at which a session may begin, in one word each: who share no bit there share none at all."""
    slots: tuple[Any, Any]
    seeks_points: Any
    offers_points: Any
    wanted: Any
    """What executives seek and offer as [word, column], and the most points of one theme of each executive's wishes and
    of each mentor's."""
    offered: Any
    rates: Any
    rate: Any
    level_points: Any
    overlap_points: Any
    flat: Any
    """Points for another function, another site, a common channel."""
    gap: int
    least: int
    """Quarter hours in common, at least."""
    other_function: bool
    other_site: bool


SIDES = (
    "levels", "functions", "sites", "languages", "channels", "offers", "seeks", "free", "starts", "ids", "sought",
    "tongues", "slots",
)  # fmt: skip


class Best(NamedTuple):
    """For each row how many columns were found, and of each of them, best first: the column, its gain less its price,
    and what settles ties."""

    found: Any
    columns: Any
    worth: Any
    ties: Any

    @classmethod
    def none(cls, rows: int, most: int) -> Best:
        """Nothing found yet, room for so many."""
        shape = rows, most
        return cls(np.zeros(rows, np.int64), np.full(shape, -1), np.zeros(shape, np.int64), np.zeros(shape, np.uint64))


def arrays(scores: Scores) -> Arrays:
    """The arrays of a problem."""
    a, b, rules = scores.mentors, scores.executives, scores.rules
    seeks, offers, level, function, place, overlap, channel = rules.weights
    quarters = np.arange(a.free.shape[-1] * 64 + 1)
    return Arrays(
        levels=(a.level, b.level),
        functions=(a.function, b.function),
        sites=(a.site, b.site),
        languages=(a.languages, b.languages),
        channels=(a.channels, b.channels),
        offers=(a.offers, b.offers),
        seeks=(a.seeks, b.seeks),
        free=(_by_person(a.free), _by_person(b.free)),
        starts=(_by_person(scores.mentor_starts), _by_person(scores.executive_starts)),
        ids=(a.ids, b.ids),
        sought=(scores.sought_by_mentor, scores.sought_by_executive),
        tongues=(_folded(a.languages), _folded(b.languages)),
        slots=_slots(scores.mentor_starts, scores.executive_starts),
        seeks_points=_shares(b.seeks.shape[1], seeks),
        offers_points=_shares(a.seeks.shape[1], offers),
        wanted=np.ascontiguousarray(b.seeks.T),
        offered=np.ascontiguousarray(b.offers.T),
        rates=(-(-seeks // scores.sought_by_executive)).astype(np.int32),
        rate=(-(-offers // scores.sought_by_mentor)).astype(np.int32),
        level_points=np.arange(LEVELS_FOR_ALL + 1) * level // LEVELS_FOR_ALL,
        overlap_points=np.minimum(quarters * QUARTER, scores.wanted) * overlap // scores.wanted,
        flat=np.array([function, place, channel]),
        gap=rules.level_gap,
        least=-(-rules.overlap_minutes // QUARTER),
        other_function=rules.other_function,
        other_site=rules.other_site,
    )


def narrowed(data: Arrays, columns: Ints) -> Arrays:
    """The same rows and these columns only."""
    pairs: Any = {name: (ours, theirs[columns]) for name in SIDES for ours, theirs in [getattr(data, name)]}
    return data._replace(
        wanted=np.ascontiguousarray(data.wanted[:, columns]),
        offered=np.ascontiguousarray(data.offered[:, columns]),
        rates=data.rates[columns],
        **pairs,
    )


def _folded(words: Bits) -> Bits:
    return np.asarray(np.bitwise_or.reduce(words, axis=1))


def _slots(ours: Bits, theirs: Bits) -> tuple[Bits, Bits]:
    """The quarter hours of the first week as up to 64 slots, of which each is as much in use by `theirs` as others."""
    if not len(ours):
        anything = np.uint64(2**64 - 1)
        return np.full(ours.shape[1], anything), np.full(theirs.shape[1], anything)
    use = np.zeros(QUARTERS, dtype=np.int64)
    for bits in _bits(theirs[0]):
        use += bits.sum(axis=0, dtype=np.int64)
    slot = np.minimum((np.cumsum(use) - use) * 64 // max(1, int(use.sum())), 63)
    begins = np.unique(slot, return_index=True)[1]
    told = []
    for side in (ours, theirs):
        parts = [np.maximum.reduceat(bits, begins, axis=1) for bits in _bits(side[0])]
        used = np.concatenate([np.zeros((0, len(begins)), dtype=np.uint8), *parts])
        padded = np.zeros((len(used), 64), dtype=np.uint8)
        padded[:, : len(begins)] = used
        told.append(np.packbits(padded, axis=1, bitorder="little").view(np.uint64)[:, 0])
    return told[0], told[1]


def _bits(words: Bits) -> Iterator[NDArray[np.uint8]]:
    """Some people after others, a byte for each quarter hour."""
    for at in range(0, len(words), 4096):
        yield np.unpackbits(words[at : at + 4096].view(np.uint8), axis=1, bitorder="little")[:, :QUARTERS]


def _by_person(weeks: Bits) -> Bits:
    return np.ascontiguousarray(weeks.transpose(1, 0, 2))


def _shares(words: int, weight: int) -> Ints:
    """[how many are sought, how many of them are offered] → points."""
    size = words * 64 + 1
    sought = np.maximum(1, np.arange(size))[:, None]
    return np.minimum(np.arange(size)[None, :], sought) * weight // sought


@inlined
def _ones(word: Any) -> Any:
    """How many bits of a word are set."""
    word = word - ((word >> np.uint64(1)) & np.uint64(0x5555555555555555))
    word = (word & np.uint64(0x3333333333333333)) + ((word >> np.uint64(2)) & np.uint64(0x3333333333333333))
    word = (word + (word >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return np.int64((word * np.uint64(0x0101010101010101)) >> np.uint64(56))


@inlined
def _tie(ours: Any, theirs: Any) -> Any:
    x = ours ^ ((theirs << np.uint64(23)) | (theirs >> np.uint64(41)))
    x = (x ^ (x >> np.uint64(31))) * np.uint64(0x9E3779B97F4A7C15)
    return x ^ (x >> np.uint64(29))


@inlined
def _quarters(free: Any, others: Any, starts: Any, other_starts: Any, i: int, j: int) -> Any:
    """Common quarter hours in the week that has least of them; -1 where some week has no room for a session."""
    least = free.shape[2] * 64
    for season in range(free.shape[1]):
        room = np.uint64(0)
        shared = 0
        for word in range(free.shape[2]):
            room |= starts[i, season, word] & other_starts[j, season, word]
            shared += _ones(free[i, season, word] & others[j, season, word])
        if room == 0:
            return -1
        least = min(least, shared)
    return least


@inlined
def _shared(ours: Any, theirs: Any, i: int, j: int) -> Any:
    """How many bits are in both."""
    shared = 0
    for word in range(ours.shape[1]):
        shared += _ones(ours[i, word] & theirs[j, word])
    return shared


@inlined
def _insert(best: Best, row: int, column: int, worth: Any, breaker: Any) -> None:
    """Put a column among the best of a row, best first, if it belongs there."""
    found = best.found[row]
    most = best.columns.shape[1]
    if found == most:
        last = best.worth[row, most - 1]
        if worth < last or (worth == last and breaker >= best.ties[row, most - 1]):
            return
        found -= 1
    place = found
    while place > 0:
        before = best.worth[row, place - 1]
        if worth < before or (worth == before and breaker >= best.ties[row, place - 1]):
            break
        best.worth[row, place] = before
        best.ties[row, place] = best.ties[row, place - 1]
        best.columns[row, place] = best.columns[row, place - 1]
        place -= 1
    best.worth[row, place] = worth
    best.ties[row, place] = breaker
    best.columns[row, place] = column
    best.found[row] = found + 1


@inlined
def _costs(costs: Any, levels: Any, prices: Any, cheapest: Any, level: Any, level_points: Any) -> None:
    """For each column of a block how much dearer it is than the cheapest, less the points for this level."""
    highest = len(level_points) - 1
    for k in range(len(prices)):
        apart = levels[k] - level
        if apart < 0:
            costs[k] = MUCH + MUCH // 2
        else:
            costs[k] = min(prices[k] - cheapest, MUCH) - level_points[min(apart, highest)]


@inlined
def _bounds(
    bounds: Any, wanted: Any, offered: Any, rates: Any, rate: Any, costs: Any, tongues: Any, slots: Any, offers: Any,
    seeks: Any, tongue: Any, slot: Any,
) -> None:  # fmt: skip
    """For each column of a block at least what its themes could be worth, less its costs, or less than any worth where
    there is no common language or time; a loop for vector units."""
    for k in range(len(tongues)):
        bound = np.int32(_ones(offers[0] & wanted[0, k])) * rates[k] - costs[k]
        bound += np.int32(_ones(seeks[0] & offered[0, k])) * rate
        able = ((tongues[k] & tongue) != 0) & ((slots[k] & slot) != 0)
        bounds[k] = bound if able else np.int32(-2 * MUCH)
    for word in range(1, len(offers)):
        for k in range(len(tongues)):
            bounds[k] += np.int32(_ones(offers[word] & wanted[word, k])) * rates[k]
            bounds[k] += np.int32(_ones(seeks[word] & offered[word, k])) * rate


def sweep(
    data: Arrays, first: int, last: int, rows: Any, names: Any, floors: Any, prices: Any, pair: int, start: Any,
    skip: Any, best: Best,
) -> None:  # fmt: skip
    """The best columns of `rows[first:last]`, block after block of columns so that these stay in the cache.

    `data` and `prices` have the columns `names` only; `skip[start[row]:start[row + 1]]` are names a row must not have.
    """
    # Everything is taken out of the tuples here: inside the loops that would count references.
    (_, levels), (_, functions), (_, sites), (_, channels) = data.levels, data.functions, data.sites, data.channels
    (languages, their_languages), (offers, their_offers), (seeks, their_seeks) = data.languages, data.offers, data.seeks
    (free, their_free), (starts, their_starts), (_, sought), (_, ids) = data.free, data.starts, data.sought, data.ids
    level_points, seeks_points, overlap_points = data.level_points, data.seeks_points, data.overlap_points
    function_points, site_points, channel_points = data.flat[0], data.flat[1], data.flat[2]
    wanted, offered, rates, tongues, slots = data.wanted, data.offered, data.rates, data.tongues[1], data.slots[1]
    most = best.columns.shape[1]
    least, other_function, other_site = data.least, data.other_function, data.other_site
    highest = len(level_points) - 1
    last_terms = function_points + site_points + channel_points + overlap_points[-1]
    bounds = np.empty(COLUMNS, dtype=np.int32)
    costs = np.empty(COLUMNS, dtype=np.int32)
    for block in range(0, len(prices), COLUMNS):
        until = min(block + COLUMNS, len(prices))
        cheapest = prices[block:until].min()
        costed = MUCH  # no level
        for place in range(first, last):
            row = rows[place]
            floor = floors[row] + 1 - pair
            if best.found[place] == most:
                floor = max(floor, best.worth[place, most - 1] - pair)
            enough = floor + cheapest - last_terms
            if enough > MUCH:
                continue
            level, function, site = data.levels[0][row] + data.gap, data.functions[0][row], data.sites[0][row]
            offers_points, channel = data.offers_points[data.sought[0][row]], data.channels[0][row]
            id = data.ids[0][row]
            if level != costed:
                _costs(costs, levels[block:until], prices[block:until], cheapest, level, level_points)
                costed = level
            _bounds(
                bounds, wanted[:, block:until], offered[:, block:until], rates[block:until], data.rate[row],
                costs, tongues[block:until], slots[block:until], offers[row], seeks[row], data.tongues[0][row],
                data.slots[0][row],
            )  # fmt: skip
            enough = max(enough, -MUCH)
            for column in range(block, until):
                if bounds[column - block] < enough:
                    continue
                apart = levels[column] - level
                if apart < 0 or _shared(languages, their_languages, row, column) == 0:
                    continue
                needed = floor + prices[column]
                points = level_points[min(apart, highest)]
                points += seeks_points[sought[column], _shared(offers, their_seeks, row, column)]
                points += offers_points[_shared(seeks, their_offers, row, column)]
                if functions[column] != function:
                    points += function_points
                elif other_function:
                    continue
                if sites[column] != site:
                    points += site_points
                elif other_site:
                    continue
                if channels[column] & channel != 0:
                    points += channel_points
                if points + overlap_points[-1] < needed:
                    continue
                quarters = _quarters(free, their_free, starts, their_starts, row, column)
                if quarters < least:
                    continue
                points += overlap_points[quarters]
                if points < needed:
                    continue
                skipped = False
                for k in range(start[row], start[row + 1]):
                    skipped = skipped or skip[k] == names[column]
                if not skipped:
                    worth = points + pair - prices[column]
                    _insert(best, place, names[column], worth, _tie(id, ids[column]))
                    if best.found[place] == most:
                        floor = max(floor, best.worth[place, most - 1] - pair)
                        enough = max(floor + cheapest - last_terms, -MUCH)
