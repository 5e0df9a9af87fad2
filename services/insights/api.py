"""Insights over HTTP: answers go in sealed, and only what was published is ever read."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse
from pydantic import Field

from chassis.deciding.commands import Outcome, derived_id
from chassis.deciding.decider import On, Refused
from chassis.receiving.views import LARGEST_PAGE
from chassis.running.http import Body, Context, Ctx, Problem, Response
from contracts.insights import Period, PulseKind, ReportKind
from contracts.types import Date, ProgramId, ReportId, Side, Tag
from services.insights.api_attention import router as attention
from services.insights.erasure import speaker, voice
from services.insights.gathering import REPORTS, gather, stored, taxonomy
from services.insights.health import Health, health
from services.insights.insight import VOICE, RaiseInsight
from services.insights.pulse import ANSWER, GivePulse, Value, month_of
from services.insights.report import ALREADY_PUBLISHED, SERIES, PublishReport, require_over
from services.insights.theme import SPOKEN, PublishTheme
from services.insights.views import PROGRAMS

router = APIRouter(routes=[*attention.routes])
SEALED = Outcome()
"""What is answered after a sealed fact: nobody can wait for its effects, and its place in a stream tells too much."""


class GivenPulse(Body):
    """One answer. `side` is needed from those who are on both sides only."""

    kind: PulseKind
    value: Value
    side: Literal["mentor", "executive"] | None = None


class RaisedInsight(Body):
    """A theme of the program's taxonomy, and what there is to say about it."""

    theme: Tag
    text: Annotated[str, Field(min_length=1, max_length=4000)] | None = None


class WantedReport(Body):
    """What to publish: the days of a period, both ends included."""

    kind: Literal["health"]
    first: Date
    last: Date


@router.post("/programs/{program}/pulses")
async def give_pulse(ctx: Context, program: ProgramId, body: GivenPulse) -> Response:
    """Answer one question: once a person, question and month. No fact, and no commit, says who answered."""
    week = _monday(ctx)
    pulse = derived_id("pu", ctx.keyed_hash(program, "pulse", str(ctx.caller.person), body.kind, month_of(week)))
    command = GivePulse(
        program=program, pulse=pulse, kind=body.kind, side=_side(ctx, body.side), value=body.value, week=week
    )
    await ctx.run(On(ANSWER, ANSWER.stream(program, pulse), command), anonymous=True)
    return ctx.answer(SEALED, 201)


@router.post("/programs/{program}/insights")
async def raise_insight(ctx: Context, program: ProgramId, body: RaisedInsight) -> Response:
    """Hand a theme to the organisation. Who does so again adds to what they said, and still counts once."""
    if body.theme not in await taxonomy(ctx):
        raise Problem(422, "unknown-theme", "the program's taxonomy has no such theme", pointer="/theme")
    week = _monday(ctx)
    person = str(ctx.caller.person)
    insight = voice(ctx.keyed_hash, program, person, body.theme)
    content = derived_id("co", ctx.keyed_hash(ctx.new_id("co"))) if body.text else None
    command = RaiseInsight(program=program, insight=insight, theme=body.theme, content=content, week=week)
    began = datetime.combine(week, time(), UTC)
    uncut = ctx.cuts.uncut(speaker(ctx.keyed_hash, person))
    also = [uncut, ctx.contents.put(program, content, body.text, began)] if content else [uncut]
    await ctx.run(On(VOICE, VOICE.stream(program, insight), command), also=also, anonymous=True)
    return ctx.answer(SEALED, 201, insight=insight)


@router.post("/programs/{program}/reports")
async def publish_report(ctx: Context, program: ProgramId, body: WantedReport) -> Response:
    """Compute the figures of a period that is over, once and for all. Asked again, the first report is answered."""
    floors = await ctx.views.get(PROGRAMS, PROGRAMS.category.stream(program, program))
    if floors is None:
        raise ctx.missing("program")
    period = Period(first=body.first, last=body.last)
    require_over(period, ctx.now().date())
    await ctx.all_heard()  # what is published stays: it must not rest on a part of what was said
    report = derived_id("re", program, body.kind, str(period.first), str(period.last))
    computed = health(
        await gather(ctx),
        period,
        floor_numbers=floors.floor_numbers,
        floor_words=floors.floor_words,
        labels=await taxonomy(ctx),
    )
    try:
        await _publish(ctx, program, report, computed)
    except Refused as refused:
        if refused.code != ALREADY_PUBLISHED:
            raise
    figures = await stored(ctx, report)
    return ctx.answer(SEALED, 201, report=report, cells=figures["cells"], hidden=figures["hidden"])


async def _publish(ctx: Ctx, program: str, report: str, computed: Health) -> None:
    """Say that the report and its themes are published, and keep the figures, all in one transaction."""
    told = PublishReport(
        program=program,
        report=report,
        kind=ReportKind.health,
        period=computed.period,
        cells=computed.cells,
        hidden=computed.hidden,
        digest=computed.digest(),
    )
    spoken = [
        On(
            SPOKEN,
            SPOKEN.stream(program, theme),
            PublishTheme(program=program, theme=theme, period=computed.period, band=band),
        )
        for theme, band in computed.bands.items()
    ]
    kept = {
        "report": report,
        "kind": ReportKind.health.value,
        "as_of": ctx.now().date().isoformat(),
        "cells": computed.cells,
        "hidden": computed.hidden,
        "digest": told.digest,
        **computed.figures(),
    }
    series = On(SERIES, SERIES.stream(program, ReportKind.health.value), told)
    also = [ctx.documents.put(REPORTS, program, report, kept)]
    await ctx.run(series, *spoken, also=also, anonymous=True)


@router.get("/programs/{program}/reports")
async def list_reports(
    ctx: Context,
    program: ProgramId,
    after: Date | None = None,
    limit: Annotated[int, Query(ge=1, le=LARGEST_PAGE)] = 50,
) -> Response:
    """The published reports by their period, without the figures. `after`: the first day of the last one seen."""
    reports = sorted(await ctx.documents.find(REPORTS, program), key=lambda doc: str(doc["period"]["first"]))
    found = [doc for doc in reports if after is None or doc["period"]["first"] > after.isoformat()]
    items = [{k: v for k, v in doc.items() if k != "tables"} for doc in found[:limit]]
    more = items[-1]["period"]["first"] if len(found) > limit else None
    return JSONResponse({"items": items, "next": more})


@router.get("/programs/{program}/reports/{report}")
async def read_report(ctx: Context, program: ProgramId, report: ReportId) -> Response:
    """One published report with its figures."""
    return JSONResponse(await stored(ctx, report))


def _monday(ctx: Ctx) -> Date:
    """The Monday of this week: all that is kept of the time at which somebody answered."""
    today = ctx.now().date()
    return today - timedelta(days=today.weekday())


def _side(ctx: Ctx, wanted: str | None) -> Side:
    """The side on which the caller answers."""
    own = sorted(ctx.caller.roles & {Side.mentor.value, Side.executive.value})
    if wanted is None and len(own) == 1:
        return Side(own[0])
    if wanted is None:
        raise Problem(422, "side-needed", "you are on both sides: say as which of them you answer", pointer="/side")
    if wanted not in own:
        raise Problem(422, "not-your-side", f"you do not take part as {wanted}", pointer="/side")
    return Side(wanted)
