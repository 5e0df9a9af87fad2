"""Living pairs against the hard rules, again when something about one of the two changes: flagged, and never ended.

What to do about it is for the coordinator and the two; a pair that talks well may be worth an exception.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import numpy as np

from chassis.deciding.decider import Aggregate, Command, On, State, Unhandled
from chassis.receiving.tasks import NotYet, Work
from contracts.fact import Fact
from contracts.matching import CHECK as CATEGORY
from contracts.matching import PairCleared, PairFlagged, PairRule
from contracts.profiles import Profile, profile_key
from services.matching.arrays import problem
from services.matching.cohort import Candidate, Cohort
from services.matching.pair import PAIR, Pair
from services.matching.solver.scores import Scores
from services.matching.views import PROFILES, PROGRAMS, ProgramRow

RULES = {
    "language": PairRule.language,
    "level": PairRule.level,
    "function": PairRule.place,
    "site": PairRule.place,
    "window": PairRule.overlap,
    "overlap": PairRule.overlap,
}
"""The word for each hard rule of a round. Partners and exclusions are none of a living pair's."""


class RecordCheck(Command):
    """A living pair was looked at: these rules are broken, and no others."""

    program: str
    pair: str
    broken: tuple[PairRule, ...]


class Check(State):
    """The rules that a pair is flagged for."""

    flagged: tuple[PairRule, ...] = ()


def decide(command: Command, check: Check, now: datetime) -> list[Fact]:
    """Only what is news is said."""
    if not isinstance(command, RecordCheck):
        raise Unhandled(type(command).__name__)
    which = {"program": command.program, "pair": command.pair}
    new = [PairFlagged(**which, rule=rule) for rule in command.broken if rule not in check.flagged]
    return [*new, *(PairCleared(**which, rule=rule) for rule in check.flagged if rule not in command.broken)]


def evolve(check: Check, fact: Fact) -> Check:
    """The check after one more fact."""
    match fact:
        case PairFlagged():
            return Check(flagged=(*check.flagged, fact.rule))
        case PairCleared():
            return Check(flagged=tuple(rule for rule in check.flagged if rule is not fact.rule))
    return check


CHECK = Aggregate(CATEGORY, Check(), decide, evolve)


async def look_at(work: Work, pair: str, revs: Mapping[str, int]) -> None:
    """Check one pair, where it lives. `revs`: the least revision of a person's profile that has the news."""
    state, _ = await work.read(PAIR, PAIR.stream(work.scope, pair))
    if state.state != "formed":
        return
    row = await work.views.get(PROGRAMS, PROGRAMS.category.stream(work.scope, work.scope))
    found = [await work.views.latest(PROFILES, profile_key(work.scope, who)) for who in (state.mentor, state.executive)]
    known = [profile for profile in found if profile is not None]
    if row is None or len(known) < len(found) or any(p.rev < revs.get(p.person, 0) for p in known):
        raise NotYet
    command = RecordCheck(program=work.scope, pair=pair, broken=broken(state, known[0], known[1], row))
    await work.run(On(CHECK, CHECK.stream(work.scope, pair), command), step=pair)


def broken(pair: Pair, mentor: Profile, executive: Profile, program: ProgramRow) -> tuple[PairRule, ...]:
    """The hard rules that two people break, in their order."""
    ours, theirs = _candidate(mentor), _candidate(executive)
    cohort = Cohort(
        program=pair.program,
        rules=program.rules,
        rules_version=program.rules_version,
        opens=program.opens,
        closes=program.closes,
        mentors=[ours],
        executives=[theirs],
        barred=[],
    )
    posed, apart = problem(cohort)
    complete = ours.line_complete and theirs.line_complete
    return _words(Scores(posed), line=bool(len(apart.line)) or not complete)


def _words(scores: Scores, *, line: bool) -> tuple[PairRule, ...]:
    row = np.zeros(1, dtype=np.int64)
    found: Sequence[PairRule] = [RULES[rule] for rule, mask in scores.masks(row, row) if not mask.all()]
    return tuple(dict.fromkeys([*([PairRule.line] if line else []), *found]))


def _candidate(profile: Profile) -> Candidate:
    known = profile.model_dump(include=Candidate.model_fields.keys() & Profile.model_fields.keys() - {"zone"})
    after = f"{profile.program}/participation/{profile.person}@1"
    return Candidate(**known, zone=profile.zone or "UTC", seats=1, paired=True, charter=True, after=after)
