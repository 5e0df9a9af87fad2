"""The import of one roster file into one program. Facts in, facts out; no database, no clock, no broker."""

from __future__ import annotations

from datetime import datetime
from functools import singledispatch

from chassis.deciding.decider import Aggregate, Command, State, Unhandled
from contracts import enrollment
from contracts.enrollment import RosterImported, RowFault
from contracts.fact import Fact
from contracts.types import ContentId, Digest, ImportId


class RecordImport(Command):
    """The valid rows of a file have been taken; these are the counts."""

    roster: ImportId
    file: Digest
    rows: int
    added: int
    changed: int
    unchanged: int
    rejected: int
    faults: dict[RowFault, int]
    content: ContentId


class Imported(State):
    """Whether the file was taken before."""

    before: bool = False


@singledispatch
def decide(command: Command, imported: Imported, now: datetime) -> list[Fact]:
    raise Unhandled(type(command).__name__)


@decide.register
def _(command: RecordImport, imported: Imported, now: datetime) -> list[Fact]:
    if imported.before and not command.added and not command.changed:
        return []
    return [RosterImported(**dict(command))]


def evolve(imported: Imported, fact: Fact) -> Imported:
    match fact:
        case RosterImported():
            return Imported(before=True)
    return imported


IMPORT = Aggregate(enrollment.IMPORT, Imported(), decide, evolve)
