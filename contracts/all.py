"""Every fact of the four services in one catalogue, and those of them that are published for other systems."""

from __future__ import annotations

from contracts import enrollment, insights, matching, scheduling
from contracts.catalog import Catalog
from contracts.fact import Fact
from contracts.upcasts import UPCASTS

CATALOG = Catalog([enrollment, matching, scheduling, insights], UPCASTS)

WANTED_BY_OTHERS: frozenset[type[Fact]] = frozenset(
    {
        enrollment.ProgramOpened,
        enrollment.MentorEnrolled,
        enrollment.ExecutiveEnrolled,
        enrollment.ParticipantWithdrawn,
        enrollment.ParticipantErased,
        matching.PairFormed,
        matching.PairReleased,
        scheduling.SessionScheduled,
        scheduling.SessionMoved,
        scheduling.SessionCancelled,
        scheduling.SessionHeld,
        scheduling.ActionCommitted,
        scheduling.ActionConfirmed,
        scheduling.ActionClosedUnconfirmed,
        scheduling.ActionDropped,
        insights.ThemePublished,
        insights.ReportPublished,
    }
)
"""What HR systems, calendars and data lakes plainly want: these may go without a hearer among the services.

Any other published fact that no service but its own hears should be sealed instead.
"""
