"""Good edges at good prices, before anything is exact: learnt from samples, each larger than the one before."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from services.matching.solver import auction
from services.matching.solver.network import Network
from services.matching.solver.pricing import NOTHING, Found, Pricing
from services.matching.solver.problem import Ints

CLASS = 300
"""Columns that a row sees at first, at least."""
GROWTH = 5
"""How much larger each sample is than the one before."""
COARSE = 2048
"""About how far prices are from those of a larger sample, in points."""
ROUNDS = 8
"""So often all pairs are priced at rough prices, at most."""
TURNS = 2
"""So often, at most, those whose price fell look for others before rows are asked again."""
FEW = 0.02
"""The share of rows or columns that paths can do the rest for."""


def learn(network: Network, pricing: Pricing, told: Callable[[int], None]) -> None:
    """Fill a network with edges among which nearly the best choice is, and set nearly the best prices; `told` hears how
    many rows found something better, each time all were asked.

    Who is not among the best of anybody would fall to the least price, and be everybody's best after that. Therefore
    both sides are asked: columns for their best rows, at the prices of these, as rows for their best columns.
    """
    ours, theirs, turned = network.ours, network.theirs, pricing.mirrored()
    coarse, samples = 0, list[int]()
    while pricing.shape[1] >= CLASS * GROWTH ** (len(samples) + 1):
        samples.append(GROWTH ** (len(samples) + 1))
    for classes in reversed(samples):
        network.keep(network.flow > 0)
        _add(network, pricing.sample(theirs.price, network.closed, classes))
        auction.rough(network, coarse)
        _add(network, turned.sample(ours.price, network.closed[:, ::-1], classes).turned())
        auction.rough(network, COARSE)
        coarse = COARSE
        told(pricing.shape[0])
    worst = network.worst(pricing.most, NOTHING)
    network.keep(network.flow > 0)
    found = pricing.near(theirs.price, _skip(network), worst)
    for _ in range(ROUNDS):
        asked = theirs.price.copy()
        _add(network, found)
        auction.rough(network, coarse)
        coarse = COARSE
        for _ in range(TURNS):
            fell = np.flatnonzero(theirs.price < asked - auction.ROUGH)
            if len(fell) <= FEW * len(asked):
                break
            asked[fell] = theirs.price[fell]
            _add(network, turned.some(fell, ours.price, _skip(network)[:, ::-1]).turned())
            auction.rough(network, COARSE)
        found = pricing.better(ours.price + auction.ROUGH, theirs.price, _skip(network))
        better = len(np.unique(found.rows))
        told(better)
        if better <= FEW * pricing.shape[0]:
            break
    _add(network, found)
    auction.exact(network, COARSE)


def _add(network: Network, found: Found) -> None:
    network.add(found.rows, found.columns, found.gains)


def _skip(network: Network) -> Ints:
    return np.concatenate([network.closed, network.used()])
