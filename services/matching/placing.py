"""Placing a cohort: hard rules, score and objective in, proposals out, and for whoever is left the reason."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from contracts.enrollment import Objective, Term
from contracts.types import Side
from services.matching.cohort import Candidate, Cohort, digest
from services.matching.scoring import Mask, Suitability
from services.matching.solver import Problem, solve


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


@dataclass
class _Left:
    """Counts of partners that remain for each mentor and each executive, rule after rule."""

    mentors: dict[str, NDArray[np.int64]]
    executives: dict[str, NDArray[np.int64]]

    def note(self, rule: str, allowed: Mask) -> None:
        self.mentors[rule] = allowed.sum(axis=1)
        self.executives[rule] = allowed.sum(axis=0)


def place(cohort: Cohort) -> Placement:
    """The optimal placement of a cohort; the same for the same cohort, in whatever order its people are."""
    cohort = cohort.in_order()
    suitable = Suitability(cohort)
    obstacles = suitable.obstacles()
    free = [np.array([o is None for o in side], dtype=np.bool_) for side in obstacles]
    allowed = free[0][:, None] & free[1][None, :]
    left = _Left({}, {})
    left.note("placeable", allowed)
    for rule, mask in suitable.rules():
        allowed &= mask
        left.note(rule, allowed)
    problem = _problem(cohort, suitable.scores().astype(np.int64), allowed)
    solution = solve(problem)
    placed = _placed(cohort, suitable, solution.pairs)
    return Placement(
        placed=placed,
        unplaced=_unplaced(cohort.mentors, Side.mentor, {p.mentor for p in placed}, obstacles[0], left.mentors)
        + _unplaced(cohort.executives, Side.executive, {p.executive for p in placed}, obstacles[1], left.executives),
        total=sum(p.score for p in placed),
        optimal=solution.optimal,
        certificate=digest(
            {"input": cohort.digest(), "pairs": solution.pairs, "prices": [solution.row_prices, solution.column_prices]}
        ),
        mentor_prices=solution.row_prices,
        executive_prices=solution.column_prices,
    )


def _problem(cohort: Cohort, scores: NDArray[np.int64], allowed: Mask) -> Problem:
    """The objective as gains: what comes first is worth more than any sum of scores."""
    mentor_seats, executive_seats = _seats(cohort.mentors), _seats(cohort.executives)
    more = int(scores.max(initial=0)) * int(min(mentor_seats.sum(), executive_seats.sum())) + 1
    people = more if cohort.rules.objective is Objective.most_people else 0
    return Problem(
        scores=scores + (more if cohort.rules.objective is Objective.most_pairs else 0),
        allowed=allowed,
        row_seats=mentor_seats,
        column_seats=executive_seats,
        row_first=np.array([0 if c.paired else people for c in cohort.mentors], dtype=np.int64),
        column_first=np.array([0 if c.paired else people for c in cohort.executives], dtype=np.int64),
    )


def _seats(candidates: list[Candidate]) -> NDArray[np.int64]:
    return np.array([c.seats for c in candidates], dtype=np.int64)


def _placed(cohort: Cohort, suitable: Suitability, pairs: list[tuple[int, int]]) -> list[Placed]:
    terms = {term: [int(points[i, j]) for i, j in pairs] for term, points in suitable.terms()}
    return [
        Placed(
            mentor=cohort.mentors[i].person,
            executive=cohort.executives[j].person,
            score=sum(points[k] for points in terms.values()),
            terms={term: points[k] for term, points in terms.items()},
        )
        for k, (i, j) in enumerate(pairs)
    ]


def _unplaced(
    candidates: list[Candidate],
    side: Side,
    placed: set[str],
    obstacles: list[str | None],
    left: dict[str, NDArray[np.int64]],
) -> list[Unplaced]:
    found = []
    for k, candidate in enumerate(candidates):
        if candidate.person in placed:
            continue
        counts = {rule: int(counts[k]) for rule, counts in left.items()}
        binding = next((rule for rule, count in counts.items() if count == 0), "taken")
        found.append(Unplaced(person=candidate.person, side=side, reason=obstacles[k] or binding, left=counts))
    return found
