"""A proposal: two people who could become a pair. The coordinator judges it, then the mentor, then the executive."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import singledispatch
from typing import Any, Literal, TypeVar

from pydantic import Field

from chassis.deciding.decider import Aggregate, Command, Refused, State
from contracts.enrollment import Term
from contracts.fact import Fact
from contracts.matching import PROPOSAL as CATEGORY
from contracts.matching import (
    ConsentAsked,
    ConsentGiven,
    DeclineCause,
    Origin,
    PairDeclined,
    PairProposed,
    ProposalReviewed,
    Verdict,
)
from contracts.types import Instant, Side

APPROVING = frozenset({Verdict.approved, Verdict.locked})
ASKERS = {Origin.mentor: Side.mentor, Origin.executive: Side.executive}
REPLACED = frozenset({Verdict.rejected, Verdict.swapped})
"""Verdicts after which the round goes on without the pair."""


class Propose(Command):
    """Write down a pair for the coordinator to judge: one that a round found, or a `locked` one that they pick.

    A pair that fell out of the round can come back; one that was rejected or swapped does where it is picked.
    """

    program: str
    proposal: str
    mentor: str
    executive: str
    round: str
    origin: Origin = Origin.round
    locked: bool = False
    rules_version: int
    score: int
    terms: dict[Term, int]
    after: list[str]


class AskForPair(Command):
    """Write down a pair that somebody asks for without a round, and ask the `first` side, until `lapses`. A mentor who
    asks has said yes, and so has an executive, but theirs counts only with the mentor's."""

    program: str
    proposal: str
    mentor: str
    executive: str
    origin: Origin
    rules_version: int
    score: int
    terms: dict[Term, int]
    after: list[str]
    first: Side
    lapses: datetime


class ReviewProposal(Command):
    """The coordinator's verdict. `unless_reviewed` leaves a proposal alone that has one. A pair that was rejected or
    swapped has been replaced since: only `Propose` brings it back."""

    verdict: Verdict
    unless_reviewed: bool = False


class AskConsent(Command):
    """The round is published: ask the first side where the verdict approves, otherwise the proposal is over."""

    side: Side
    lapses: datetime


class AnswerConsent(Command):
    """A side answers; a yes, or an ask, can be taken back until the pair is formed. After the mentor's yes the
    executive is asked, until `lapses`, unless it was they who asked for the pair. No time passes while one of the two
    is away: so long it has `stood_still`."""

    side: Side
    yes: bool
    lapses: datetime
    stood_still: timedelta = timedelta()


class CloseProposal(Command):
    """Give a proposal up: it can no longer become a pair. `unless_locked` leaves it alone where it is locked."""

    cause: DeclineCause
    unless_locked: bool = False


class LapseConsent(Command):
    """The time to answer is over for one side."""

    side: Side


class Proposal(State):
    """How far two people have come towards being a pair. `agreed` is written together with the pair itself."""

    state: Literal["none", "proposed", "asked", "agreed", "declined"] = "none"
    program: str = ""
    proposal: str = ""
    mentor: str = ""
    executive: str = ""
    round: str = ""
    origin: Origin = Origin.round
    rules_version: int = 0
    score: int = 0
    terms: dict[Term, int] = Field(default_factory=dict)
    after: tuple[str, ...] = ()
    verdict: Verdict | None = None
    asked: tuple[Side, ...] = ()
    awaited: Side | None = None
    lapses: Instant | None = None
    answer_by: Instant | None = None
    """Until when whoever was asked first had time."""
    given: tuple[Side, ...] = ()
    cause: DeclineCause | None = None

    def person(self, side: Side) -> str:
        """Who is on that side."""
        return self.mentor if side is Side.mentor else self.executive

    @property
    def asker(self) -> Side | None:
        """The one of the two whose idea it was."""
        return ASKERS.get(self.origin)

    @property
    def last(self) -> Side:
        """The side whose yes makes the pair: the executive, unless it was they who asked for it."""
        return Side.mentor if self.asker is Side.executive else Side.executive

    @property
    def living(self) -> bool:
        """Whether it is among those of which the round's result is made: nobody asked yet, and not replaced."""
        return self.state == "proposed" and self.verdict not in REPLACED

    @property
    def standing(self) -> bool:
        """Whether it takes a seat of each of the two in its round: it is living, or was published and not declined."""
        return self.living or self.state in ("asked", "agreed")

    @property
    def fell_out(self) -> bool:
        """Whether the round was solved again without it, before anybody was asked."""
        return self.cause is DeclineCause.superseded and not self.asked and self.verdict not in REPLACED


P = TypeVar("P", bound=Proposal)
_ASKED = "the two have been asked, or one has left: a verdict changes nothing any more; either may still say no"
_REPLACED = "the round goes on without this pair; to have it after all, pick it: POST …/rounds/{round}/pairs"


@singledispatch
def decide(command: Any, proposal: Proposal, now: datetime) -> list[Fact]:
    """Facts that follow from a command, or `Refused`."""
    raise TypeError(f"a proposal knows no {type(command).__name__}")


@decide.register
def _(command: Propose, proposal: Proposal, now: datetime) -> list[Fact]:
    facts: list[Fact] = []
    replaced = proposal.state == "proposed" and not proposal.living
    if proposal.state == "none" or proposal.fell_out or (command.locked and replaced):
        facts.append(PairProposed(**command.model_dump(exclude={"locked"})))
    if not command.locked:
        return facts
    if not facts and proposal.state != "proposed":
        raise Refused("not-reviewable", _ASKED)
    if facts or proposal.verdict is not Verdict.locked:
        facts.append(_reviewed(command, Verdict.locked))
    return facts


