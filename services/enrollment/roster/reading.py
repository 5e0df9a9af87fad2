"""A roster file becomes entries and faults, cell by cell. Pure: bytes in, nothing looked up anywhere."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from contracts.enrollment import RowFault
from contracts.profiles import Channel, Zone
from contracts.types import Side

REQUIRED = ("employee_id", "login", "name", "mail", "level", "function", "site")
OPTIONAL = ("language", "side", "zone", "manager_id", "languages", "offers", "seeks", "channels", "capacity")
SHOWN = 100
"""Characters of a cell that a fault repeats."""
MOST_CAPACITY = 3

_ZONE: TypeAdapter[str] = TypeAdapter(Zone)
MAIL = re.compile(r"[^\s@,;<>\"]+@[^\s@,;<>\"]+\.[^\s@,;<>\".]+")
_KEY = re.compile(r"[^\s\x00-\x1f\x7f]{1,100}")
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Z]{2})?")
_CHANNELS = frozenset(Channel) - {Channel.unknown}
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f]")


class NotARoster(ValueError):
    """The file as a whole cannot be read; `code` is kebab-case."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


@dataclass(frozen=True)
class Listed:
    """What a program has words for: the values a roster may use. `sites` gives the time zone of each."""

    tags: frozenset[str]
    sites: Mapping[str, str]
    functions: frozenset[str]
    levels: int


