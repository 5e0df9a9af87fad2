"""A person a roster has named, in whatever program. Facts in, facts out; no database, no clock, no broker."""

from __future__ import annotations

from datetime import datetime
from functools import singledispatch

from chassis.deciding.decider import Aggregate, Command, State, Unhandled
from contracts import enrollment
from contracts.enrollment import PersonAdded, PersonChanged, PersonField
from contracts.fact import Fact
from contracts.types import ImportId, PersonId


class NotePerson(Command):
    """A roster says something of a person that was not known, now in their state record at `rev`."""

    person: PersonId
    roster: ImportId
    rev: int
    changed: tuple[PersonField, ...]


class Noted(State):
    """The revision of the person's state record at the last change; 0: no roster has named them."""

    rev: int = 0


@singledispatch
def decide(command: Command, noted: Noted, now: datetime) -> list[Fact]:
    raise Unhandled(type(command).__name__)


@decide.register
def _(command: NotePerson, noted: Noted, now: datetime) -> list[Fact]:
    if command.rev <= noted.rev:
        return []
    if noted.rev == 0:
        return [PersonAdded(person=command.person, roster=command.roster, rev=command.rev)]
    if not command.changed:
        return []
    return [PersonChanged(person=command.person, roster=command.roster, rev=command.rev, changed=list(command.changed))]


def evolve(noted: Noted, fact: Fact) -> Noted:
    match fact:
        case PersonAdded() | PersonChanged():
            return Noted(rev=fact.rev)
    return noted


PERSON = Aggregate(enrollment.PERSON, Noted(), decide, evolve)
