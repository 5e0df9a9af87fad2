"""Reads from the views and the journal what a report is computed from, and the reports that were published."""

from __future__ import annotations

from typing import Any, TypeVar

from chassis.receiving.views import Row, View
from chassis.running.http import Ctx
from contracts.profiles import ReferenceKind
from services.insights.collected import Collected
from services.insights.insight import VOICE
from services.insights.pulse import ANSWER
from services.insights.views import (
    ACTIONS,
    IDEAS,
    INVITATIONS,
    JOURNEYS,
    LEARNINGS,
    PAIRS,
    PARTICIPATIONS,
    PROPOSALS,
    REFERENCES,
    ROUNDS,
    SESSIONS,
)

REPORTS = "report"
"""The kind of document that keeps published figures."""
MOST = 1_000_000
"""Rows of one view: more than the largest program has of anything."""

R = TypeVar("R", bound=Row)


async def gather(ctx: Ctx) -> Collected:
    """All that is known of the program, sealed answers included."""
    pulses = [state.given for _, state in await ctx.scan(ANSWER, ctx.scope)]
    return Collected(
        invitations=await _rows(ctx, INVITATIONS),
        participations=await _rows(ctx, PARTICIPATIONS),
        rounds=await _rows(ctx, ROUNDS),
        proposals=await _rows(ctx, PROPOSALS),
        pairs=await _rows(ctx, PAIRS),
        journeys=await _rows(ctx, JOURNEYS),
        sessions=await _rows(ctx, SESSIONS),
        learnings=await _rows(ctx, LEARNINGS),
        ideas=await _rows(ctx, IDEAS),
        actions=await _rows(ctx, ACTIONS),
        pulses=[given for given in pulses if given is not None],
        voices=[state for _, state in await ctx.scan(VOICE, ctx.scope)],
    )


async def _rows(ctx: Ctx, view: View[R]) -> list[R]:
    return [found.row for found in await ctx.views.find(view, ctx.scope, limit=MOST)]


async def taxonomy(ctx: Ctx) -> dict[str, str]:
    """The tags of the program, and what each is called: in English where it has that, else in any language."""
    tags = await ctx.views.find_latest(REFERENCES, ctx.scope, {"kind": ReferenceKind.tag.value})
    return {t.id: t.labels.get("en") or next(iter(t.labels.values()), t.id) for t in tags}


async def stored(ctx: Ctx, report: str) -> dict[str, Any]:
    """A published report as it was stored. Raises 404 where there is none."""
    found = await ctx.documents.get(REPORTS, ctx.scope, report)
    if found is None:
        raise ctx.missing("report")
    return found
