"""Writing what a roster changes: a hundred persons in a transaction, so that an import that broke off can go on."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chassis.deciding.commands import Write
from chassis.deciding.decider import On
from chassis.running.http import Ctx
from contracts.enrollment import PersonField
from contracts.profiles import PEOPLE, PROFILES, Person, Profile, person_key, profile_key
from contracts.streams import ORG
from contracts.types import ImportId, PersonId, ProgramId
from services.enrollment.api.people import claim, described, employee_key, login_key
from services.enrollment.api.revising import changed_fields
from services.enrollment.participation import PARTICIPATION, ReviseProfile
from services.enrollment.person import PERSON, NotePerson
from services.enrollment.roster.planning import Change, Member
from services.enrollment.stores import MEMBER

PIECE = 100
"""Persons in one transaction."""


@dataclass(frozen=True)
class Stored:
    """What is known of the people a file names: what keys mean, and the state records."""

    meant: Mapping[str, PersonId]
    people: Mapping[PersonId, Person]
    profiles: Mapping[PersonId, Profile]


@dataclass(frozen=True)
class _Writes:
    """One change: the commands that say it, none where no fact has a word for it; and what is written beside the
    member's own document."""

    member: Member
    on: tuple[On, ...]
    also: tuple[Write, ...]


async def take(
    ctx: Ctx, program: ProgramId, roster: ImportId, stored: Stored, changes: Sequence[Change]
) -> list[Write]:
    """Write all changes that are facts; answers the other writes, for the transaction that ends the import."""
    rest: list[Write] = []
    for start in range(0, len(changes), PIECE):
        piece = changes[start : start + PIECE]
        writes = await asyncio.gather(*(_writes(ctx, program, roster, stored, change) for change in piece))
        on = [each for w in writes for each in w.on]
        if on:
            said = [w for w in writes if w.on]
            await ctx.run(*on, also=[*_documents(ctx, program, said), *(side for w in said for side in w.also)])
        silent = [w for w in writes if not w.on and w.also]
        rest += [*_documents(ctx, program, silent), *(side for w in silent for side in w.also)]
        for w in writes:
            if not w.on and not w.also:  # one document holds by itself
                await ctx.documents.save(MEMBER, program, w.member.person, w.member.model_dump(mode="json"))
    return rest


def _documents(ctx: Ctx, program: ProgramId, writes: Sequence[_Writes]) -> list[Write]:
    return [ctx.documents.put(MEMBER, program, w.member.person, w.member.model_dump(mode="json")) for w in writes]


async def _writes(ctx: Ctx, program: ProgramId, roster: ImportId, stored: Stored, change: Change) -> _Writes:
    member = change.member
    person = member.person
    record = stored.people.get(person)
    keys = (employee_key(ctx, member.employee), login_key(ctx, member.login))
    also = [claim(ctx, key, person) for key in keys if key not in stored.meant]
    profile = stored.profiles.get(person)
    says: tuple[On, ...] = ()
    if profile is not None and (revised := _revised(ctx, profile, change)) is not None:
        also.append(ctx.latest.put(PROFILES, profile_key(program, person), revised))
        if profile.sides and (changed := changed_fields(profile, revised)):
            revise = ReviseProfile(profile_rev=revised.rev, changed=changed)
            says = (On(PARTICIPATION, PARTICIPATION.stream(program, person), revise),)
    fields = _fields(ctx, stored, change)
    noted = record is not None and (change.before is not None or await _noted(ctx, person))
    if noted and not fields:
        return _Writes(member, says, (ctx.latest.hold(PEOPLE, person_key(person)), *also) if also else ())
    said = Person(
        rev=record.rev + 1 if record else 1, person=person, **member.model_dump(include={"name", "mail", "language"})
    )
    also.append(ctx.latest.put(PEOPLE, person_key(person), said))
    command = NotePerson(person=person, roster=roster, rev=said.rev, changed=fields)
    return _Writes(member, (On(PERSON, PERSON.stream(ORG, person), command), *says), tuple(also))


async def _noted(ctx: Ctx, person: PersonId) -> bool:
    """Whether some roster has named the person before (who has a role may be known without)."""
    state, _ = await ctx.read(PERSON, PERSON.stream(ORG, person))
    return state.rev > 0


def _fields(ctx: Ctx, stored: Stored, change: Change) -> tuple[PersonField, ...]:
    """What changed of the person; of one who is new here but known elsewhere, against their state record."""
    record = stored.people.get(change.member.person)
    if change.before is not None or record is None:
        return change.fields
    fields = [f for f in ("name", "mail", "language") if getattr(change.member, f) != getattr(record, f)]
    if login_key(ctx, change.member.login) not in stored.meant:
        fields.append("subject")
    return tuple(PersonField(f) for f in fields)


def _revised(ctx: Ctx, profile: Profile, change: Change) -> Profile | None:
    """The next revision of a profile, or None where it stays as it is.

    Of people who do not take part nothing but the subject is in it.
    """
    if profile.sides:
        revised = described(ctx, profile, change.member)
    else:
        subject = ctx.subject_hash_of(change.member.login)
        revised = profile.model_copy(update={"subject": subject, "rev": profile.rev + 1})
    same = revised.model_dump(exclude={"rev"}) == profile.model_dump(exclude={"rev"})
    return None if same else revised
