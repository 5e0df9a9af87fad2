"""Why these two, why not those, why nobody: a round's answer explained from what it was computed from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

from contracts.enrollment import Term
from contracts.types import Side
from services.matching.arrays import obstacle, problem
from services.matching.cohort import Candidate, Cohort
from services.matching.remaining import reason
from services.matching.solution import SIDES, Solution
from services.matching.solver import TERMS
from services.matching.solver.asking import Outcome, outcome
from services.matching.solver.problem import Ints
from services.matching.solver.scores import Scores

CHANGES = 20
"""People whose other partners are told at most; how many change is told in any case."""


class _Told(BaseModel):
    model_config = ConfigDict(frozen=True)


class Points(_Told):
    """One term of a score: its points, the most it could have, and what it rests on."""

    term: Term
    points: int
    most: int
    rests_on: dict[str, Any]


class About(_Told):
    """As much of a person as a coordinator recognises them by."""

    person: str
    side: Side
    level: int
    function: str | None
    site: str | None


class Change(_Told):
    """Who would have other partners than now."""

    person: str
    side: Side
    before: list[str]
    after: list[str]


class Price(_Told):
    """What the round would lose if two were a pair (below 0: gain), and who would have other partners then: so many, of
    whom the first few are told."""

    people: int
    pairs: int
    points: int
    changed: int
    changes: list[Change]


class PairWhy(_Told):
    """Why two are a pair of the round (`placed`), may not be one (`rule`), or could be at a price (`possible`).

    `rule` is the first rule that keeps them apart; who may not be placed at all is in `unplaceable`, with the reason.
    """

    answer: Literal["placed", "possible", "rule"]
    mentor: About
    executive: About
    score: int | None = None
    terms: list[Points] = []
    rule: str | None = None
    unplaceable: dict[str, str] = {}
    price: Price | None = None


class Partner(_Told):
    """Somebody a person was placed with."""

    person: str
    score: int


class PersonWhy(About):
    """With whom somebody was placed; where with nobody, the `reason`: the rule that leaves none of the partners that
    those before it have `left`, what keeps them from any round, or `taken`."""

    seats: int
    partners: list[Partner]
    reason: str | None = None
    left: dict[str, int] = {}


def about(side: Side, candidate: Candidate) -> About:
    """Who somebody is."""
    return About(
        person=candidate.person,
        side=side,
        level=candidate.level,
        function=candidate.function,
        site=candidate.site,
    )


def pair(solution: Solution, mentor: int, executive: int, *, priced: bool = True) -> PairWhy:
    """Why these two rows are a pair, or are none; without a price where the answer cannot be solved again."""
    ours, theirs = solution.cohort.mentors[mentor], solution.cohort.executives[executive]
    why = PairWhy(answer="rule", mentor=about(Side.mentor, ours), executive=about(Side.executive, theirs))
    placed = any(partner == theirs.person for partner, _ in solution.partners(Side.mentor, mentor))
    rule = None if placed else solution.left.rule(mentor, executive)
    if rule:
        kept = {c.person: found for c in (ours, theirs) if (found := obstacle(c))}
        return why.model_copy(update={"rule": rule, "unplaceable": kept if rule == "placeable" else {}})
    made = terms(solution.cohort, solution.scores, mentor, executive)
    told: dict[str, Any] = {"terms": made, "score": sum(p.points for p in made)}
    if placed:
        return why.model_copy(update={"answer": "placed"} | told)
    price = _price(solution, mentor, executive) if priced else None
    return why.model_copy(update={"answer": "possible", "price": price} | told)


def people(solution: Solution, side: Side, rows: Sequence[int]) -> list[PersonWhy]:
    """With whom these rows of one side were placed, or why with nobody."""
    everybody = solution.people(side)
    alone = [row for row in rows if not solution.partners(side, row)]
    counts = solution.left.partners(side, np.array(alone, dtype=np.int64))
    left = {row: {rule: int(count[k]) for rule, count in counts.items()} for k, row in enumerate(alone)}
    return [
        PersonWhy(
            **about(side, everybody[row]).model_dump(),
            seats=everybody[row].seats,
            partners=[Partner(person=partner, score=score) for partner, score in solution.partners(side, row)],
            reason=reason(everybody[row], left[row]) if row in left else None,
            left=left.get(row, {}),
        )
        for row in rows
    ]


def card(two: Cohort) -> list[Points]:
    """What the first mentor and the first executive of a cohort have in common."""
    return terms(two, Scores(problem(two)[0]), 0, 0)


def terms(cohort: Cohort, scores: Scores, mentor: int, executive: int) -> list[Points]:
    """Each term of a pair in its order. Of themes and channels only those are told that both have."""
    ours, theirs = cohort.mentors[mentor], cohort.executives[executive]
    a, b = np.array([mentor]), np.array([executive])
    rests_on: dict[str, dict[str, Any]] = {
        "seeks": {"themes": sorted({*ours.offers} & {*theirs.seeks})},
        "offers": {"themes": sorted({*ours.seeks} & {*theirs.offers})},
        "level": {"levels_apart": theirs.level - ours.level},
        "function": {"another": ours.function != theirs.function},
        "place": {"another": ours.site != theirs.site},
        "overlap": {"minutes_a_week": int(scores.minutes(a, b)[0])},
        "channel": {"channels": sorted(c.value for c in {*ours.channels} & {*theirs.channels})},
    }
    return [
        Points(term=Term(name), points=int(points[0]), most=most, rests_on=rests_on[name])
        for name, points, most in zip(TERMS, scores.terms(a, b), scores.rules.weights, strict=True)
    ]


def _price(solution: Solution, mentor: int, executive: int) -> Price:
    """What the best answer with this pair, whatever is locked, lacks against the round, and who moves for it."""
    solved = solution.solved
    other = solved.instead(replace(solution.free, locked=np.array([[mentor, executive]]))).result
    lost: Outcome = outcome(solved.result).less(outcome(other))
    moved = connected(solved.result.pairs, other.pairs, mentor)
    changes = list(_changes(solution, moved, _partners(solved.result.pairs), _partners(other.pairs)))
    return Price(**lost._asdict(), changed=len(changes), changes=changes[:CHANGES])


def connected(before: Ints, after: Ints, mentor: int) -> set[tuple[int, int]]:
    """The people (side, row) whom a change reaches from one mentor, partner by partner.

    What is apart from that could as well stay as it was: both answers are best, each for its question.
    """
    edges = {*map(tuple, before.tolist())} ^ {*map(tuple, after.tolist())}
    partners = _partners(np.array(sorted(edges), dtype=np.int64).reshape(-1, 2))
    found, open_ = {(0, mentor)}, [(0, mentor)]
    while open_:
        side, row = open_.pop()
        reached = {(1 - side, other) for other in partners[side].get(row, ())} - found
        found |= reached
        open_ += reached
    return found


def _partners(pairs: Ints) -> tuple[dict[int, list[int]], dict[int, list[int]]]:
    found: tuple[dict[int, list[int]], dict[int, list[int]]] = {}, {}
    for i, j in pairs.tolist():
        found[0].setdefault(i, []).append(j)
        found[1].setdefault(j, []).append(i)
    return found


_By = tuple[dict[int, list[int]], dict[int, list[int]]]


def _changes(solution: Solution, moved: set[tuple[int, int]], before: _By, after: _By) -> Iterator[Change]:
    for k, row in sorted(moved):
        side, others = SIDES[k], solution.people(SIDES[1 - k])
        told = [sorted(others[other].person for other in by[k].get(row, ())) for by in (before, after)]
        yield Change(person=solution.people(side)[row].person, side=side, before=told[0], after=told[1])
