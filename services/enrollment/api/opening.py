"""Opening a program: its rules, its words, and the person who coordinates it, in one command."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from chassis.deciding.commands import Outcome
from chassis.deciding.decider import On
from chassis.running.http import Ctx, Problem
from contracts.enrollment import Role
from contracts.profiles import REFERENCE, Reference, ReferenceKind, reference_key
from contracts.streams import ORG
from contracts.types import PersonId, ProgramId
from services.enrollment.api.bodies import NewProgram
from services.enrollment.api.people import acquaint, until_no_conflict
from services.enrollment.program import PROGRAM, OpenProgram
from services.enrollment.role import ROLE, GrantRole
from services.enrollment.roster.reading import MAIL, Listed
from services.enrollment.stores import WORDS

LANGUAGE = "en"
"""The language of wording for which none is named."""


async def open_program(ctx: Ctx, body: NewProgram) -> tuple[ProgramId, PersonId, Outcome]:
    """Open it; whoever asks is its first coordinator."""
    program = ctx.new_id("pr")
    name, mail = _coordinator(ctx, body)
    opening = OpenProgram(
        program=program,
        rules=body.rules.whole(),
        opens=body.opens,
        closes=body.closes,
        floor_numbers=body.floor_numbers,
        floor_words=body.floor_words,
    )
    words = body.model_dump(mode="json", include={"title", "tags", "sites", "functions", "levels"})

    async def act() -> tuple[ProgramId, PersonId, Outcome]:
        known = await acquaint(ctx, program, ctx.caller.subject, name, mail)
        outcome = await ctx.run(
            On(PROGRAM, PROGRAM.stream(program, program), opening),
            On(
                ROLE,
                ROLE.stream(program, known.person),
                GrantRole(program=program, person=known.person, role=Role.coordinator),
            ),
            also=[
                *known.also,
                ctx.documents.put(WORDS, ORG, program, {"program": program, **words}),
                *(ctx.latest.put(REFERENCE, _key(r), r) for r in _references(program, body)),
            ],
        )
        return program, known.person, outcome

    return await until_no_conflict(act)


def _coordinator(ctx: Ctx, body: NewProgram) -> tuple[str, str]:
    if body.coordinator is not None:
        return body.coordinator.name, body.coordinator.mail
    claims = ctx.caller.token.claims
    name, mail = str(claims.get("name", "")).strip()[:200], str(claims.get("email", "")).strip()
    if not name or not MAIL.fullmatch(mail) or len(mail) > 254:
        raise Problem(
            422,
            "coordinator-unnamed",
            "your token has no claims name and email; say both in the field coordinator",
            pointer="/coordinator",
        )
    return name, mail


def _references(program: ProgramId, body: NewProgram) -> Iterator[Reference]:
    def reference(kind: ReferenceKind, id: str, labels: dict[str, str], zone: str | None = None) -> Reference:
        return Reference(rev=1, program=program, kind=kind, id=id, labels=labels, zone=zone)

    yield reference(ReferenceKind.program, program, {LANGUAGE: body.title})
    for tag, labels in body.tags.items():
        yield reference(ReferenceKind.tag, tag, labels)
    for tag, site in body.sites.items():
        yield reference(ReferenceKind.site, tag, {LANGUAGE: site.label}, site.zone)
    for tag, label in body.functions.items():
        yield reference(ReferenceKind.function, tag, {LANGUAGE: label})
    for number, label in enumerate(body.levels, 1):
        yield reference(ReferenceKind.level, str(number), {LANGUAGE: label})


def _key(reference: Reference) -> str:
    return reference_key(reference.program, reference.kind, reference.id)


async def words_of(ctx: Ctx, program: ProgramId) -> dict[str, Any]:
    """What a program calls things: title, tags, sites, functions, levels."""
    words = await ctx.documents.get(WORDS, ORG, program)
    if words is None:
        raise ctx.missing("program")
    return words


async def listed_by(ctx: Ctx, program: ProgramId) -> Listed:
    """The values a roster of this program may use."""
    words = await words_of(ctx, program)
    return Listed(
        tags=frozenset(words["tags"]),
        sites={tag: site["zone"] for tag, site in words["sites"].items()},
        functions=frozenset(words["functions"]),
        levels=len(words["levels"]),
    )
