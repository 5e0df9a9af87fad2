"""The reports of one kind in a program: each period is published once, and no two periods share a day.

Two reports over periods that overlap could be subtracted from each other, and the difference may be one person; so all
reports of a kind are one stream, and a race cannot publish both.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import singledispatch

from chassis.deciding.decider import Aggregate, Command, Refused, State, Unhandled
from contracts.enrollment import Count
from contracts.fact import Fact
from contracts.insights import REPORT, Period, ReportKind, ReportPublished
from contracts.types import Date, Digest, ProgramId, ReportId


class PublishReport(Command):
    """Publish the figures of a period; `digest` is that of the stored figures."""

    program: ProgramId
    report: ReportId
    kind: ReportKind
    period: Period
    cells: Count
    hidden: Count
    digest: Digest


class Reports(State):
    """What was published of one kind, in that order."""

    published: tuple[ReportPublished, ...] = ()


ALREADY_PUBLISHED = "already-published"


@singledispatch
def decide(command: Command, state: Reports, now: datetime) -> list[Fact]:
    """What the reports of one kind answer to a command."""
    raise Unhandled(type(command).__name__)


@decide.register
def _publish(command: PublishReport, state: Reports, now: datetime) -> list[Fact]:
    period, today = command.period, now.date()
    require_over(period, today)
    for other in state.published:
        if other.period == period:
            raise Refused(ALREADY_PUBLISHED, f"this period was published on {other.as_of}")
        if other.period.first <= period.last and period.first <= other.period.last:
            raise Refused(
                "period-overlaps",
                f"{other.period.first} to {other.period.last} is published, and figures of a shared day would tell"
                " the difference: choose a period that shares none",
            )
    return [
        ReportPublished(
            program=command.program,
            report=command.report,
            kind=command.kind,
            period=period,
            as_of=today,
            cells=command.cells,
            hidden=command.hidden,
            digest=command.digest,
        )
    ]


def require_over(period: Period, today: Date) -> None:
    """Refuse a period that is not over.

    Sealed facts know only their week, so the week of the last day must be over too: what came after would be lost.
    """
    if period.last < period.first:
        raise Refused("period-reversed", "the last day is before the first", pointer="/last")
    ready = period.last + timedelta(days=7 - period.last.weekday())
    if today < ready:
        raise Refused(
            "period-not-over",
            f"answers are counted by the week, and the week of {period.last} is not over: publish from {ready} on",
        )


def evolve(state: Reports, fact: Fact) -> Reports:
    """The state after one more fact."""
    match fact:
        case ReportPublished():
            return Reports(published=(*state.published, fact))
    return state


SERIES = Aggregate(REPORT, Reports(), decide, evolve)
