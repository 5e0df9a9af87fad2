"""A round: one reproducible matching run on one frozen input, opened, solved, and published or abandoned."""

from __future__ import annotations

from datetime import datetime
from functools import singledispatch
from typing import Any, Literal

from chassis.deciding.decider import Aggregate, Command, Refused, State
from contracts.enrollment import Objective
from contracts.fact import Fact
from contracts.matching import ROUND as CATEGORY
from contracts.matching import RoundAbandoned, RoundKind, RoundOpened, RoundPublished, RoundSolved, SolutionOrdered


class OpenRound(Command):
    """Freeze an input, of which `input` is the digest."""

    program: str
    round: str
    kind: RoundKind
    rules_version: int
    objective: Objective
    mentors: int
    executives: int
    input: str
    solver: tuple[int, int, int]


class RecordSolution(Command):
    """Say what the solver found; the proposals are written already."""

    proposed: int
    unplaced_mentors: int
    unplaced_executives: int
    total: int
    optimal: bool
    certificate: str
    millis: int


class OrderSolution(Command):
    """Have it solved again: what is locked stays, everything else may change."""


class AbandonRound(Command):
    """Give the round up, at any time before it is published."""


class PublishRound(Command):
    """Let the result out. The counts are of the verdicts of what is under review. `rest` says what becomes of what has
    none: it stays under review (`keep`) or comes to nothing (`drop`); with None there may be none."""

    approved: int
    rejected: int
    undecided: int
    rest: Literal["keep", "drop"] | None = None


class Round(State):
    """How far a round has come, and its figures."""

    state: Literal["none", "opened", "solved", "published", "abandoned"] = "none"
    ordered: bool = False
    """Whether a solution was ordered that there is not yet."""
    program: str = ""
    round: str = ""
    kind: RoundKind | None = None
    objective: Objective | None = None
    rules_version: int = 0
    mentors: int = 0
    executives: int = 0
    input: str = ""
    proposed: int = 0
    total: int = 0
    optimum: int | None = None
    """The total of the first result, which no verdict had changed."""
    optimal: bool = False
    certificate: str = ""
    millis: int = 0
    approved: int = 0
    rejected: int = 0


@singledispatch
def decide(command: Any, round: Round, now: datetime) -> list[Fact]:
    """Facts that follow from a command, or `Refused`."""
    raise TypeError(f"a round knows no {type(command).__name__}")


@decide.register
def _(command: OpenRound, round: Round, now: datetime) -> list[Fact]:
    if round.state != "none":
        return []
    if not command.mentors or not command.executives:
        raise Refused("nobody-to-place", "a round needs a mentor and an executive with a free seat; enrol people first")
    return [RoundOpened(**command.model_dump(exclude={"solver"}), solver=list(command.solver))]


@decide.register
def _(command: RecordSolution, round: Round, now: datetime) -> list[Fact]:
    if round.state == "none":
        raise Refused("no-such-round", "there is no such round")
    if round.state not in ("opened", "solved"):
        return []
    return [RoundSolved(program=round.program, round=round.round, **command.model_dump())]


@decide.register
def _(command: OrderSolution, round: Round, now: datetime) -> list[Fact]:
    if round.state == "opened" or round.ordered:
        return []
    _under_review(round)
    return [SolutionOrdered(program=round.program, round=round.round)]


@decide.register
def _(command: AbandonRound, round: Round, now: datetime) -> list[Fact]:
    if round.state == "abandoned":
        return []
    if round.state != "opened":
        _under_review(round)
    return [RoundAbandoned(program=round.program, round=round.round)]


def _under_review(round: Round) -> None:
    if round.state != "solved":
        raise Refused("not-under-review", f"the round is {round.state}, and nothing changes it any more; open another")


@decide.register
def _(command: PublishRound, round: Round, now: datetime) -> list[Fact]:
    match round.state:
        case "published":
            return []
        case "none" | "opened":
            raise Refused("not-solved", "the round has no result yet; wait until it is solved")
        case "abandoned":
            _under_review(round)
    if command.undecided and command.rest is None:
        raise Refused(
            "undecided",
            f"{command.undecided} proposals have no verdict; review them or approve the rest, then publish; or say what"
            ' becomes of them: {"rest": "keep"} or {"rest": "drop"}',
        )
    kept = command.undecided if command.rest == "keep" else 0
    if kept and not command.approved:
        raise Refused("nothing-approved", "there is nothing to publish yet; approve or lock a proposal first")
    return [
        RoundPublished(
            program=round.program,
            round=round.round,
            approved=round.approved + command.approved,
            rejected=command.rejected,
            kept=kept or None,
        )
    ]


_OPENED = ("program", "round", "kind", "objective", "rules_version", "mentors", "executives", "input")
_SOLVED = ("proposed", "total", "optimal", "certificate", "millis")


def evolve(round: Round, fact: Fact) -> Round:
    """The round after one more fact."""
    match fact:
        case RoundOpened():
            return round.model_copy(update={"state": "opened"} | {k: getattr(fact, k) for k in _OPENED})
        case RoundSolved():
            first = fact.total if round.optimum is None else round.optimum
            found = {k: getattr(fact, k) for k in _SOLVED} | {"optimum": first}
            return round.model_copy(update={"state": "solved", "ordered": False} | found)
        case SolutionOrdered():
            return round.model_copy(update={"ordered": True})
        case RoundAbandoned():
            return round.model_copy(update={"state": "abandoned", "ordered": False})
        case RoundPublished():
            counts = {"approved": fact.approved, "rejected": fact.rejected}
            return round.model_copy(update={"state": "solved" if fact.kept else "published"} | counts)
    return round


ROUND = Aggregate(CATEGORY, Round(), decide, evolve)
