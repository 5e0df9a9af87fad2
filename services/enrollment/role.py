"""What one person may do in a program beyond taking part. Facts in, facts out; no database, no clock, no broker."""

from __future__ import annotations

from datetime import datetime
from functools import singledispatch

from chassis.deciding.decider import Aggregate, Command, Refused, State, Unhandled
from contracts import enrollment
from contracts.enrollment import Role, RoleGranted
from contracts.fact import Fact
from contracts.types import PersonId, ProgramId


class GrantRole(Command):
    """Let a person act in a role; a delegate acts for somebody."""

    program: ProgramId
    person: PersonId
    role: Role
    for_person: PersonId | None = None


class Roles(State):
    """The roles one person holds, each with whom it is for."""

    held: frozenset[tuple[Role, PersonId | None]] = frozenset()


@singledispatch
def decide(command: Command, roles: Roles, now: datetime) -> list[Fact]:
    raise Unhandled(type(command).__name__)


@decide.register
def _(command: GrantRole, roles: Roles, now: datetime) -> list[Fact]:
    if (command.role, command.for_person) in roles.held:
        return []
    if command.role is Role.delegate and command.for_person is None:
        raise Refused("for-whom", "a delegate acts for somebody; name the executive", pointer="/for_person")
    if command.role is not Role.delegate and command.for_person is not None:
        raise Refused("for-nobody", f"a {command.role} acts for nobody", pointer="/for_person")
    if command.for_person == command.person:
        raise Refused("for-themselves", "nobody is their own delegate; name somebody else", pointer="/for_person")
    return [RoleGranted(**dict(command))]


def evolve(roles: Roles, fact: Fact) -> Roles:
    match fact:
        case RoleGranted():
            return Roles(held=roles.held | {(fact.role, fact.for_person)})
    return roles


ROLE = Aggregate(enrollment.ROLE, Roles(), decide, evolve)
