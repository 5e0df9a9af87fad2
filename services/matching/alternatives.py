"""What a round would give by another objective or with a rule a step weaker, and who cannot be placed at all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import get_args

import numpy as np
from pydantic import BaseModel, ConfigDict

from contracts.enrollment import Objective
from contracts.types import Side
from services.matching.arrays import obstacle
from services.matching.cohort import Cohort
from services.matching.explaining import PersonWhy, people
from services.matching.solution import SIDES, Solution
from services.matching.solver import Goal, Problem, Result
from services.matching.solver.asking import RULES, outcome, relaxed
from services.matching.solver.problem import Ints

MOST = 5_000 * 5_000
"""Pairs of a problem that is solved again for what-if answers at most."""
OBSTACLES = ("charter", "line_incomplete")


class Figures(BaseModel):
    """What a result gives: people who have a pair by it, pairs, and their points."""

    model_config = ConfigDict(frozen=True)

    people: int
    pairs: int
    points: int


class Weaker(Figures):
    """What one rule less would give: `level` and minutes become `to`, other rules do not ask for anything any more, and
    who has not accepted the charter, or whose line is not complete, is placed as if it were. Points are those of the
    rules as they are."""

    rule: str
    to: int | None


class Feasibility(BaseModel):
    """What a round that is opened now would give, whom no round can place and by which rule (`reasons` by side), and
    which rule costs what; no what-if where the program is too large to solve it again and again."""

    model_config = ConfigDict(frozen=True)

    mentors: int
    executives: int
    now: Figures
    reasons: dict[Side, dict[str, int]]
    weaker: list[Weaker] | None
    unplaceable: list[PersonWhy]


def feasibility(cohort: Cohort) -> Feasibility:
    """Solve a cohort and say who cannot be placed, whatever is taken by whom."""
    solution = Solution.of(cohort)
    found = [
        why
        for side in SIDES
        for why in people(solution, side, range(len(solution.people(side))))
        if not why.partners and why.reason != "taken"
    ]
    reasons = {side: dict(Counter(str(why.reason) for why in found if why.side is side)) for side in SIDES}
    return Feasibility(
        mentors=len(cohort.mentors),
        executives=len(cohort.executives),
        now=_figures(solution.solved.result),
        reasons=reasons,
        weaker=list(weaker(solution)) if can_ask(solution) else None,
        unplaceable=sorted(found, key=lambda why: (why.person, why.side.value)),
    )


def can_ask(solution: Solution) -> bool:
    """Whether the problem is small enough to be solved again and again."""
    return len(solution.cohort.mentors) * len(solution.cohort.executives) <= MOST


def objectives(solution: Solution) -> dict[Objective, Figures]:
    """What the round gives, under the program's objective, and what the others would give, whatever is locked."""
    solved = solution.solved
    goals: list[Goal] = sorted(get_args(Goal), key=lambda goal: goal != solved.problem.goal)
    others = {goal: solved.instead(solution.free.with_goal(goal)).result for goal in goals[1:]}
    return {Objective(goal): _figures(others.get(goal, solved.result)) for goal in goals}


def weaker(solution: Solution) -> Iterator[Weaker]:
    """Of each rule that keeps better pairs from the answer what a step less would give."""
    for rule, to, posed in _weakened(solution):
        result = solution.solved.instead(posed).result
        a, b = result.pairs[:, 0], result.pairs[:, 1]
        if not _all_allowed(solution, a, b):
            points = int(solution.scores.points(a, b).sum())
            yield Weaker(rule=rule, to=to, **{**_figures(result).model_dump(), "points": points})


def _weakened(solution: Solution) -> Iterator[tuple[str, int | None, Problem]]:
    posed = solution.solved.problem
    for rule in RULES:
        other = relaxed(posed, rule)
        if other is not None:
            steps = {
                "level": other.rules.level_gap,
                "window": other.rules.window_minutes,
                "overlap": other.rules.overlap_minutes,
            }
            yield rule, steps.get(rule), other
    for why in OBSTACLES:
        blocked = [np.array([obstacle(c) == why for c in solution.people(side)], dtype=np.bool_) for side in SIDES]
        if any(side.any() for side in blocked):
            sides = zip((posed.mentors, posed.executives), blocked, strict=True)
            mentors, executives = (replace(side, placeable=side.placeable | more) for side, more in sides)
            yield why, None, replace(posed, mentors=mentors, executives=executives)


def _all_allowed(solution: Solution, a: Ints, b: Ints) -> bool:
    posed = solution.solved.problem
    placeable = posed.mentors.placeable[a] & posed.executives.placeable[b]
    return bool((solution.scores.allowed(a, b) & placeable).all())


def _figures(result: Result) -> Figures:
    return Figures(**outcome(result)._asdict())
