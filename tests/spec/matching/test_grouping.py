"""Handing out the pairs of groups: whoever is exchanged, as many pairs join two groups as the answer says."""

from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given as for_all
from hypothesis import strategies as st

from services.matching.solver.grouping import Groups, handed_out
from services.matching.solver.problem import Ints


def groups(*sizes: int) -> Groups:
    """Groups of so many people each, one after another."""
    of = np.repeat(np.arange(len(sizes)), sizes)
    return Groups(of, np.searchsorted(of, np.arange(len(sizes))), np.array(sizes, dtype=np.int64))


def joined(pairs: Ints, sides: tuple[Groups, Groups]) -> Counter[tuple[int, int]]:
    return Counter((int(sides[0].of[i]), int(sides[1].of[j])) for i, j in pairs)


def ints(*rows: tuple[int, int]) -> Ints:
    return np.array(rows, dtype=np.int64).reshape(-1, 2)


def test_who_was_exchanged_once_is_no_more_alike_who_they_were() -> None:
    sides = groups(2, 1), groups(2, 1)
    flows = ints((0, 0), (0, 1), (1, 0))
    one = np.ones(3, dtype=np.int64)
    assert handed_out(flows[:, 0], flows[:, 1], one, sides, ints()).tolist() == [[0, 0], [1, 2], [2, 1]]  # type: ignore[union-attr]
    found = handed_out(flows[:, 0], flows[:, 1], one, sides, ints((0, 0), (2, 1)))
    assert found is not None
    assert joined(found, sides) == Counter({(0, 0): 1, (0, 1): 1, (1, 0): 1})


sizes = st.lists(st.integers(1, 3), min_size=1, max_size=4)


@for_all(sizes, sizes, st.data())
def test_whoever_is_kept_apart_groups_are_joined_as_often_as_was_found(
    ours: list[int], theirs: list[int], data: st.DataObject
) -> None:
    sides = groups(*ours), groups(*theirs)
    every = [(i, j) for i in range(len(ours)) for j in range(len(theirs))]
    chosen = data.draw(st.lists(st.sampled_from(every), unique=True))
    flow = [data.draw(st.integers(1, ours[i] * theirs[j])) for i, j in chosen]
    people = [(i, j) for i in range(sum(ours)) for j in range(sum(theirs))]
    apart = data.draw(st.lists(st.sampled_from(people), unique=True))
    tail, head = ints(*chosen).T
    found = handed_out(tail, head, np.array(flow, dtype=np.int64), sides, ints(*apart))
    if found is None:
        return
    assert joined(found, sides) == Counter(dict(zip(chosen, flow, strict=True)))
    assert len(np.unique(found, axis=0)) == len(found)
    assert not set(map(tuple, found.tolist())) & set(apart)
