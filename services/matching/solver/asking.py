"""What if: the price of one pair, of another goal, or of a rule, each from where a solve ended."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple, get_args

import numpy as np

from services.matching.solver.problem import Certificate, Ints, People, Problem, Result
from services.matching.solver.scores import QUARTER, Scores
from services.matching.solver.solving import solve
from services.matching.solver.warm import Warm

Rule = Literal["language", "level", "function", "site", "window", "overlap"]
RULES: tuple[Rule, ...] = get_args(Rule)


class Outcome(NamedTuple):
    """People who have a pair, pairs, and points; or how much of each is lost."""

    people: int
    pairs: int
    points: int

    def less(self, other: Outcome) -> Outcome:
        """What of this is not in the other; below zero where the other has more."""
        return Outcome(*(a - b for a, b in zip(self, other, strict=True)))


def outcome(result: Result) -> Outcome:
    """What a result gives."""
    people = sum(len(np.unique(result.pairs[:, k])) for k in (0, 1))
    return Outcome(people, len(result.pairs), result.total)


@dataclass(frozen=True)
class Solved:
    """A problem with its answer, from which others are asked."""

    problem: Problem
    result: Result
    certificate: Certificate

    @classmethod
    def of(cls, problem: Problem, *, warm: Warm | None = None) -> Solved:
        """Solve a problem."""
        return cls(problem, *solve(problem, warm=warm))

    @property
    def warm(self) -> Warm:
        """Where the next one starts."""
        return Warm.of(self.problem, self.result, self.certificate)

    def instead(self, problem: Problem) -> Solved:
        """The answer to another problem of the same people."""
        return Solved.of(problem, warm=self.warm)

    def cost_of(self, mentor: int, executive: int) -> Outcome | None:
        """What everybody loses if these two rows had to be a pair: exact, zero for a pair of the answer. None where no
        answer can have it: against the rules or apart, or all seats of one are locked."""
        return next(iter(self.costs_of([(mentor, executive)])))

    def costs_of(self, pairs: Iterable[tuple[int, int]]) -> list[Outcome | None]:
        """The same for several pairs, each on its own."""
        had, scores = outcome(self.result), Scores(self.problem)
        chosen = set(map(tuple, self.result.pairs.tolist()))
        apart = set(map(tuple, self.problem.apart.tolist()))
        able = self.problem.able(0), self.problem.able(1)

        def cost(i: int, j: int) -> Outcome | None:
            if (i, j) in chosen:
                return Outcome(0, 0, 0)
            allowed = (i, j) not in apart and able[0][i] and able[1][j]
            if not allowed or not scores.allowed(np.array([i]), np.array([j])).all():
                return None
            forced = replace(self.problem, locked=np.append(self.problem.locked, [[i, j]], axis=0))
            return had.less(outcome(self.instead(forced).result))

        return [cost(i, j) for i, j in pairs]

    def least(self, mentors: Ints, executives: Ints) -> Ints:
        """For pairs of rows (two arrays of one length), at least what the value of the answer would lose with each,
        from the prices alone: to put partners in order before their exact cost is asked. Rules are not looked at."""
        pair, *_ = self.problem.gains()
        gains = Scores(self.problem).points(mentors, executives) + pair
        prices = self.certificate.mentor_prices[mentors] + self.certificate.executive_prices[executives]
        return np.asarray(np.maximum(prices - gains, 0))


def relaxed(problem: Problem, rule: Rule) -> Problem | None:
    """The problem with one rule a step weaker: any language, one level less apart, any function, any site, a session or
    the common time a quarter of an hour shorter. None where that rule asks for nothing that could be less."""
    rules = problem.rules
    if rule == "language":
        return replace(problem, mentors=_speaking(problem.mentors), executives=_speaking(problem.executives))
    weaker = {
        "level": replace(rules, level_gap=rules.level_gap - 1),
        "function": replace(rules, other_function=False),
        "site": replace(rules, other_site=False),
        "window": replace(rules, window_minutes=max(QUARTER, rules.window_minutes - QUARTER)),
        "overlap": replace(rules, overlap_minutes=max(QUARTER, rules.overlap_minutes - QUARTER)),
    }[rule]
    return None if weaker == rules else replace(problem, rules=weaker)


def _speaking(side: People) -> People:
    """The same people with one language that all of them speak."""
    common = np.ones((len(side), 1), dtype=np.uint64)
    return replace(side, languages=np.concatenate([side.languages, common], axis=1))