@decide.register
def _(command: AskForPair, proposal: Proposal, now: datetime) -> list[Fact]:
    if proposal.state != "none":
        return []
    proposed = PairProposed(**command.model_dump(exclude={"first", "lapses"}))
    made = evolve(proposal, proposed)
    given = [_given(made, Side.mentor)] if made.asker is Side.mentor else []
    return [proposed, *given, _asked(made, command.first, command.lapses)]


@decide.register
def _(command: ReviewProposal, proposal: Proposal, now: datetime) -> list[Fact]:
    if proposal.state == "none":
        raise Refused("no-such-proposal", "there is no such proposal")
    if command.unless_reviewed and (proposal.verdict or proposal.state != "proposed"):
        return []
    verdict = None if command.verdict is Verdict.unlocked else command.verdict
    if verdict is proposal.verdict and (proposal.living or verdict is Verdict.rejected):
        return []
    if proposal.fell_out or (proposal.state == "proposed" and not proposal.living):
        raise Refused("replaced", _REPLACED)
    if proposal.state != "proposed":
        raise Refused("not-reviewable", _ASKED)
    return [_reviewed(proposal, command.verdict)]


@decide.register
def _(command: AskConsent, proposal: Proposal, now: datetime) -> list[Fact]:
    if proposal.state != "proposed":
        return []
    if proposal.verdict not in APPROVING:
        return [_declined(proposal, DeclineCause.superseded)]
    return [_asked(proposal, command.side, command.lapses)]


@decide.register
def _(command: AnswerConsent, proposal: Proposal, now: datetime) -> list[Fact]:
    side = command.side
    if side is proposal.asker and command.yes:
        raise Refused("already-asked", "you asked for this pair yourself; the answer is up to the other one")
    if side not in proposal.asked and side is not proposal.asker:
        raise Refused("not-asked", "this side has not been asked")
    if proposal.state == "declined":
        if not command.yes:
            return []
        raise Refused("closed", "this proposal is over; nothing is left to answer")
    if command.yes and side in proposal.given:
        return []
    if proposal.state == "agreed":
        raise Refused("already-formed", "the pair is formed; to end it, leave the pair")
    if not command.yes:
        return [_declined(proposal, DeclineCause.declined)]
    if proposal.lapses and now >= proposal.lapses + command.stood_still:
        raise Refused("lapsed", "the time to answer is over")
    if side is not proposal.last:
        return [_given(proposal, side), _asked(proposal, Side.executive, command.lapses)]
    both = [Side.mentor, Side.executive] if proposal.asker is Side.executive else [side]
    return [_given(proposal, each) for each in both]


@decide.register
def _(command: CloseProposal, proposal: Proposal, now: datetime) -> list[Fact]:
    if command.unless_locked and proposal.verdict is Verdict.locked:
        return []
    return [_declined(proposal, command.cause)] if proposal.state in ("proposed", "asked") else []


@decide.register
def _(command: LapseConsent, proposal: Proposal, now: datetime) -> list[Fact]:
    return [_declined(proposal, DeclineCause.lapsed)] if proposal.awaited is command.side else []


def _given(proposal: Proposal, side: Side) -> ConsentGiven:
    person = proposal.person(side)
    return ConsentGiven(program=proposal.program, proposal=proposal.proposal, person=person, side=side)


def _reviewed(of: Propose | Proposal, verdict: Verdict) -> ProposalReviewed:
    return ProposalReviewed(program=of.program, proposal=of.proposal, verdict=verdict, round=of.round or None)


def _asked(proposal: Proposal, side: Side, lapses: datetime) -> ConsentAsked:
    return ConsentAsked(
        program=proposal.program,
        proposal=proposal.proposal,
        person=proposal.person(side),
        side=side,
        lapses=lapses,
    )


def _declined(proposal: Proposal, cause: DeclineCause) -> PairDeclined:
    return PairDeclined(program=proposal.program, proposal=proposal.proposal, cause=cause)


_PROPOSED = ("program", "proposal", "mentor", "executive", "origin", "rules_version", "score", "terms")


def evolve(proposal: P, fact: Fact) -> P:
    """The proposal after one more fact."""
    match fact:
        case PairProposed():
            kept = {k: getattr(fact, k) for k in _PROPOSED} | {"round": fact.round or "", "after": tuple(fact.after)}
            return proposal.model_copy(update={"state": "proposed", "verdict": None, "cause": None} | kept)
        case ProposalReviewed():
            verdict = None if fact.verdict is Verdict.unlocked else fact.verdict
            return proposal.model_copy(update={"verdict": verdict})
        case ConsentAsked():
            return proposal.model_copy(
                update={
                    "state": "asked",
                    "asked": (*proposal.asked, fact.side),
                    "awaited": fact.side,
                    "lapses": fact.lapses,
                    "answer_by": proposal.answer_by or fact.lapses,
                }
            )
        case ConsentGiven():
            state = "agreed" if fact.side is Side.executive else proposal.state
            return proposal.model_copy(
                update={"state": state, "given": (*proposal.given, fact.side), "awaited": None, "lapses": None}
            )
        case PairDeclined():
            over = {"state": "declined", "cause": fact.cause, "awaited": None, "lapses": None}
            return proposal.model_copy(update=over)
    return proposal


PROPOSAL = Aggregate(CATEGORY, Proposal(), decide, evolve)
