"""What a roster changes: who is new, who changed in what, and which rows fall to what other rows say. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from contracts.enrollment import PersonField, RowFault
from contracts.types import PersonId
from services.enrollment.roster.lines import circular, line
from services.enrollment.roster.reading import SHOWN, Entry, Fault, Roster

FIELDS: Mapping[str, PersonField] = {
    "name": PersonField.name,
    "mail": PersonField.mail,
    "language": PersonField.language,
    "login": PersonField.subject,
    "level": PersonField.level,
    "function": PersonField.function,
    "site": PersonField.site,
    "zone": PersonField.zone,
    "line": PersonField.line,
    "line_complete": PersonField.line,
}
"""What is said of a person, and the word for it in a fact. All else is a proposal for their part in one program."""


class Member(Entry):
    """A person of a program's roster, with the persons above them."""

    person: PersonId
    line: tuple[PersonId, ...] = ()
    line_complete: bool = False
    own: tuple[str, ...] = ()
    """The fields that the person has changed themselves: no file says otherwise."""


@dataclass(frozen=True)
class Change:
    """What becomes of one member. `before` None: new in this program. `fields`: what changed of the person."""

    member: Member
    before: Member | None
    fields: tuple[PersonField, ...]


@dataclass(frozen=True)
class Plan:
    """What an import would do.

    `taken` are the members of the valid rows, by row; `changes` those of them that are new or changed, and the members
    of earlier imports whose reporting line is another one now.
    """

    taken: Mapping[int, Member]
    changes: Sequence[Change]
    faults: Sequence[Fault]

    @property
    def new(self) -> int:
        return sum(change.before is None for change in self.changes)

    @property
    def changed(self) -> int:
        """Members of this file that changed."""
        taken = {member.person for member in self.taken.values()}
        return sum(change.before is not None and change.member.person in taken for change in self.changes)


def plan(
    roster: Roster,
    stored: Mapping[PersonId, Member],
    known: Callable[[Entry], tuple[PersonId | None, PersonId | None]],
    new_person: Callable[[Entry], PersonId],
) -> Plan:
    """Compare a roster with what is stored.

    `known(entry)` answers the persons that its employee number and its login mean, `new_person(entry)` a new id.
    """
    faults = list(roster.faults)
    entries = dict(roster.entries)
    _reject(entries, faults, _without_manager(entries, roster.named | {m.employee for m in stored.values()}))
    persons = _persons(entries, faults, known, new_person)
    _reject_circles(entries, faults, persons, stored)
    everybody = _everybody(entries, persons, stored)
    members = _with_lines(everybody)
    taken = {row: members[persons[row]] for row in entries}
    changes = [c for m in members.values() if (c := _change(m, stored.get(m.person))) is not None]
    return Plan(taken, changes, sorted(faults, key=lambda f: f.row))


def _reject(entries: dict[int, Entry], faults: list[Fault], found: Iterable[Fault]) -> None:
    for fault in found:
        faults.append(fault)
        entries.pop(fault.row, None)


def _without_manager(entries: Mapping[int, Entry], named: frozenset[str]) -> list[Fault]:
    message = "this manager is in no row of the file and was in none before"
    return [
        Fault(row, "manager_id", RowFault.no_such_manager, e.manager[:SHOWN], message)
        for row, e in entries.items()
        if e.manager is not None and e.manager not in named
    ]


def _persons(
    entries: dict[int, Entry],
    faults: list[Fault],
    known: Callable[[Entry], tuple[PersonId | None, PersonId | None]],
    new_person: Callable[[Entry], PersonId],
) -> dict[int, PersonId]:
    """Whom each row means; a login that belongs to somebody else falls."""
    persons: dict[int, PersonId] = {}
    meant: set[PersonId] = set()
    for row, entry in list(entries.items()):
        by_employee, by_login = known(entry)
        person = by_employee or by_login
        if (by_login and by_login != person) or person in meant:
            message = "this login belongs to a person with another employee_id"
            _reject(entries, faults, [Fault(row, "login", RowFault.duplicate, entry.login[:SHOWN], message)])
        else:
            persons[row] = person or new_person(entry)
            meant.add(persons[row])
    return persons


def _reject_circles(
    entries: dict[int, Entry],
    faults: list[Fault],
    persons: Mapping[int, PersonId],
    stored: Mapping[PersonId, Member],
) -> None:
    """A rejected row falls back to what is stored, which may close another circle: until there is none."""
    while True:
        everybody = _everybody(entries, persons, stored)
        circle = circular({e.employee: e.manager for e in everybody.values()})
        rows = [row for row, entry in entries.items() if entry.employee in circle]
        if not rows:
            return
        message = "the reporting line comes back to this person"
        found = [
            Fault(row, "manager_id", RowFault.cycle, (entries[row].manager or "")[:SHOWN], message) for row in rows
        ]
        _reject(entries, faults, found)


def _everybody(
    entries: Mapping[int, Entry], persons: Mapping[int, PersonId], stored: Mapping[PersonId, Member]
) -> dict[PersonId, Entry]:
    return {**stored, **{persons[row]: _own(entry, stored.get(persons[row])) for row, entry in entries.items()}}


def _own(entry: Entry, before: Member | None) -> Entry:
    """What a row says, but for what the person has said themselves."""
    if before is None or not before.own:
        return entry
    fields = entry.model_dump() | {field: getattr(before, field) for field in before.own} | {"own": before.own}
    return Member.model_validate(fields | {"person": before.person})


def _with_lines(everybody: Mapping[PersonId, Entry]) -> dict[PersonId, Member]:
    managers = {e.employee: e.manager for e in everybody.values()}
    levels = {e.employee: e.level for e in everybody.values()}
    person_of = {e.employee: person for person, e in everybody.items()}
    top = max(levels.values(), default=0)
    members: dict[PersonId, Member] = {}
    for person, entry in everybody.items():
        found = line(entry.employee, managers, levels, top)
        fields = entry.model_dump() | {
            "person": person,
            "line": tuple(person_of[above] for above in found.above),
            "line_complete": found.complete,
        }
        members[person] = Member.model_validate(fields)
    return members


def _change(member: Member, before: Member | None) -> Change | None:
    if before is None:
        return Change(member, None, ())
    if member == before:
        return None
    fields = {word for name, word in FIELDS.items() if getattr(member, name) != getattr(before, name)}
    return Change(member, before, tuple(sorted(fields)))
