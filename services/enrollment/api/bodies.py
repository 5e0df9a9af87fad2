"""What callers send to enrollment, checked field by field."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

from pydantic import ConfigDict, Field, StringConstraints, field_validator

from chassis.running.http import Body, refuse_unknown
from contracts.enrollment import Answer, Hesitation, Role, Rules, ValueCase, default_weights
from contracts.profiles import Language, WeeklyWindow, Zone
from contracts.types import PersonId, Side, Tag
from services.enrollment.roster.reading import MAIL, MOST_CAPACITY

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Mail = Annotated[str, StringConstraints(strip_whitespace=True, max_length=254, pattern=f"^{MAIL.pattern}$")]
Login = Annotated[str, StringConstraints(pattern=r"^\S{1,100}$")]


class PartialRules(Rules):
    """The rules a program wants otherwise than the defaults; weights not named keep their default."""

    model_config = ConfigDict(extra="forbid")

    @field_validator("*")
    @classmethod
    def _known(cls, value: Any) -> Any:
        refuse_unknown(value)
        return {**default_weights(), **value} if isinstance(value, dict) else value

    def whole(self) -> Rules:
        """All the rules."""
        return Rules(**dict(self))


class Coordinator(Body):
    """How to address whoever opens a program, where their token does not say."""

    name: Text
    mail: Mail


class Site(Body):
    """A place of work."""

    label: Text
    zone: Zone


class NewProgram(Body):
    """A program and what its people, places and themes are called. `levels` from the bottom up."""

    title: Text
    opens: date
    closes: date
    rules: PartialRules = Field(default_factory=PartialRules)
    floor_numbers: int = Field(5, ge=5, le=1000)
    floor_words: int = Field(10, ge=10, le=1000)
    tags: dict[Tag, Annotated[dict[Language, Text], Field(min_length=1)]] = Field(default_factory=dict)
    sites: dict[Tag, Site] = Field(min_length=1)
    functions: dict[Tag, Text] = Field(min_length=1)
    levels: list[Text] = Field(min_length=2, max_length=30)
    coordinator: Coordinator | None = None


class NewRole(Body):
    """A role for whoever has the login; `for_person` for delegates only."""

    login: Login
    name: Text
    mail: Mail
    role: Role
    for_person: PersonId | None = None


class NewInvitations(Body):
    """Whom to invite: the persons listed (again, if they have not accepted), or everybody not invited yet."""

    wave: int = Field(1, ge=1, le=100)
    persons: list[PersonId] | None = Field(None, min_length=1, max_length=10_000)
    value_case: ValueCase | None = None


class NewAnswer(Body):
    """What an invited person says."""

    answer: Answer
    hesitation: Hesitation | None = None


class NewParticipation(Body):
    """To take part on one side; without a capacity the roster's, or the program's most."""

    side: Side
    capacity: int | None = Field(None, ge=1, le=MOST_CAPACITY)


class CharterAgreed(Body):
    """The version of the charter that was read and accepted."""

    charter_version: int = Field(ge=1)


class Availability(Body):
    """All windows of the week, in the person's own time zone; they replace the earlier ones."""

    windows: list[WeeklyWindow] = Field(max_length=200)


class NewErasure(Body):
    """Whose erasure is asked for; the caller's own where nobody is named."""

    person: PersonId | None = None


class Nothing(Body):
    """There is nothing to say."""
