"""Whose pair it is: looked up for every request, because a role alone opens nobody's pair."""

from __future__ import annotations

from chassis.deciding.commands import Write
from chassis.running.http import Ctx, Problem
from contracts import matching
from contracts.profiles import ReferenceKind
from contracts.types import Side
from services.scheduling.views import PAIRS, REFERENCE, Pair


async def pair_of(ctx: Ctx, pair: str) -> Pair:
    """A pair of the program. Raises 404 where there is none."""
    row = await ctx.views.get(PAIRS, matching.PAIR.stream(ctx.scope, pair))
    if row is None or not row.pair:
        raise ctx.missing("pair")
    return row


async def own_pair(ctx: Ctx, pair: str) -> tuple[Pair, Side]:
    """A pair and the caller's side in it. Raises 404 where there is none, 403 where they have none."""
    row = await pair_of(ctx, pair)
    side = row.side_of(ctx.caller.person)
    if side is None:
        raise Problem(403, "not-yours", "Only the two people of this pair may do that.")
    return row, side


async def visible_pair(ctx: Ctx, pair: str) -> Pair:
    """A pair that the caller may see the state of: their own, or any for the coordinator. Raises 404 or 403."""
    if "coordinator" in ctx.caller.roles:
        return await pair_of(ctx, pair)
    return (await own_pair(ctx, pair))[0]


async def check_tags(ctx: Ctx, tags: dict[str, str]) -> None:
    """Refuse what is not in the program's taxonomy, by JSON pointer: a tag goes into a fact, and must be no free text.

    Raises 422 that names every field at fault.
    """
    known = await ctx.views.find_latest(REFERENCE, ctx.scope, {"kind": ReferenceKind.tag.value})
    wrong = [pointer for pointer, tag in tags.items() if tag not in {r.id for r in known}]
    if wrong:
        errors = [{"pointer": p, "detail": f"{tags[p]!r} is no tag of this program"} for p in wrong]
        raise Problem(422, "unknown-tag", f"{wrong[0]}: {errors[0]['detail']}", errors=errors)


def words_of_pair(ctx: Ctx, pair: Pair, content: str, text: str) -> list[Write]:
    """Keep a text of a pair's board. It may tell of both, so it goes with either, and none is kept of who is erased."""
    both = (pair.mentor, pair.executive)
    return [ctx.cuts.uncut(*both), ctx.contents.put(ctx.scope, content, text, ctx.now(), about=both)]
