"""The few types a fact's field may have. There is no plain string among them: names and wording live elsewhere."""

from __future__ import annotations

from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Annotated, Self

from pydantic import AfterValidator, AwareDatetime, PlainSerializer, StringConstraints, WithJsonSchema

ID_LENGTH = 26
"""Characters after an id's prefix: 26 of base32 are 130 bits, random or derived from a command id."""


def instant_text(at: datetime) -> str:
    """`at` as UTC with exactly three decimals, so that the texts sort as the instants do."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def _to_milliseconds(at: datetime) -> datetime:
    try:
        at = at.astimezone(UTC)
    except OverflowError:
        raise ValueError("is outside the years 1 to 9999 in UTC") from None
    return at.replace(microsecond=at.microsecond // 1000 * 1000)


def _id(prefix: str) -> StringConstraints:
    return StringConstraints(pattern=rf"^{prefix}_[a-z2-7]{{{ID_LENGTH}}}$")


Instant = Annotated[
    AwareDatetime,
    AfterValidator(_to_milliseconds),
    PlainSerializer(instant_text, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
"""A moment: UTC, to the millisecond (what MongoDB keeps)."""
Date = date
"""A day of the calendar, without a zone."""

ProgramId = Annotated[str, _id("pr")]
PersonId = Annotated[str, _id("pe")]
InvitationId = Annotated[str, _id("iv")]
PauseId = Annotated[str, _id("pz")]
ImportId = Annotated[str, _id("im")]
RoundId = Annotated[str, _id("ro")]
ProposalId = Annotated[str, _id("pp")]
PairId = Annotated[str, _id("pa")]
SessionId = Annotated[str, _id("se")]
IdeaId = Annotated[str, _id("id")]
ActionId = Annotated[str, _id("ac")]
InsightId = Annotated[str, _id("in")]
PulseId = Annotated[str, _id("pu")]
ReportId = Annotated[str, _id("re")]
ContentId = Annotated[str, _id("co")]
"""Where a text is kept, encrypted, by the service that owns it; the text itself is in no fact."""

Tag = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{2,40}$")]
"""An entry of the program's taxonomy."""
Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
"""A SHA-256, in hexadecimal."""
StreamVersion = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]+/[a-z-]+/[a-z0-9_-]+@[1-9][0-9]*$")]
"""`<stream>@<version>`: one event of one stream; also its `ce_id`."""


class Word(StrEnum):
    """A closed list of words. A reader takes a word it does not know as `unknown`; a writer may never say `unknown`.

    Every list declares `unknown = "unknown"` as its last member.
    """

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        return cls("unknown") if isinstance(value, str) and value != "unknown" else None


class Side(Word):
    """The two ends of a pair."""

    mentor = "mentor"
    executive = "executive"
    unknown = "unknown"


class Actor(Word):
    """Who did it, as far as anybody else may know."""

    mentor = "mentor"
    executive = "executive"
    program = "program"
    unknown = "unknown"
