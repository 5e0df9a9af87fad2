"""Who may go with whom, and how well: rules as masks, score terms as integer points, always mentors × executives."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contracts.enrollment import Term
from services.matching.cohort import Candidate, Cohort
from services.matching.overlap import common, seasons, week

Mask = NDArray[np.bool_]
Grid = NDArray[np.int32]

LEVELS_FOR_ALL = 4
"""Levels beyond the least difference that give all points of `level`."""
OVERLAP_FOR_ALL = 4
"""Times the least common minutes that give all points of `overlap`."""


class Suitability:
    """A cohort as arrays. `rules()` and `terms()` are generators so that only one grid of each is in memory."""

    def __init__(self, cohort: Cohort) -> None:
        self._cohort = cohort
        self._rules = cohort.rules
        self._mentors = cohort.mentors
        self._executives = cohort.executives
        self._shape = len(cohort.mentors), len(cohort.executives)

    def obstacles(self) -> tuple[list[str | None], list[str | None]]:
        """What keeps a mentor, or an executive, from being placed with anybody; None for nothing."""
        return [_obstacle(c) for c in self._mentors], [_obstacle(c) for c in self._executives]

    def rules(self) -> Iterator[tuple[str, Mask]]:
        """Each hard rule of the program by name, and whom it allows, in a fixed order."""
        yield "line", self._outside_each_others_line()
        yield "language", self._shared(lambda c: c.languages, lambda c: c.languages) > 0
        yield "level", self._levels_apart >= self._rules.level_gap
        if self._rules.other_function:
            yield "function", self._differ(lambda c: c.function)
        if self._rules.other_site:
            yield "site", self._differ(lambda c: c.site)
        yield "partner", self._not_barred()
        minutes, fits = self._common_time
        yield "window", fits
        yield "overlap", minutes >= self._rules.overlap_minutes

    def terms(self) -> Iterator[tuple[Term, Grid]]:
        """Each term of the score and its points, from 0 to its weight."""
        minutes, _ = self._common_time
        beyond = np.clip(self._levels_apart - self._rules.level_gap, 0, LEVELS_FOR_ALL)
        wanted = self._rules.overlap_minutes * OVERLAP_FOR_ALL
        shares: dict[Term, Callable[[], tuple[NDArray[Any], Any]]] = {
            Term.seeks: lambda: self._sought_by_executives(),
            Term.offers: lambda: self._sought_by_mentors(),
            Term.level: lambda: (beyond, LEVELS_FOR_ALL),
            Term.function: lambda: (self._differ(lambda c: c.function), 1),
            Term.place: lambda: (self._differ(lambda c: c.site), 1),
            Term.overlap: lambda: (np.minimum(minutes, wanted), wanted),
            Term.channel: lambda: (self._shared(lambda c: c.channels, lambda c: c.channels) > 0, 1),
        }
        for term, share in shares.items():
            part, whole = share()
            weight = self._rules.weights.get(term, 0)
            yield term, (part.astype(np.int64) * weight // whole).astype(np.int32)

    def scores(self) -> Grid:
        """The sum of all terms."""
        total = np.zeros(self._shape, dtype=np.int32)
        for _, points in self.terms():
            total += points
        return total

    @cached_property
    def _common_time(self) -> tuple[Grid, Mask]:
        zones = {c.zone for c in (*self._mentors, *self._executives)}
        over = seasons(zones, self._cohort.opens, self._cohort.closes)
        ours = [(week(c.windows), c.zone) for c in self._mentors]
        theirs = [(week(c.windows), c.zone) for c in self._executives]
        return common(ours, theirs, over, self._rules.window_minutes)

    @cached_property
    def _levels_apart(self) -> Grid:
        mentors = np.array([c.level for c in self._mentors], dtype=np.int32)
        executives = np.array([c.level for c in self._executives], dtype=np.int32)
        return executives[None, :] - mentors[:, None]

    def _outside_each_others_line(self) -> Mask:
        """A line names everybody above, so that it covers the reports of somebody's reports too."""
        mask = np.ones(self._shape, dtype=np.bool_)
        mentors = {c.person: i for i, c in enumerate(self._mentors)}
        executives = {c.person: j for j, c in enumerate(self._executives)}
        for i, mentor in enumerate(self._mentors):
            for above in (mentor.person, *mentor.line):
                if above in executives:
                    mask[i, executives[above]] = False
        for j, executive in enumerate(self._executives):
            for above in executive.line:
                if above in mentors:
                    mask[mentors[above], j] = False
        return mask

    def _not_barred(self) -> Mask:
        mask = np.ones(self._shape, dtype=np.bool_)
        mentors = {c.person: i for i, c in enumerate(self._mentors)}
        executives = {c.person: j for j, c in enumerate(self._executives)}
        for mentor, executive in self._cohort.barred:
            if mentor in mentors and executive in executives:
                mask[mentors[mentor], executives[executive]] = False
        return mask

    def _differ(self, of: Callable[[Candidate], str | None]) -> Mask:
        mentors = np.array([of(c) or "" for c in self._mentors])
        executives = np.array([of(c) or "" for c in self._executives])
        return np.asarray(mentors[:, None] != executives[None, :])

    def _shared(self, ours: Callable[[Candidate], Sequence[str]], theirs: Callable[[Candidate], Sequence[str]]) -> Grid:
        """How many words of a list of the mentor's are also in one of the executive's."""
        a, b = [set(ours(c)) for c in self._mentors], [set(theirs(c)) for c in self._executives]
        words = sorted(set().union(*a) & set().union(*b))
        return (_members(a, words) @ _members(b, words).T).astype(np.int32)

    def _sought_by_executives(self) -> tuple[Grid, Grid]:
        sought = np.array([max(1, len(set(c.seeks))) for c in self._executives], dtype=np.int32)
        return self._shared(lambda c: c.offers, lambda c: c.seeks), sought[None, :]

    def _sought_by_mentors(self) -> tuple[Grid, Grid]:
        sought = np.array([max(1, len(set(c.seeks))) for c in self._mentors], dtype=np.int32)
        return self._shared(lambda c: c.seeks, lambda c: c.offers), sought[:, None]


def _obstacle(candidate: Candidate) -> str | None:
    """A line with somebody missing must not pass as one that nobody is in."""
    if not candidate.charter:
        return "charter"
    return None if candidate.line_complete else "line_incomplete"


def _members(sets: Sequence[set[str]], words: Sequence[str]) -> NDArray[np.float32]:
    rows = [[word in s for word in words] for s in sets]
    return np.array(rows, dtype=np.float32).reshape(len(sets), len(words))
