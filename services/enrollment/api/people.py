"""Who somebody is: the persons that employee numbers and logins mean, and their state records."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

from chassis.deciding.commands import Conflict, Write
from chassis.running.http import Ctx
from contracts.profiles import PEOPLE, PROFILES, Person, Profile, person_key, profile_key
from contracts.streams import ORG
from contracts.types import PersonId, ProgramId
from services.enrollment.roster.planning import Member
from services.enrollment.stores import MEMBER

TRIES = 3
_SAID = (Member.model_fields.keys() & Profile.model_fields.keys()) - {"person", "capacity"}

T = TypeVar("T")


async def until_no_conflict(act: Callable[[], Awaitable[T]]) -> T:
    """Read, build and write again where a state record was changed in between."""
    for _ in range(TRIES - 1):
        try:
            return await act()
        except Conflict:
            continue
    return await act()


def login_key(ctx: Ctx, login: str) -> str:
    """Under which a login is kept: nobody without the key can tell whose it is."""
    return f"login-{ctx.keyed_hash('login', login)}"


def employee_key(ctx: Ctx, employee: str) -> str:
    """Under which an employee number is kept."""
    return f"employee-{ctx.keyed_hash('employee', employee)}"


async def meant_by(ctx: Ctx, keys: Iterable[str]) -> dict[str, PersonId]:
    """The person each key means, for those that mean one."""
    return await ctx.contents.get(ORG, sorted(set(keys)))  # type: ignore[no-any-return]


def claim(ctx: Ctx, key: str, person: PersonId) -> Write:
    """Let a key mean a person. It is an insert: of two who name a newcomer at once, one has to try again."""
    side: Write = ctx.contents.put(ORG, key, person, ctx.now(), about=[person])
    return side


@dataclass(frozen=True)
class Acquainted:
    """A person, and what must be written with the first fact that names them in a program."""

    person: PersonId
    also: tuple[Write, ...]


async def acquaint(ctx: Ctx, program: ProgramId, login: str, name: str, mail: str) -> Acquainted:
    """The person with that login, new or known, recognised in the program from now on.

    What is known of a known person stays: the roster says how they are addressed.
    """
    key = login_key(ctx, login)
    person = (await meant_by(ctx, [key])).get(key)
    also: list[Write] = []
    if person is None:
        person = ctx.new_id("pe", "newcomer")
        also.append(claim(ctx, key, person))
        also.append(ctx.latest.put(PEOPLE, person_key(person), Person(rev=1, person=person, name=name, mail=mail)))
    if await profile_of(ctx, program, person) is None:
        also += recognise(ctx, program, person, login)
    return Acquainted(person, tuple(also))


def recognise(ctx: Ctx, program: ProgramId, person: PersonId, login: str) -> list[Write]:
    """A first profile: enough to recognise the caller, and nothing else of them; none of somebody who was erased."""
    profile = Profile(rev=1, program=program, person=person, subject=ctx.subject_hash_of(login))
    return [
        ctx.latest.hold(PEOPLE, person_key(person)),
        ctx.latest.put(PROFILES, profile_key(program, person), profile),
    ]


async def profile_of(ctx: Ctx, program: ProgramId, person: PersonId) -> Profile | None:
    """The current profile, exact."""
    doc = await ctx.latest.get(PROFILES, profile_key(program, person))
    return None if doc is None else Profile.model_validate(doc)


def described(ctx: Ctx, profile: Profile, member: Member, **changes: object) -> Profile:
    """The next revision of a participant's profile: what the roster says of them, and other changes."""
    said = member.model_dump(include=_SAID)
    subject = ctx.subject_hash_of(member.login)
    return Profile.model_validate(profile.model_dump() | said | {"subject": subject, "rev": profile.rev + 1} | changes)


async def member_of(ctx: Ctx, program: ProgramId, person: PersonId) -> Member | None:
    """What the roster says of somebody."""
    doc = await ctx.documents.get(MEMBER, program, person)
    return None if doc is None else Member.model_validate(doc)


async def members_of(ctx: Ctx, program: ProgramId) -> dict[PersonId, Member]:
    """Everybody on the roster."""
    members = [Member.model_validate(doc) for doc in await ctx.documents.find(MEMBER, program)]
    return {member.person: member for member in members}


async def names_of(ctx: Ctx, persons: Iterable[PersonId]) -> dict[PersonId, str]:
    """What people are called."""
    found = await ctx.latest.find(PEOPLE, [person_key(person) for person in persons])
    return {key: doc["name"] for key, doc in found.items()}
