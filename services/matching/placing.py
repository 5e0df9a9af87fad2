"""Placing a cohort: hard rules, score and objective in, proposals out, and for whoever is left the reason."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict

from contracts.enrollment import Term
from contracts.types import Side
from services.matching.arrays import problem
from services.matching.cohort import Candidate, Cohort, digest
from services.matching.remaining import Left, reason
from services.matching.solver import TERMS, Certificate, Problem, Result, solve, verify
from services.matching.solver.problem import Ints

Pair = tuple[str, str]
"""A mentor and an executive."""


class Stopped(Exception):
    """Whoever asked does not want the answer any more."""


class Revision(BaseModel):
    """What became of a cohort since it was frozen: pairs that the answer must have, pairs that were turned down, people
    who have left, and pairs that are `barred` for another reason, as some of the cohort were from the beginning."""

    model_config = ConfigDict(frozen=True)

    locked: list[Pair] = []
    apart: list[Pair] = []
    gone: list[str] = []
    barred: list[Pair] = []

    def told(self) -> dict[str, Any]:
        """What a certificate says of it; what there is nothing of is left out."""
        return self.model_dump(mode="json", exclude=None if self.barred else {"barred"})

    def of(self, cohort: Cohort) -> Cohort:
        """The cohort as it is now."""
        gone = set(self.gone)
        left = {side: [c for c in getattr(cohort, side) if c.person not in gone] for side in ("mentors", "executives")}
        return cohort.model_copy(update=left | {"barred": [*cohort.barred, *self.apart, *self.barred]}).in_order()


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
    value: int = 0
    """What the pairs gain by the program's objective; results of solver 1 do not say it."""
    optimal: bool
    certificate: str
    mentor_prices: list[int]
    executive_prices: list[int]
    revision: Revision = Revision()


def place(
    cohort: Cohort, revision: Revision | None = None, *, heard: Callable[[str, int], None] = lambda phase, done: None
) -> Placement:
    """The optimal placement of a cohort; the same for the same cohort, in whatever order its people are.

    `heard` is told what is being done; what it raises ends the work.
    """
    revision, frozen = revision or Revision(), cohort
    cohort = revision.of(frozen)
    posed = _posed(cohort, revision)
    heard("solving", 0)
    result, certificate = solve(posed, watch=lambda progress: heard("solving", progress.rounds))
    heard("explaining", 0)
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
    left = Left(posed)
    return Placement(
        placed=placed,
        unplaced=_unplaced(cohort.mentors, Side.mentor, {p.mentor for p in placed}, left)
        + _unplaced(cohort.executives, Side.executive, {p.executive for p in placed}, left),
        total=result.total,
        value=certificate.value,
        optimal=certificate.value == certificate.bound,
        certificate=_sealed(frozen, revision, result.pairs.tolist(), prices),
        mentor_prices=prices[0],
        executive_prices=prices[1],
        revision=revision,
    )


def check(cohort: Cohort, placement: Placement) -> list[str]:
    """What is wrong with a placement of this cohort, in words; nothing where it is proven that none is better. The file
    that looks shares no code with the solver."""
    frozen, cohort = cohort, placement.revision.of(cohort)
    try:
        posed = _posed(cohort, placement.revision)
    except (KeyError, ValueError):
        return ["what the result had to contain is not possible"]
    rows = [{c.person: row for row, c in enumerate(side)} for side in (cohort.mentors, cohort.executives)]
    if any(p.mentor not in rows[0] or p.executive not in rows[1] for p in placement.placed):
        return ["a pair has somebody who is not there"]
    pairs = [[rows[0][p.mentor], rows[1][p.executive]] for p in placement.placed]
    points = [[p.terms.get(Term(term), 0) for term in TERMS] for p in placement.placed]
    prices = placement.mentor_prices, placement.executive_prices
    if [len(side) for side in prices] != [len(cohort.mentors), len(cohort.executives)]:
        return ["somebody has no price"]
    wrong = verify(
        posed,
        Result(_table(pairs, 2), _table(points, len(TERMS)), placement.total),
        Certificate(placement.value, placement.value, *(np.array(side, dtype=np.int64) for side in prices)),
    )
    if any(p.score != sum(p.terms.values()) for p in placement.placed):
        wrong.append("a score is not the sum of its terms")
    if placement.certificate != _sealed(frozen, placement.revision, pairs, prices):
        wrong.append("the certificate is of another input or another result")
    return wrong


def replayed(cohort: Cohort, placement: Placement) -> list[str]:
    """What is not the same when it is computed again; of an earlier version of the solver it may be another result."""
    again = place(cohort, placement.revision)
    return [] if dict(again) == dict(placement) else ["computed again, the result is another"]


def _table(rows: list[list[int]], width: int) -> Ints:
    return np.array(rows, dtype=np.int64).reshape(-1, width)


def _posed(cohort: Cohort, revision: Revision) -> Problem:
    """The problem that a cohort poses now. Raises KeyError or ValueError where a lock is not possible."""
    posed, _ = problem(cohort)
    rows = [{c.person: row for row, c in enumerate(side)} for side in (cohort.mentors, cohort.executives)]
    locked = _table([[rows[0][mentor], rows[1][executive]] for mentor, executive in revision.locked], 2)
    return replace(posed, locked=locked) if revision.locked else posed


def _sealed(cohort: Cohort, revision: Revision, pairs: list[list[int]], prices: tuple[list[int], list[int]]) -> str:
    told = {"input": cohort.digest(), "pairs": pairs, "prices": prices}
    return digest(told if revision == Revision() else told | {"revision": revision.told()})


def _unplaced(candidates: list[Candidate], side: Side, placed: set[str], left: Left) -> list[Unplaced]:
    rows = [row for row, candidate in enumerate(candidates) if candidate.person not in placed]
    counts = left.partners(side, np.array(rows, dtype=np.int64))
    found = []
    for k, row in enumerate(rows):
        of_row = {rule: int(count[k]) for rule, count in counts.items()}
        candidate = candidates[row]
        found.append(Unplaced(person=candidate.person, side=side, reason=reason(candidate, of_row), left=of_row))
    return found
