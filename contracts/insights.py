"""What insights says: themes and reports, in public; and, sealed, the insights and pulses they are computed from."""

from __future__ import annotations

from pydantic import Field

from contracts.fact import Fact, Value
from contracts.streams import Audience, Category
from contracts.types import ContentId, Date, Digest, InsightId, PersonId, ProgramId, PulseId, ReportId, Side, Tag, Word

INSIGHT = Category("insight", "insights", Audience.sealed)
PULSE = Category("pulse", "insights", Audience.sealed)
THEME = Category("theme", "insights", Audience.public)
REPORT = Category("report", "insights", Audience.public)
ERASURE = Category("insights-erasure", "insights", Audience.public, orgwide=True)


class Period(Value):
    """A span of days, both ends included."""

    first: Date
    last: Date


class InsightRaised(Fact, of=INSIGHT):
    """Somebody handed a theme to the organisation. It carries no pair, no person, no side, and a week, not a time."""

    program: ProgramId
    insight: InsightId
    theme: Tag
    content: ContentId | None = None
    week: Date = Field(description="The Monday of the week.")


class PulseKind(Word):
    """Which question a pulse answers."""

    optimistic = "optimistic"
    in_tune = "in_tune"
    respect = "respect"
    before = "before"
    after = "after"
    unknown = "unknown"


class PulseGiven(Fact, of=PULSE):
    """One answer on a scale of five. It names nobody.

    The id is a keyed hash of person, question and period, so that one person answers once a period.
    """

    program: ProgramId
    pulse: PulseId
    kind: PulseKind
    side: Side
    value: int = Field(ge=1, le=5)
    week: Date = Field(description="The Monday of the week.")


class Band(Word):
    """How many people stand behind a theme, as coarsely as the floor wants it."""

    from_5 = "5-9"
    from_10 = "10-19"
    from_20 = "20+"
    unknown = "unknown"


class ThemePublished(Fact, of=THEME):
    """Enough people raised a theme in a period for it to be said aloud. It says how many only as a band."""

    program: ProgramId
    theme: Tag
    period: Period
    band: Band


class ReportKind(Word):
    """For whom a report is made."""

    health = "health"
    """The program's state: for the coordinator and the sponsor."""
    digest = "digest"
    """For the executives."""
    brief = "brief"
    """Themes only: for the early-career program."""
    evidence = "evidence"
    """With sizes and confidence limits: for whoever must show that it works."""
    unknown = "unknown"


class ReportPublished(Fact, of=REPORT):
    """The figures of a period were computed once and for all, with small cells hidden. The figures are not in it."""

    program: ProgramId
    report: ReportId
    kind: ReportKind
    period: Period
    as_of: Date
    cells: int = Field(ge=0, description="Cells of the report in all.")
    hidden: int = Field(ge=0, description="Cells hidden because too few people stand behind them.")
    digest: Digest


class ErasureConfirmedByInsights(Fact, of=ERASURE):
    """Insights keeps nothing personal of a person any more, and nothing that comes late can bring it back."""

    person: PersonId
    items: int = Field(
        ge=0,
        description="How many documents were deleted: state records, but not words.",
    )
