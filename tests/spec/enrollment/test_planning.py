"""Comparing a roster with what is known: persons, reporting lines that never fail open, and what changed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from contracts.enrollment import PersonField, RowFault
from contracts.types import Side
from local.rosters import make
from services.enrollment.roster.lines import circular, line
from services.enrollment.roster.planning import Member, Plan, plan
from services.enrollment.roster.reading import Entry, Listed, Roster, read


def person(name: str) -> str:
    """A person id that stands for a name."""
    digits = hashlib.sha256(name.encode()).hexdigest()[:26].translate(str.maketrans("0189", "ghij"))
    return f"pe_{digits}"


def entry(employee: str, manager: str | None = None, level: int = 1, **changes: object) -> Entry:
    fields = {
        "employee": employee,
        "login": f"login-{employee}",
        "name": employee,
        "mail": f"{employee}@example.org",
        "language": "en",
        "level": level,
        "function": "people",
        "site": "lisbon",
        "zone": "Europe/Lisbon",
        "side": Side.mentor,
        "manager": manager,
    }
    return Entry.model_validate(fields | changes)


def roster(*entries: Entry, faulty: tuple[str, ...] = ()) -> Roster:
    """A file of these rows, and of faulty ones of which only the employee number is known."""
    rows = dict(enumerate(entries, 2))
    named = frozenset(e.employee for e in entries) | set(faulty)
    return Roster(rows=len(rows) + len(faulty), entries=rows, faults=[], named=named, ignored=[])


def compare(file: Roster, stored: Mapping[str, Member] | None = None, logins: Mapping[str, str] | None = None) -> Plan:
    """Everybody stored is known by employee number and login."""
    stored = stored or {}
    by_employee = {m.employee: m.person for m in stored.values()}
    by_login = {m.login: m.person for m in stored.values()} | dict(logins or {})
    return plan(
        file,
        stored,
        lambda e: (by_employee.get(e.employee), by_login.get(e.login)),
        lambda e: person(e.employee),
    )


def store(done: Plan, before: Mapping[str, Member] | None = None) -> dict[str, Member]:
    return {**(before or {}), **{c.member.person: c.member for c in done.changes}}


BOSS, LEAD, ADA = entry("boss", level=5), entry("lead", "boss", 3), entry("ada", "lead")


def test_a_first_file_makes_everybody_new_with_the_line_above_them() -> None:
    done = compare(roster(BOSS, LEAD, ADA))
    assert (done.new, done.changed, done.faults) == (3, 0, [])
    ada = done.taken[4]
    assert ada.line == (person("lead"), person("boss"))
    assert all(m.line_complete for m in done.taken.values())


def test_the_same_file_twice_changes_nothing() -> None:
    stored = store(compare(roster(BOSS, LEAD, ADA)))
    assert compare(roster(BOSS, LEAD, ADA), stored).changes == []


def test_a_change_names_what_changed() -> None:
    stored = store(compare(roster(BOSS, LEAD, ADA)))
    moved = entry("ada", "boss", 2, site="pune", login="ada2")
    (change,) = compare(roster(BOSS, LEAD, moved), stored).changes
    assert set(change.fields) == {PersonField.line, PersonField.level, PersonField.site, PersonField.subject}
    (change,) = compare(roster(BOSS, LEAD, entry("ada", "lead", offers=("learning",))), stored).changes
    assert change.fields == (), "themes are proposals for a part in a program and nothing of the person"


def test_who_is_not_in_the_file_stays_and_follows_a_manager_who_moves() -> None:
    stored = store(compare(roster(BOSS, entry("vice", "boss", 4), LEAD, ADA)))
    done = compare(roster(BOSS, entry("lead", "vice", 3)), stored)
    changed = {c.member.employee: c for c in done.changes}
    assert changed.keys() == {"lead", "ada"}
    assert changed["ada"].member.line == (person("lead"), person("vice"), person("boss"))
    assert (done.new, done.changed) == (0, 1), "the counts are of the rows of the file"


def test_a_manager_whom_nobody_knows_rejects_the_row() -> None:
    done = compare(roster(BOSS, entry("eve", "ghost")))
    assert [(f.row, f.column, f.code, f.value) for f in done.faults] == [
        (3, "manager_id", RowFault.no_such_manager, "ghost")
    ]
    assert list(done.taken) == [2]


def test_a_manager_of_an_earlier_file_is_known() -> None:
    stored = store(compare(roster(BOSS, LEAD)))
    done = compare(roster(ADA), stored)
    assert done.taken[2].line == (person("lead"), person("boss"))
    assert done.taken[2].line_complete


def test_a_manager_whose_row_is_faulty_leaves_the_line_incomplete() -> None:
    done = compare(roster(BOSS, entry("lead2", "gone", 3), entry("eve", "lead2"), faulty=("gone",)))
    assert done.faults == []
    assert not done.taken[3].line_complete
    assert not done.taken[4].line_complete, "nor is any line below it complete"
    assert done.taken[4].line == (person("lead2"),)


def test_who_has_no_manager_is_the_top_only_where_nobody_is_of_a_higher_level() -> None:
    done = compare(roster(BOSS, entry("eve", None, 4), entry("eve2", "eve")))
    assert done.taken[2].line_complete
    assert not done.taken[3].line_complete, "a manager that was left out must not look like the top"
    assert not done.taken[4].line_complete


def test_a_circle_rejects_its_rows_and_nobody_else() -> None:
    a, b, c = entry("a", "c"), entry("b", "a"), entry("c", "b")
    done = compare(roster(BOSS, a, b, c, entry("below", "a")))
    assert {(f.row, f.code) for f in done.faults} == {(row, RowFault.cycle) for row in (3, 4, 5)}
    assert list(done.taken) == [2, 6]
    assert not done.taken[6].line_complete


def test_a_circle_with_what_is_stored_is_found_too() -> None:
    stored = store(compare(roster(BOSS, LEAD, ADA)))
    done = compare(roster(entry("lead", "ada", 3)), stored)
    assert [f.code for f in done.faults] == [RowFault.cycle]
    assert done.changes == []


def test_a_new_employee_number_of_a_known_login_is_the_same_person() -> None:
    stored = store(compare(roster(BOSS, LEAD, ADA)))
    (change,) = compare(roster(entry("ada-9", "lead", login=ADA.login)), stored).changes
    assert change.member.person == person("ada")
    assert change.before is not None


def test_a_login_of_somebody_else_rejects_the_row() -> None:
    stored = store(compare(roster(BOSS, LEAD, ADA)))
    done = compare(roster(entry("ada", "lead", login=LEAD.login)), stored)
    assert [(f.column, f.code) for f in done.faults] == [("login", RowFault.duplicate)]
    swapped = compare(roster(entry("ada", "lead", login="new"), entry("eve", "lead", login=ADA.login)), stored)
    assert [(f.row, f.column) for f in swapped.faults] == [(3, "login")], "two rows are never one person"


def test_who_has_a_role_already_is_the_same_person_on_the_roster() -> None:
    done = compare(roster(BOSS), logins={BOSS.login: person("sponsor")})
    assert done.taken[2].person == person("sponsor")
    assert done.new == 1


def test_the_sample_has_five_faults_and_nobody_with_an_incomplete_line() -> None:
    listed = Listed(
        tags=frozenset(make.TAGS),
        sites={tag: str(site["zone"]) for tag, site in make.SITES.items()},
        functions=frozenset(make.FUNCTIONS),
        levels=len(make.LEVELS),
    )
    done = compare(read(Path(make.__file__).with_name("sample.csv").read_bytes(), listed))
    assert [f.code for f in done.faults] == [
        RowFault.missing,
        RowFault.malformed,
        RowFault.not_listed,
        RowFault.duplicate,
        RowFault.no_such_manager,
    ]
    members = list(done.taken.values())
    sides = [m.side for m in members]
    assert (sides.count(Side.executive), sides.count(Side.mentor)) == (14, 48)
    assert all(m.line_complete for m in members)
    assert len({m.zone for m in members}) == 4
    assert len({m.level for m in members}) >= 5
    mentors = [m for m in members if m.side is Side.mentor]
    for executive in members:
        if executive.side is Side.executive and executive.line:
            suited = [m for m in mentors if executive.level - m.level >= 3 and executive.person not in m.line]
            assert len(suited) >= 14, executive.login


charts = st.dictionaries(
    st.integers(0, 9).map(str), st.one_of(st.none(), st.integers(0, 11).map(str)), min_size=1, max_size=10
)


def walks_back(start: str, managers: Mapping[str, str | None]) -> bool:
    at = managers.get(start)
    for _ in managers:
        if at is None or at == start:
            break
        at = managers.get(at)
    return at == start


@given(charts)
def test_circles_are_those_who_come_back_to_themselves(managers: dict[str, str | None]) -> None:
    assert circular(managers) == {e for e in managers if walks_back(e, managers)}


@given(charts, st.lists(st.integers(1, 4), min_size=12, max_size=12))
def test_a_complete_line_ends_at_the_top_and_nobody_is_in_their_own(
    managers: dict[str, str | None], levels: list[int]
) -> None:
    managers = {e: m for e, m in managers.items() if e not in circular(managers)}
    if not managers:
        return
    level_of = {e: levels[int(e)] for e in managers}
    top = max(level_of.values())
    for employee in managers:
        found = line(employee, managers, level_of, top)
        assert employee not in found.above
        last = found.above[-1] if found.above else employee
        assert found.complete == (managers[last] is None and level_of[last] == top)


@given(charts, charts)
def test_every_import_leaves_a_chart_without_circles_and_once_more_changes_nothing(
    first: dict[str, str | None], second: dict[str, str | None]
) -> None:
    stored: dict[str, Member] = {}
    for chart in (first, second):
        file = roster(*(entry(employee, manager) for employee, manager in chart.items()))
        done = compare(file, stored)
        assert len(done.taken) + len({f.row for f in done.faults}) == file.rows
        stored = store(done, stored)
        assert not circular({m.employee: m.manager for m in stored.values()})
        assert compare(file, stored).changes == []
