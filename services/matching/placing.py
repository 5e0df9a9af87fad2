"""Placing a cohort: hard rules, score and objective in, proposals out, and for whoever is left the reason."""

from __future__ import annotations

import numpy as np
from pydantic import BaseModel, ConfigDict

from contracts.enrollment import Term
from contracts.types import Side
from services.matching.arrays import obstacle, problem
from services.matching.cohort import Candidate, Cohort, digest
from services.matching.remaining import Left
from services.matching.solver import TERMS, solve


class Placed(BaseModel):
    """Two people who go together, and what the score rests on."""

    model_config = ConfigDict(frozen=True)

    mentor: str
    executive: str
    score: int
    terms: dict[Term, int]


class Unplaced(BaseModel):
    """Somebody without a partner. `left` says how many partners remain after each hard rule in turn; `reason` is the
    rule that leaves none, `placeable` where nobody on the other side may be placed at all, what keeps this person from
    any round (`charter`, `line_incomplete`), or `taken`."""

    model_config = ConfigDict(frozen=True)

    person: str
    side: Side
    reason: str
    left: dict[str, int]


class Placement(BaseModel):
    """The result of a round. The prices prove that it is optimal; `certificate` is their digest with the pairs'."""

    model_config = ConfigDict(frozen=True)

    placed: list[Placed]
    unplaced: list[Unplaced]
    total: int
    optimal: bool
    certificate: str
    mentor_prices: list[int]
    executive_prices: list[int]


def place(cohort: Cohort) -> Placement:
    """The optimal placement of a cohort; the same for the same cohort, in whatever order its people are."""
    cohort = cohort.in_order()
    posed, apart = problem(cohort)
    result, certificate = solve(posed)
    placed = [
        Placed(
            mentor=cohort.mentors[i].person,
            executive=cohort.executives[j].person,
            score=sum(points),
            terms={Term(term): n for term, n in zip(TERMS, points, strict=True)},
        )
        for (i, j), points in zip(result.pairs.tolist(), result.points.tolist(), strict=True)
    ]
    prices = certificate.mentor_prices.tolist(), certificate.executive_prices.tolist()
    left = Left(posed, apart)
    return Placement(
        placed=placed,
        unplaced=_unplaced(cohort.mentors, Side.mentor, {p.mentor for p in placed}, left)
        + _unplaced(cohort.executives, Side.executive, {p.executive for p in placed}, left),
        total=result.total,
        optimal=certificate.value == certificate.bound,
        certificate=digest({"input": cohort.digest(), "pairs": result.pairs.tolist(), "prices": prices}),
        mentor_prices=prices[0],
        executive_prices=prices[1],
    )


def _unplaced(candidates: list[Candidate], side: Side, placed: set[str], left: Left) -> list[Unplaced]:
    rows = [row for row, candidate in enumerate(candidates) if candidate.person not in placed]
    counts = left.partners(side, np.array(rows, dtype=np.int64))
    found = []
    for k, row in enumerate(rows):
        of_row = {rule: int(count[k]) for rule, count in counts.items()}
        binding = next((rule for rule, count in of_row.items() if count == 0), "taken")
        candidate = candidates[row]
        found.append(Unplaced(person=candidate.person, side=side, reason=obstacle(candidate) or binding, left=of_row))
    return found
