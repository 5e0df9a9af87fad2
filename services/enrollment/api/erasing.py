"""Asking for an erasure, and seeing how far it is."""

from __future__ import annotations

from typing import Any

from chassis.deciding.commands import Outcome, Write
from chassis.deciding.decider import On
from chassis.running.http import Ctx, Problem
from contracts.profiles import PEOPLE, PROFILES, person_key, profile_key
from contracts.streams import ORG
from contracts.types import PersonId, ProgramId
from services.enrollment.api.participating import stream_of
from services.enrollment.api.people import profile_of, until_no_conflict
from services.enrollment.erasing import PROOF, confirmed
from services.enrollment.erasure import ERASURE, RequestErasure
from services.enrollment.participation import PARTICIPATION, Withdraw
from services.enrollment.stores import MEMBER, WORDS


async def request(ctx: Ctx, program: ProgramId, person: PersonId) -> Outcome:
    """End their part in every program, and delete all that enrollment keeps of them, in one transaction.

    Raises 403 for who is neither the person nor a coordinator, 404 where the program does not know them.
    """
    _may(ctx, person)
    erasure, _ = await ctx.read(ERASURE, ERASURE.stream(ORG, person))
    if not erasure.due and await profile_of(ctx, program, person) is None:
        raise ctx.missing("person")

    async def act() -> Outcome:
        everywhere = [words["program"] for words in await ctx.documents.find(WORDS, ORG)]
        known = await ctx.latest.find(PROFILES, [profile_key(p, person) for p in everywhere])
        programs = [p for p in everywhere if profile_key(p, person) in known]
        withdraw = [On(PARTICIPATION, stream_of(p, person), Withdraw()) for p in programs]
        asked = On(ERASURE, ERASURE.stream(ORG, person), RequestErasure(person=person, programs=tuple(programs)))
        return await ctx.run(asked, *withdraw, also=await _deletions(ctx, person, everywhere, programs))

    return await until_no_conflict(act)


async def _deletions(ctx: Ctx, person: PersonId, everywhere: list[ProgramId], programs: list[ProgramId]) -> list[Write]:
    now = ctx.now()
    also: list[Write] = [ctx.cuts.cut(person, now)]
    also += [ctx.cuts.bump(p) for p in everywhere]
    also.append(ctx.latest.erase(PEOPLE, person_key(person), now))
    also += [ctx.latest.erase(PROFILES, profile_key(p, person), now) for p in programs]
    for program in everywhere:
        member = await ctx.documents.get(MEMBER, program, person)
        also.append(ctx.documents.bury(MEMBER, program, person))
        if member is not None:  # the reports tell of everybody, and of rows that nobody can place
            also.append(ctx.contents.erasing(program))
            also.append(ctx.documents.change(MEMBER, program, {"manager": member["employee"]}, {"manager": None}))
    also.append(ctx.contents.erasing(person))
    return also


async def shown(ctx: Ctx, program: ProgramId, person: PersonId) -> tuple[dict[str, Any], int]:
    """How far an erasure is, exact, and its version. Raises 403, and 404 where nobody has asked for it here."""
    _may(ctx, person)
    erasure, version = await ctx.read(ERASURE, ERASURE.stream(ORG, person))
    if program not in erasure.programs or erasure.due is None:
        raise ctx.missing("erasure")
    items = await confirmed(ctx.views, person)
    missing = [service for service, n in items.items() if n is None]
    proof = await ctx.documents.get(PROOF, ORG, person) if erasure.proof else None
    return {
        "person": person,
        "state": "erased" if erasure.proof else "requested",
        "due": erasure.due.isoformat(),
        "overdue": not erasure.proof and ctx.now().date() > erasure.due,
        "missing": [] if erasure.proof else missing or ["enrollment"],
        "deleted": {service: n for service, n in items.items() if n is not None},
        "proof": erasure.proof or None,
        "proven": proof,
    }, version


def _may(ctx: Ctx, person: PersonId) -> None:
    if ctx.caller.person != person and "coordinator" not in ctx.caller.roles:
        raise Problem(403, "not-yours", "you may ask for your own erasure; anybody else's is for coordinators")
