"""Who may go with whom and how well, in numpy: rules as masks and terms as points, for any rows and columns."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from services.matching.solver.problem import LEVELS_FOR_ALL, OVERLAP_FOR_ALL, QUARTERS, Bits, Ints, Mask, Problem

QUARTER = 15
"""Minutes."""


def starts(free: Bits, quarters: int) -> Bits:
    """The quarter hours at which a stretch of `quarters` could begin; [..., word] as in `People.free`."""
    shape = free.shape
    flat = free.reshape(-1, shape[-1])
    found = np.empty_like(flat)
    for at in range(0, len(flat), 4096):
        bits = np.unpackbits(flat[at : at + 4096].view(np.uint8), axis=1, bitorder="little")[:, :QUARTERS]
        begins = bits.copy()
        for later in range(1, quarters):
            begins &= np.roll(bits, -later, axis=1)
        padded = np.zeros((len(bits), shape[-1] * 64), dtype=np.uint8)
        padded[:, :QUARTERS] = begins
        found[at : at + 4096] = np.packbits(padded, axis=1, bitorder="little").view(np.uint64)
    return found.reshape(shape)


def tie(ours: Bits, theirs: Bits) -> Bits:
    """A number for each pair that settles ties: the same whatever the order of people, another for each pair."""
    x = ours ^ ((theirs << np.uint64(23)) | (theirs >> np.uint64(41)))
    x = (x ^ (x >> np.uint64(31))) * np.uint64(0x9E3779B97F4A7C15)
    return np.asarray(x ^ (x >> np.uint64(29)))


class Scores:
    """A problem's rules and terms. `a` and `b` are rows of mentors and executives, of shapes that broadcast:
    `a[:, None], b[None, :]` for a block, or two of one length for a list of pairs. Pairs `apart` are not seen here.
    """

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.rules = problem.rules
        self.mentors, self.executives = problem.mentors, problem.executives
        quarters = -(-self.rules.window_minutes // QUARTER)
        self.mentor_starts = starts(self.mentors.free, quarters)
        self.executive_starts = starts(self.executives.free, quarters)
        self.wanted = self.rules.overlap_minutes * OVERLAP_FOR_ALL
        self.sought_by_mentor = np.maximum(1, _count(self.mentors.seeks))
        self.sought_by_executive = np.maximum(1, _count(self.executives.seeks))

    def masks(self, a: Ints, b: Ints) -> Iterator[tuple[str, Mask]]:
        """Each hard rule of the program by name, and whom it allows, in a fixed order."""
        ours, theirs = self.mentors, self.executives
        yield "language", common(ours.languages[a], theirs.languages[b]) > 0
        yield "level", theirs.level[b] - ours.level[a] >= self.rules.level_gap
        if self.rules.other_function:
            yield "function", ours.function[a] != theirs.function[b]
        if self.rules.other_site:
            yield "site", ours.site[a] != theirs.site[b]
        yield "window", self.fits(a, b)
        yield "overlap", self.minutes(a, b) >= self.rules.overlap_minutes

    def allowed(self, a: Ints, b: Ints) -> Mask:
        """Whom all of these rules allow."""
        allowed = np.ones(np.broadcast_shapes(a.shape, b.shape), dtype=np.bool_)
        for _, mask in self.masks(a, b):
            allowed &= mask
        return allowed

    def terms(self, a: Ints, b: Ints) -> Iterator[Ints]:
        """The points of each term, from 0 to its weight, in the order of `TERMS`."""
        ours, theirs = self.mentors, self.executives
        beyond = np.clip(theirs.level[b] - ours.level[a] - self.rules.level_gap, 0, LEVELS_FOR_ALL)
        shares: list[tuple[NDArray[np.generic], Ints | int]] = [
            (common(ours.offers[a], theirs.seeks[b]), self.sought_by_executive[b]),
            (common(ours.seeks[a], theirs.offers[b]), self.sought_by_mentor[a]),
            (beyond, LEVELS_FOR_ALL),
            (ours.function[a] != theirs.function[b], 1),
            (ours.site[a] != theirs.site[b], 1),
            (np.minimum(self.minutes(a, b), self.wanted), self.wanted),
            ((ours.channels[a] & theirs.channels[b]) != 0, 1),
        ]
        for (part, whole), weight in zip(shares, self.rules.weights, strict=True):
            yield np.asarray(part.astype(np.int64) * weight // whole)

    def points(self, a: Ints, b: Ints) -> Ints:
        """The sum of all terms."""
        total = np.zeros(np.broadcast_shapes(a.shape, b.shape), dtype=np.int64)
        for points in self.terms(a, b):
            total += points
        return total

    def minutes(self, a: Ints, b: Ints) -> Ints:
        """Common minutes in the week that has least of them."""
        least = np.full(np.broadcast_shapes(a.shape, b.shape), QUARTERS, dtype=np.int64)
        for ours, theirs in zip(self.mentors.free, self.executives.free, strict=True):
            np.minimum(least, common(ours[a], theirs[b]), out=least)
        return least * QUARTER

    def fits(self, a: Ints, b: Ints) -> Mask:
        """Whether every week has one stretch for a session."""
        fits = np.ones(np.broadcast_shapes(a.shape, b.shape), dtype=np.bool_)
        for ours, theirs in zip(self.mentor_starts, self.executive_starts, strict=True):
            found = np.zeros_like(fits)
            for word in range(ours.shape[-1]):
                found |= (ours[a, word] & theirs[b, word]) != 0
            fits &= found
        return fits


def common(ours: Bits, theirs: Bits) -> Ints:
    """How many bits of the last axis are in both, word by word so that no more than one grid is in memory."""
    shared = np.zeros(np.broadcast_shapes(ours.shape[:-1], theirs.shape[:-1]), dtype=np.int64)
    for word in range(ours.shape[-1]):
        shared += np.bitwise_count(ours[..., word] & theirs[..., word])
    return shared


def _count(sets: Bits) -> Ints:
    return np.asarray(np.bitwise_count(sets).sum(axis=-1, dtype=np.int64))
