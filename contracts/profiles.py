"""The state records on enrollment's three compacted topics: the only place where personal data travel.

The record with the highest `rev` wins; a consumer ignores a lower one. A null value (a tombstone) means: delete.
Records whose key begins with `heartbeat` say nothing.
"""

from __future__ import annotations

from typing import Annotated, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from contracts.fact import Value
from contracts.types import Digest, PersonId, ProgramId, Side, Tag, Word

PEOPLE = "counterpoint.enrollment.people"
"""Name, mail address and language; read only by the service that sends the mail."""
PROFILES = "counterpoint.enrollment.profiles"
"""Who a person is in one program: recognises a caller, feeds matching and scheduling."""
REFERENCE = "counterpoint.enrollment.reference"
"""Wording: what programs, tags, sites, functions and levels are called."""


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError(f"{name!r} is no time zone of the IANA database") from None
    return name


Zone = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_+/-]{1,40}$"), AfterValidator(_zone)]
"""A time zone of the IANA database."""
Language = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}(-[A-Z]{2})?$")]
"""A language tag (BCP 47), such as `en` or `pt-BR`."""


class Channel(Word):
    """How a session takes place."""

    video = "video"
    phone = "phone"
    room = "room"
    unknown = "unknown"


class WeeklyWindow(Value):
    """Time a person has every week, on their own clock: quarter hours of one weekday, `last` not included."""

    weekday: int = Field(ge=0, le=6, description="0 is Monday.")
    first: int = Field(ge=0, le=95, description="Quarter hours since midnight.")
    last: int = Field(ge=1, le=96, description="Quarter hours since midnight, not included.")

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> Self:
        if self.last <= self.first:
            raise ValueError("a window ends after it begins; one that spans midnight is two")
        return self


class State(Value):
    """A state record. One that is `erased` has nothing but its ids and `rev`; any other has what it `needs`."""

    rev: int = Field(ge=1, description="The higher one wins.")
    erased: bool = False

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        missing = [field for field in self.needs() if not self.erased and not getattr(self, field)]
        if missing:
            raise ValueError(f"missing: {', '.join(missing)}")
        return self

    def needs(self) -> tuple[str, ...]:
        """The fields that may be empty in an erased record only."""
        return ()

    def encode(self) -> str:
        """The JSON text of the record's value, nothing optional unset."""
        return self.model_dump_json(exclude_none=True)


class Person(State):
    """How to address a person and where to write to."""

    person: PersonId
    name: str = Field("", max_length=200)
    mail: str = Field("", max_length=254)
    language: Language = "en"

    def needs(self) -> tuple[str, ...]:
        return ("name", "mail")


class Profile(State):
    """Who a person is in one program. `subject` recognises them: a keyed hash of a token's issuer and subject."""

    program: ProgramId
    person: PersonId
    subject: Digest | None = None
    sides: list[Side] = Field(default_factory=list, description="Empty for who only holds a role, or has left.")
    level: int = Field(0, ge=0, le=30, description="Place on the ladder of levels, from 1 at the bottom.")
    function: Tag | None = None
    site: Tag | None = None
    zone: Zone | None = None
    languages: list[Language] = Field(default_factory=list)
    offers: list[Tag] = Field(default_factory=list)
    seeks: list[Tag] = Field(default_factory=list)
    line: list[PersonId] = Field(default_factory=list, description="Everybody above, nearest first.")
    line_complete: bool = Field(False, description="Whether nobody above is missing; if not, the person is not placed.")
    channels: list[Channel] = Field(default_factory=list)
    capacity: int = Field(0, ge=0, le=3)
    windows: list[WeeklyWindow] = Field(default_factory=list)

    def needs(self) -> tuple[str, ...]:
        return ("subject", "level", "function", "site", "zone", "languages") if self.sides else ("subject",)


class ReferenceKind(Word):
    """What a wording is for."""

    program = "program"
    tag = "tag"
    site = "site"
    function = "function"
    level = "level"
    unknown = "unknown"


ReferenceId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_-]{1,40}$")]


class Reference(State):
    """What one thing of a program is called, in each language."""

    program: ProgramId
    kind: ReferenceKind
    id: ReferenceId = Field(description="The program's id, a tag, or the number of a level.")
    labels: dict[Language, str] = Field(default_factory=dict)
    zone: Zone | None = Field(None, description="Of a site.")

    def needs(self) -> tuple[str, ...]:
        return ("labels",)


def person_key(person: PersonId) -> str:
    """The key of a record on `PEOPLE`."""
    return person


def profile_key(program: ProgramId, person: PersonId) -> str:
    """The key of a record on `PROFILES`."""
    return f"{program}/{person}"


def reference_key(program: ProgramId, kind: ReferenceKind, id: str) -> str:
    """The key of a record on `REFERENCE`."""
    return f"{program}/{kind.value}/{id}"
