"""Taking part: each command of a participant, with the revision of their profile that goes with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chassis.deciding.commands import Outcome
from chassis.deciding.decider import Command, On
from chassis.running.http import Ctx, Problem
from contracts.enrollment import Answer
from contracts.profiles import PROFILES, Profile, WeeklyWindow, profile_key
from contracts.types import PersonId, ProgramId, Side
from services.enrollment.api.bodies import NewParticipation
from services.enrollment.api.inviting import invitation_id
from services.enrollment.api.people import described, member_of, profile_of, until_no_conflict
from services.enrollment.availability import joined, longest_minutes, minutes_week
from services.enrollment.invitation import INVITATION
from services.enrollment.participation import PARTICIPATION, DeclareAvailability, Enrol, Withdraw
from services.enrollment.program import PROGRAM


def stream_of(program: ProgramId, person: PersonId) -> str:
    """The stream of one person's part in a program."""
    return PARTICIPATION.stream(program, person)


async def enrol(ctx: Ctx, program: ProgramId, person: PersonId, body: NewParticipation) -> Outcome:
    """Take part on one side; what the roster says of the person goes into their profile only now."""
    member = await member_of(ctx, program, person)
    if member is None:
        raise Problem(409, "not-on-the-roster", "the roster does not name you; ask a coordinator to import you")
    invitation = invitation_id(program, person, body.side)
    invited, _ = await ctx.read(INVITATION, INVITATION.stream(program, invitation))
    opened, _ = await ctx.read(PROGRAM, PROGRAM.stream(program, program))
    rules = opened.rules
    most = rules.capacity_mentor if body.side is Side.mentor else rules.capacity_executive
    capacity = body.capacity or min(member.capacity or most, most)

    def command(profile: Profile) -> Enrol:
        return Enrol(
            program=program,
            person=person,
            side=body.side,
            invited=invited.answer is Answer.accepted,
            capacity=capacity,
            most=most,
            profile_rev=profile.rev,
        )

    def change(profile: Profile) -> Profile:
        sides = sorted({*profile.sides, body.side})
        return described(ctx, profile, member, sides=sides, capacity=max(profile.capacity, capacity))

    return await _run(ctx, program, person, change, command)


async def declare(ctx: Ctx, program: ProgramId, person: PersonId, windows: list[WeeklyWindow]) -> Outcome:
    """Say when there is time; the same windows again are nothing new."""
    whole = joined(windows)
    state, _ = await ctx.read(PARTICIPATION, stream_of(program, person))
    profile = await profile_of(ctx, program, person)
    if state.state == "enrolled" and state.declared and profile is not None and profile.windows == whole:
        return Outcome()

    def change(profile: Profile) -> Profile:
        return profile.model_copy(update={"windows": whole, "rev": profile.rev + 1})

    def command(profile: Profile) -> DeclareAvailability:
        return DeclareAvailability(
            profile_rev=profile.rev, minutes_week=minutes_week(whole), longest_minutes=longest_minutes(whole)
        )

    return await _run(ctx, program, person, change, command)


async def withdraw(ctx: Ctx, program: ProgramId, person: PersonId) -> Outcome:
    """Leave.

    The profile keeps what it says: were it emptied, an executive could tell a mentor who left the program from one
    whose pair ended.
    """

    def change(profile: Profile) -> Profile:
        return profile.model_copy(update={"sides": [], "windows": [], "capacity": 0, "rev": profile.rev + 1})

    return await _run(ctx, program, person, change, lambda profile: Withdraw())


async def _run(
    ctx: Ctx,
    program: ProgramId,
    person: PersonId,
    change: Callable[[Profile], Profile],
    command: Callable[[Profile], Command],
) -> Outcome:
    """Run a command and write the profile's next revision with it; `command` is given that next revision."""

    async def act() -> Outcome:
        profile = await profile_of(ctx, program, person)
        if profile is None:
            raise ctx.missing("participant")
        revised = change(profile)
        on = On(PARTICIPATION, stream_of(program, person), command(revised))
        return await ctx.run(on, also=[ctx.latest.put(PROFILES, profile_key(program, person), revised)])

    return await until_no_conflict(act)


async def shown(ctx: Ctx, program: ProgramId, person: PersonId) -> tuple[dict[str, Any], int]:
    """All that is known of one's own part, exact, and the version of its stream (0: none yet)."""
    state, version = await ctx.read(PARTICIPATION, stream_of(program, person))
    opened, _ = await ctx.read(PROGRAM, PROGRAM.stream(program, program))
    profile = await profile_of(ctx, program, person)
    described_as = profile.model_dump(mode="json", exclude={"subject", "program", "erased", "sides"}) if profile else {}
    return {
        **described_as,
        "person": person,
        "state": state.state,
        "sides": {side.value: capacity for side, capacity in state.sides.items()},
        "pauses": {pause: kept.model_dump(mode="json") for pause, kept in state.pauses.items()},
        "charter_version": state.charter_version,
        "charter_in_force": opened.rules.charter_version,
    }, version
