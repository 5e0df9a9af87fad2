"""Until when somebody has time to answer, on their own clock and by the program's working week."""

from __future__ import annotations

from datetime import datetime, timedelta

from chassis.receiving.views import Views
from contracts.enrollment import Rules
from contracts.profiles import profile_key
from services.matching.away import Away, stood_still
from services.matching.views import PARTICIPATIONS, PROFILES, PROGRAMS, ProposalRow
from services.matching.working import after_working_days


async def rules_of(views: Views, program: str) -> Rules | None:
    """The rules of a program; None where this service has not heard of it."""
    row = await views.get(PROGRAMS, PROGRAMS.category.stream(program, program))
    return row.rules if row else None


async def stood_still_of(views: Views, proposal: ProposalRow, now: datetime) -> timedelta:
    """How long the clock of what was asked last has stood still, because one of the two was away."""
    if proposal.last_asked is None:
        return timedelta()
    pauses: list[Away] = []
    for person in (proposal.mentor, proposal.executive):
        row = await views.get(PARTICIPATIONS, PARTICIPATIONS.category.stream(proposal.program, person))
        pauses += row.pauses.values() if row else ()
    return stood_still(pauses, proposal.last_asked, now)


async def lapse(views: Views, program: str, person: str, rules: Rules, now: datetime) -> datetime:
    """When the consent lapses that `person` is asked for now."""
    profile = await views.latest(PROFILES, profile_key(program, person))
    zone = (profile.zone if profile else None) or "UTC"
    return after_working_days(now, rules.consent_working_days, rules.working_week, zone)
