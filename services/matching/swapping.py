"""What a coordinator changes in a round's result by hand: partners swapped, a pair picked; and what it would cost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from chassis.deciding.decider import On, Refused
from contracts.matching import Origin, Verdict
from services.matching.cohort import Cohort
from services.matching.forming import proposal_id
from services.matching.judging import WHY, Judged, judge
from services.matching.proposal import PROPOSAL, Proposal, Propose, ReviewProposal


class Change(NamedTuple):
    """Proposals that would go, and pairs that would come in their place."""

    go: tuple[Proposal, ...]
    come: tuple[Judged, ...]

    @property
    def points(self) -> int:
        """By how many points the total changes, before the round is solved around it."""
        return sum(c.score for c in self.come) - sum(p.score for p in self.go)

    def allowed(self) -> None:
        """Raises Refused where a rule keeps two apart who would come together."""
        for pair in self.come:
            if pair.rule:
                raise Refused("not-possible", f"{WHY[pair.rule]}; choose somebody else")

    def commands(self, program: str, round: str, rules_version: int) -> tuple[On, ...]:
        """What does it: to be run together."""
        made = [
            On(PROPOSAL, PROPOSAL.stream(program, p.proposal), ReviewProposal(verdict=Verdict.swapped)) for p in self.go
        ]
        for pair in self.come:
            proposal = proposal_id(round, pair.mentor.person, pair.executive.person)
            command = Propose(
                program=program,
                proposal=proposal,
                mentor=pair.mentor.person,
                executive=pair.executive.person,
                round=round,
                origin=Origin.coordinator,
                locked=True,
                rules_version=rules_version,
                score=pair.score,
                terms=pair.terms,
                after=pair.after,
            )
            made.append(On(PROPOSAL, PROPOSAL.stream(program, proposal), command))
        return tuple(made)


def swapped(cohort: Cohort, first: Proposal, second: Proposal) -> Change:
    """The change by which two pairs exchange their partners."""
    if first.mentor == second.mentor or first.executive == second.executive:
        raise Refused("nothing-to-swap", "the two proposals share a person: swapping would change nothing")
    crossed = ((first.mentor, second.executive), (second.mentor, first.executive))
    return Change((first, second), tuple(_judged(cohort, *pair) for pair in crossed))


def picked(
    cohort: Cohort,
    mentor: str,
    executive: str,
    standing: Sequence[Proposal],
) -> Change:
    """The change by which a mentor and an executive come together. Where one has no seat left for it, their worst pair
    that is neither locked nor published goes; `standing` are the proposals of the round that take seats."""
    pair = _judged(cohort, mentor, executive)
    others = [p for p in standing if (p.mentor, p.executive) != (mentor, executive)]
    go: dict[str, Proposal] = {}
    for seats, theirs in (
        (pair.mentor.seats, [p for p in others if p.mentor == mentor]),
        (pair.executive.seats, [p for p in others if p.executive == executive]),
    ):
        loose = (p for p in theirs if p.living and p.verdict is not Verdict.locked)
        free = sorted(loose, key=lambda p: (p.score, p.proposal))
        too_many = len(theirs) + 1 - seats
        if too_many > len(free):
            raise Refused(
                "locked", "every seat of one of the two is for a pair that is locked or published; unlock one first"
            )
        go |= {p.proposal: p for p in free[: max(0, too_many)]}
    return Change(tuple(go.values()), (pair,))


def _judged(cohort: Cohort, mentor: str, executive: str) -> Judged:
    judged = judge(cohort, mentor, executive)
    if judged is None:
        raise Refused("not-in-round", "one of the two is not in what this round was computed from; open another round")
    return judged


def told(change: Change) -> dict[str, Any]:
    """The change as an answer shows it: each pair with its points, term by term."""
    return {
        "before": [
            p.model_dump(mode="json", include={"proposal", "mentor", "executive", "score", "terms"}) for p in change.go
        ],
        "after": [
            {
                "mentor": pair.mentor.person,
                "executive": pair.executive.person,
                "score": pair.score,
                "terms": {term.value: points for term, points in pair.terms.items()},
                "allowed": pair.rule is None,
                "rule": pair.rule,
                "why_not": WHY[pair.rule] if pair.rule else None,
            }
            for pair in change.come
        ],
        "points": change.points,
    }
