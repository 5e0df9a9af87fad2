"""A program: opened once, with its rules. Facts in, facts out; no database, no clock, no broker."""

from __future__ import annotations

from datetime import date, datetime
from functools import singledispatch

from chassis.deciding.decider import Aggregate, Command, Refused, State, Unhandled
from contracts import enrollment
from contracts.enrollment import ProgramOpened, Rules
from contracts.fact import Fact
from contracts.types import ProgramId


class OpenProgram(Command):
    """Open a program; its floors are fixed from now on."""

    program: ProgramId
    rules: Rules
    opens: date
    closes: date
    floor_numbers: int
    floor_words: int


class Program(State):
    """What is asked of a program once it is open. `rules_version` 0: there is no such program."""

    rules: Rules = Rules()
    rules_version: int = 0
    opens: date | None = None
    closes: date | None = None
    floor_numbers: int = 0
    floor_words: int = 0


@singledispatch
def decide(command: Command, program: Program, now: datetime) -> list[Fact]:
    raise Unhandled(type(command).__name__)


@decide.register
def _(command: OpenProgram, program: Program, now: datetime) -> list[Fact]:
    if program.rules_version:
        return []
    if command.closes <= command.opens:
        raise Refused("closes-too-early", "a program closes after it opens; choose a later day", pointer="/closes")
    if command.rules.window_minutes < command.rules.minutes:
        raise Refused(
            "window-too-short",
            f"a common window of {command.rules.window_minutes} minutes holds no session of {command.rules.minutes}; "
            "make the window at least as long as a session",
            pointer="/rules/window_minutes",
        )
    return [ProgramOpened(rules_version=1, **dict(command))]


def evolve(program: Program, fact: Fact) -> Program:
    match fact:
        case ProgramOpened():
            return Program(**{name: getattr(fact, name) for name in Program.model_fields})
    return program


PROGRAM = Aggregate(enrollment.PROGRAM, Program(), decide, evolve)
