"""A frozen cohort as the solver's arrays: words become bits, windows quarter hours in UTC, lines pairs."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from contracts.enrollment import Objective, Term
from services.matching.cohort import Candidate, Cohort
from services.matching.overlap import calendars, seasons, week
from services.matching.solver import TERMS, Goal, People, Problem, Rules
from services.matching.solver.problem import Bits, Ints

_GOALS: dict[Objective, Goal] = {Objective.most_pairs: "most_pairs", Objective.best_pairs: "best_pairs"}


@dataclass(frozen=True)
class Pairs:
    """Pairs (mentor's row, executive's row) that are kept apart by who the two are."""

    line: Ints
    """One is in the other's reporting line, or they are the same person."""
    partner: Ints
    """They were a pair, said no, or one of them does not want to meet the other."""


def problem(cohort: Cohort) -> tuple[Problem, Pairs]:
    """The problem that a cohort poses, and why its pairs `apart` are."""
    mentors, executives, rules = cohort.mentors, cohort.executives, cohort.rules
    pairs = Pairs(_line(cohort), _rows(cohort, cohort.barred))
    people = [*mentors, *executives]
    first = sum(rules.weights.get(Term(term), 0) for term in TERMS)  # to go first is worth more than any pair's score
    codes = _Codes(people)
    over = seasons({c.zone for c in people}, cohort.opens, cohort.closes)
    return Problem(
        mentors=_side(mentors, codes, first, calendars([(week(c.windows), c.zone) for c in mentors], over)),
        executives=_side(executives, codes, first, calendars([(week(c.windows), c.zone) for c in executives], over)),
        rules=Rules(
            weights=tuple(rules.weights.get(Term(term), 0) for term in TERMS),
            level_gap=rules.level_gap,
            window_minutes=rules.window_minutes,
            overlap_minutes=rules.overlap_minutes,
            other_function=rules.other_function,
            other_site=rules.other_site,
        ),
        goal=_GOALS.get(rules.objective, "most_people"),
        apart=np.unique(np.concatenate([pairs.line, pairs.partner]), axis=0),
    ), pairs


def obstacle(candidate: Candidate) -> str | None:
    """What keeps somebody from being placed with anybody. A line with somebody missing must not pass as one that nobody
    is in."""
    if not candidate.charter:
        return "charter"
    return None if candidate.line_complete else "line_incomplete"


class _Codes:
    """Words as numbers that mean the same on both sides."""

    def __init__(self, people: Sequence[Candidate]) -> None:
        self.functions = _numbers({c.function or "" for c in people})
        self.sites = _numbers({c.site or "" for c in people})
        self.languages = _numbers({word for c in people for word in c.languages})
        self.channels = _numbers({word.value for c in people for word in c.channels})
        self.themes = _numbers({word for c in people for word in (*c.offers, *c.seeks)})


def _numbers(words: set[str]) -> dict[str, int]:
    return {word: k for k, word in enumerate(sorted(words))}


def _side(people: Sequence[Candidate], codes: _Codes, first: int, free: Bits) -> People:
    def ints(of: Callable[[Candidate], int]) -> Ints:
        return np.array([of(c) for c in people], dtype=np.int64)

    def bits(of: Callable[[Candidate], Iterable[str]], numbers: dict[str, int]) -> Bits:
        return _bits([of(c) for c in people], numbers)

    return People(
        ids=np.array([_hash(c.person) for c in people], dtype=np.uint64),
        seats=ints(lambda c: c.seats),
        placeable=np.array([obstacle(c) is None for c in people], dtype=np.bool_),
        paired=np.array([c.paired for c in people], dtype=np.bool_),
        priority=ints(lambda c: c.priority * first),
        level=ints(lambda c: c.level),
        function=ints(lambda c: codes.functions[c.function or ""]),
        site=ints(lambda c: codes.sites[c.site or ""]),
        languages=bits(lambda c: c.languages, codes.languages),
        channels=bits(lambda c: [channel.value for channel in c.channels], codes.channels)[:, 0],
        offers=bits(lambda c: c.offers, codes.themes),
        seeks=bits(lambda c: c.seeks, codes.themes),
        free=free,
    )


def _hash(person: str) -> int:
    return int.from_bytes(hashlib.blake2b(person.encode(), digest_size=8).digest(), "little")


def _bits(sets: Sequence[Iterable[str]], numbers: dict[str, int]) -> Bits:
    """One row of 64-bit words a set."""
    found = np.zeros((len(sets), max(1, -(-len(numbers) // 64))), dtype=np.uint64)
    for row, words in enumerate(sets):
        for number in {numbers[word] for word in words}:
            found[row, number // 64] |= np.uint64(1 << number % 64)
    return found


def _line(cohort: Cohort) -> Ints:
    """A line names everybody above, so that it covers the reports of somebody's reports too."""
    below = [(c.person, above) for c in cohort.mentors for above in (c.person, *c.line)]
    return _rows(cohort, below + [(above, c.person) for c in cohort.executives for above in c.line])


def _rows(cohort: Cohort, pairs: Iterable[tuple[str, str]]) -> Ints:
    """Those of the pairs (mentor, executive) that are in the cohort."""
    mentors = {c.person: row for row, c in enumerate(cohort.mentors)}
    executives = {c.person: row for row, c in enumerate(cohort.executives)}
    found = {(mentors[a], executives[b]) for a, b in pairs if a in mentors and b in executives}
    return np.array(sorted(found), dtype=np.int64).reshape(-1, 2)
