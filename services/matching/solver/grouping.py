"""People who are alike as one, so that mass ties cost no more than one person with many seats.

Two people are alike if no rule and no term tells them apart and they have as many seats. An answer for groups says how
many pairs join two of them. It is handed out in turns, so that all of a group get their first pair before any gets
a second; a pair that is out of the question is exchanged for another's partner, who is worth the same.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from services.matching.solver.problem import Ints, Problem


@dataclass(frozen=True)
class Groups:
    """For each person (a place in an order by ids) the group; for each group its first member and how many they are."""

    of: Ints
    first: Ints
    people: Ints

    @classmethod
    def single(cls, count: int) -> Groups:
        """Everybody for themselves."""
        return cls(np.arange(count), np.arange(count), np.ones(count, dtype=np.int64))

    @classmethod
    def alike(cls, problem: Problem, side: int, rows: Ints) -> Groups:
        """The groups of these rows of a side, in the order of their first members."""
        people = (problem.mentors, problem.executives)[side].some(rows)
        words = [people.languages, people.offers, people.seeks, *people.free]
        gains = problem.gains()
        columns = [people.level, people.function, people.site, people.channels]
        columns += [problem.seats(side)[rows], (gains[1], gains[2])[side][rows]]
        told = np.concatenate([np.stack(columns, axis=1).astype(np.int64).view(np.uint64), *words], axis=1)
        kinds = np.ascontiguousarray(told).view(np.dtype((np.void, told.shape[1] * 8))).ravel()
        _, first, of, counts = np.unique(kinds, return_index=True, return_inverse=True, return_counts=True)
        order = np.argsort(first)
        place = np.empty_like(order)
        place[order] = np.arange(len(order))
        return cls(place[of], first[order], counts[order].astype(np.int64))


def handed_out(tail: Ints, head: Ints, flow: Ints, sides: tuple[Groups, Groups], apart: Ints) -> Ints | None:
    """Pairs of people, so many for each pair of groups; None where that is not found for all those kept apart."""
    members = [np.split(np.argsort(side.of, kind="stable"), np.cumsum(side.people)[:-1]) for side in sides]
    turn = [np.zeros(len(side.people), dtype=np.int64) for side in sides]
    pairs = []
    for i, j, count in zip(tail.tolist(), head.tolist(), flow.tolist(), strict=True):
        p, q = len(members[0][i]), len(members[1][j])
        whole = int(np.lcm(p, q))
        k = np.arange(count)
        # Whole rounds leave the turns as they were and give everybody as many; each round begins one place further on.
        shift = np.where(k < count // whole * whole, k // whole + 1, 0)
        a = (turn[0][i] + k) % p
        b = (turn[1][j] + k + shift) % q
        turn[0][i] += count
        turn[1][j] += count
        pairs.append(np.stack([members[0][i][a], members[1][j][b]], axis=1))
    found = np.concatenate(pairs) if pairs else np.empty((0, 2), dtype=np.int64)
    return _exchanged(found, sides, {(int(i), int(j)) for i, j in apart})


def _exchanged(pairs: Ints, sides: tuple[Groups, Groups], out: set[tuple[int, int]]) -> Ints | None:
    """The pairs with those that are out of the question exchanged, each with the first that allows it."""
    chosen = [(int(i), int(j)) for i, j in pairs]
    bad = [place for place, pair in enumerate(chosen) if pair in out]
    if not bad:
        return pairs
    there = set(chosen)
    kinds = [side.of[pairs[:, k]] for k, side in enumerate(sides)]
    for place in bad:
        a, b = chosen[place]
        if (a, b) not in out:
            continue  # exchanged by an earlier one
        alike = [kinds[k] == kinds[k][place] for k in (0, 1)]
        for other in np.flatnonzero(alike[0] | alike[1]).tolist():
            new = (a, chosen[other][1]), (chosen[other][0], b)
            if not any(pair in out or pair in there for pair in new):
                there -= {chosen[place], chosen[other]}
                there |= set(new)
                chosen[place], chosen[other] = new
                kinds[1][place], kinds[1][other] = kinds[1][other], kinds[1][place]  # who comes next meets these
                break
        else:
            return None
    return np.array(chosen, dtype=np.int64)


def barred(apart: Ints, sides: tuple[Groups, Groups]) -> tuple[Ints, Ints, Ints]:
    """Pairs of groups of which some people are kept apart, and how many of their pairs."""
    moved = np.stack([side.of[apart[:, k]] for k, side in enumerate(sides)], axis=1)
    groups, counts = np.unique(moved, axis=0, return_counts=True)
    return groups[:, 0], groups[:, 1], counts
