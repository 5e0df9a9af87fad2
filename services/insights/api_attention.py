"""Pairs that need a coordinator's attention: the reason and one action. States of pairs, never what anybody said."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from chassis.running.http import Context
from contracts.matching import PairRule
from contracts.streams import parts
from contracts.types import ProgramId
from services.insights.views import CHECKS, PAIRS

router = APIRouter()

ACTIONS = {
    PairRule.line: "talk to both apart from each other, and end the pair unless both want it",
    PairRule.level: "ask both whether the pair still suits",
    PairRule.language: "ask both which language they speak",
    PairRule.overlap: "ask both for times that suit",
    PairRule.place: "ask both whether the pair still suits",
}
"""One thing to do about each rule that a living pair breaks."""


@router.get("/programs/{program}/attention")
async def pairs_needing_attention(ctx: Context, program: ProgramId) -> dict[str, Any]:
    """Living pairs that break a hard rule since something has changed. None that stands still: that needs nobody."""
    flagged = [found.row for found in await ctx.views.find(CHECKS, program) if found.row.flags]
    living = {
        parts(found.stream)[2]
        for found in await ctx.views.find(PAIRS, program, {"released": None, "paused": None})
        if found.row.formed
    }
    items = [
        {"pair": row.pair, "reason": flag.rule.value, "since": flag.since.isoformat(), "action": ACTIONS[flag.rule]}
        for row in flagged
        for flag in row.flags
        if row.pair in living and flag.rule in ACTIONS
    ]
    return {"items": items, "next": None}