class Entry(BaseModel):
    """One person as a roster describes them. `side` None: they are there for the reporting lines only."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    employee: str
    login: str
    name: str
    mail: str
    language: str
    level: int
    function: str
    site: str
    zone: str
    side: Side | None = None
    manager: str | None = None
    languages: tuple[str, ...] = ()
    offers: tuple[str, ...] = ()
    seeks: tuple[str, ...] = ()
    channels: tuple[Channel, ...] = ()
    capacity: int | None = None


@dataclass(frozen=True)
class Fault:
    """Why a row was not taken. `row` counts as a spreadsheet does: the header is row 1."""

    row: int
    column: str
    code: RowFault
    value: str
    message: str


@dataclass(frozen=True)
class Roster:
    """A file that was read. `entries` by row; `named` are the employee numbers of all rows, also of faulty ones."""

    rows: int
    entries: Mapping[int, Entry]
    faults: Sequence[Fault]
    named: frozenset[str]
    ignored: Sequence[str]


def read(data: bytes, listed: Listed) -> Roster:
    """Read a file in UTF-8 (with or without a byte-order mark) or Windows-1252, separated by `,` or `;`.

    Columns nobody asked for are ignored and named. Raises `NotARoster`.
    """
    records = _records(_text(data))
    header = [cell.strip().casefold() for cell in next(records, (0, []))[1]]
    missing = [c for c in REQUIRED if c not in header]
    if missing:
        raise NotARoster("missing-columns", f"the first row must name the columns; missing: {', '.join(missing)}")
    twice = sorted({c for c in header if c and header.count(c) > 1})
    if twice:
        raise NotARoster("columns-twice", f"these columns appear more than once: {', '.join(twice)}")
    rows = [_Row(number, header, cells) for number, cells in records]
    entries = {row.number: entry for row in rows if (entry := row.entry(listed))}
    faults = [fault for row in rows for fault in row.faults]
    entries, again = _once(rows, entries)
    return Roster(
        rows=len(rows),
        entries=entries,
        faults=sorted([*faults, *again], key=lambda f: f.row),
        named=frozenset(row.cells["employee_id"] for row in rows) - {""},
        ignored=[c for c in header if c and c not in REQUIRED + OPTIONAL],
    )


def _text(data: bytes) -> str:
    if b"\x00" in data:
        raise NotARoster("not-text", "the file is not text in UTF-8 or Windows-1252; export it as CSV (UTF-8)")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        pass
    try:
        return data.decode("cp1252")
    except UnicodeDecodeError:
        raise NotARoster("not-text", "the file is neither UTF-8 nor Windows-1252; export it as CSV (UTF-8)") from None


def _records(text: str) -> Iterator[tuple[int, list[str]]]:
    """The records that are not blank, with their numbers."""
    header = text.partition("\n")[0]
    delimiter = ";" if header.count(";") > header.count(",") else ","
    try:
        for number, cells in enumerate(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True), 1):
            if any(cell.strip() for cell in cells):
                yield number, cells
    except csv.Error as wrong:
        raise NotARoster("not-csv", f"the file is not well-formed CSV: {wrong}") from None


def _once(rows: Sequence[_Row], entries: Mapping[int, Entry]) -> tuple[dict[int, Entry], list[Fault]]:
    """Of rows with the same employee number, login or address only the first one counts."""
    again: dict[int, Fault] = {}
    for column, same in (("employee_id", str), ("login", str), ("mail", str.casefold)):
        first: dict[str, int] = {}
        for row in rows:
            value = row.cells[column]
            before = first.setdefault(same(value), row.number) if value else row.number
            if before != row.number and row.number not in again:
                message = f"row {before} has the same {column}; only that one counts"
                again[row.number] = Fault(row.number, column, RowFault.duplicate, value[:SHOWN], message)
    return {number: entry for number, entry in entries.items() if number not in again}, list(again.values())


@dataclass
class _Row:
    """One record while it is read; `faults` fills."""

    number: int
    header: Sequence[str]
    given: Sequence[str]
    faults: list[Fault] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.cells = dict.fromkeys(REQUIRED + OPTIONAL, "")
        self.cells |= {c: v.strip() for c, v in zip(self.header, self.given, strict=False)}

    def entry(self, listed: Listed) -> Entry | None:
        """The entry, or None with at least one fault."""
        for position, value in enumerate(self.given[len(self.header) :], len(self.header) + 1):
            if value.strip():
                self._fault(f"column {position}", RowFault.malformed, "there is no such column in the first row", value)
        site = self._one_of("site", listed.sites)
        values: dict[str, Any] = {
            "employee": self._matching("employee_id", _KEY, "a number or name without spaces"),
            "login": self._matching("login", _KEY, "the subject of the person's token, without spaces"),
            "name": self._text("name", 200),
            "mail": self._matching("mail", MAIL, "an address such as ada@example.org", 254),
            "language": self._matching("language", _LANGUAGE, "a language such as en or pt-BR", default="en"),
            "level": self._number("level", listed.levels),
            "function": self._one_of("function", listed.functions),
            "site": site,
            "zone": self._zone(listed.sites.get(site, "UTC")),
            "side": self._one_of("side", ("mentor", "executive"), required=False) or None,
            "manager": self._matching("manager_id", _KEY, "an employee_id", default="") or None,
            "languages": self._list("languages", lambda v: _LANGUAGE.fullmatch(v) is not None, "a language"),
            "offers": self._list("offers", lambda v: v in listed.tags, _among(listed.tags)),
            "seeks": self._list("seeks", lambda v: v in listed.tags, _among(listed.tags)),
            "channels": self._list("channels", lambda v: v in _CHANNELS, "video, phone or room"),
            "capacity": self._number("capacity", MOST_CAPACITY, required=False) or None,
        }
        if self.faults:
            return None
        values["languages"] = values["languages"] or (values["language"],)
        return Entry.model_validate(values)

    def _fault(self, column: str, code: RowFault, message: str, value: str | None = None) -> None:
        value = self.cells[column] if value is None else value
        self.faults.append(Fault(self.number, column, code, value[:SHOWN], message))

    def _given(self, column: str, required: bool) -> str:
        value = self.cells[column]
        if required and not value:
            self._fault(column, RowFault.missing, f"{column} must not be empty")
        return value

    def _text(self, column: str, longest: int) -> str:
        value = self._given(column, required=True)
        if len(value) > longest or _UNPRINTABLE.search(value):
            self._fault(column, RowFault.malformed, f"at most {longest} characters on one line")
        return value

    def _matching(
        self, column: str, form: re.Pattern[str], wanted: str, longest: int = 255, default: str | None = None
    ) -> str:
        value = self._given(column, required=default is None)
        if value and (len(value) > longest or not form.fullmatch(value)):
            self._fault(column, RowFault.malformed, f"this is not {wanted}")
        return value or default or ""

    def _number(self, column: str, most: int, required: bool = True) -> int:
        value = self._given(column, required)
        if not value:
            return 0
        if not re.fullmatch(r"[0-9]{1,4}", value) or not 1 <= int(value) <= most:
            self._fault(column, RowFault.malformed, f"this is not a whole number from 1 to {most}")
            return 0
        return int(value)

    def _one_of(self, column: str, allowed: Iterable[str], required: bool = True) -> str:
        value = self._given(column, required)
        if value and value not in allowed:
            self._fault(column, RowFault.not_listed, f"this is not {_among(allowed)}")
        return value

    def _zone(self, default: str) -> str:
        value = self.cells["zone"]
        try:
            return _ZONE.validate_python(value) if value else default
        except ValidationError:
            self._fault("zone", RowFault.not_listed, "this is no time zone of the IANA database, such as Europe/Lisbon")
            return default

    def _list(self, column: str, allowed: Callable[[str], bool], wanted: str) -> tuple[str, ...]:
        """The values between `|`, in their order, each once."""
        values = tuple(dict.fromkeys(v for part in self.cells[column].split("|") if (v := part.strip())))
        for value in values:
            if not allowed(value):
                self._fault(column, RowFault.not_listed, f"this is not {wanted}", value)
        return values


def _among(allowed: Iterable[str]) -> str:
    words = sorted(allowed)
    return "one of: " + ", ".join(words[:12]) + (" …" if len(words) > 12 else "")
