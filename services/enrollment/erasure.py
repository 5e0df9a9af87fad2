"""The erasure of a person: asked for once, and over once everybody has deleted and it was proven. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import singledispatch

from chassis.deciding.decider import Aggregate, Command, Refused, State, Unhandled
from contracts import enrollment
from contracts.enrollment import ErasureRequested, ParticipantErased
from contracts.fact import Fact
from contracts.types import Date, Digest, PersonId, ProgramId

WITHIN_DAYS = 30
"""How long an erasure may take before somebody has to look."""


class RequestErasure(Command):
    """Let everything personal of somebody be deleted; `programs` are those that keep something of them."""

    person: PersonId
    programs: tuple[ProgramId, ...]


class CompleteErasure(Command):
    """Everybody has deleted, and nothing was found; `proof` is the digest of what was looked at."""

    proof: Digest


class Erasure(State):
    """How far it has come. No `due`: nobody has asked for it."""

    person: str = ""
    programs: tuple[ProgramId, ...] = ()
    due: Date | None = None
    proof: str = ""


@singledispatch
def decide(command: Command, erasure: Erasure, now: datetime) -> list[Fact]:
    raise Unhandled(type(command).__name__)


@decide.register
def _(command: RequestErasure, erasure: Erasure, now: datetime) -> list[Fact]:
    if erasure.due:
        return []
    due = (now + timedelta(days=WITHIN_DAYS)).date()
    return [ErasureRequested(person=command.person, programs=list(command.programs), due=due)]


@decide.register
def _(command: CompleteErasure, erasure: Erasure, now: datetime) -> list[Fact]:
    if not erasure.due:
        raise Refused("not-requested", "nobody has asked for this erasure")
    return [] if erasure.proof else [ParticipantErased(person=erasure.person, proof=command.proof)]


def evolve(erasure: Erasure, fact: Fact) -> Erasure:
    match fact:
        case ErasureRequested():
            return Erasure(person=fact.person, programs=tuple(fact.programs), due=fact.due)
        case ParticipantErased():
            return erasure.model_copy(update={"proof": fact.proof})
    return erasure


ERASURE = Aggregate(enrollment.ERASURE, Erasure(), decide, evolve)
