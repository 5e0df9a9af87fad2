"""Taking a roster file: compare it with what is stored, write what changed, report what was done."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections import Counter
from typing import Any

from chassis.deciding.commands import KeyReused, derived_id
from chassis.deciding.decider import On
from chassis.running.http import Ctx, Problem
from contracts.profiles import PEOPLE, PROFILES, Person, Profile, person_key, profile_key
from contracts.streams import ORG
from contracts.types import ImportId, PersonId, ProgramId
from services.enrollment.api.opening import listed_by
from services.enrollment.api.people import employee_key, login_key, meant_by, members_of, until_no_conflict
from services.enrollment.api.taking import Stored, take
from services.enrollment.roster.planning import Plan, plan
from services.enrollment.roster.reading import Entry, NotARoster, Roster, read
from services.enrollment.roster_import import IMPORT, RecordImport

LARGEST_FILE = 16 * 1024 * 1024


async def import_roster(ctx: Ctx, program: ProgramId, data: bytes, *, dry_run: bool) -> dict[str, Any]:
    """Take the valid rows of a file and report what was done; a dry run only reports.

    Raises `Problem` where the file as a whole cannot be read, `KeyReused`, `Conflict`.
    """
    digest = hashlib.sha256(data).hexdigest()
    report_id = ctx.new_id("co", "report")
    if (done := await _reported(ctx, report_id, digest)) is not None:
        return done
    roster = await _read(ctx, program, data)
    roster_id = derived_id("im", program, digest)
    plans: list[Plan] = []

    async def act() -> dict[str, Any]:
        seen = await ctx.cuts.seen(program)
        stored, compared = await _compare(ctx, program, roster)
        plans.append(compared)
        # Where somebody enrols in the middle we come here twice; what is written then counts as unchanged, so the
        # counts are those of the first comparison.
        report = _report(roster_id, roster, plans[0], compared, dry_run)
        if not dry_run:
            text = json.dumps({"file": digest, "report": report})
            kept = ctx.contents.put(ORG, report_id, text, ctx.now(), about=[program])
            rest = await take(ctx, program, roster_id, stored, compared.changes)
            record = _record(report, plans[0], roster_id, digest, report_id)
            await ctx.run(
                On(IMPORT, IMPORT.stream(ORG, roster_id), record), also=[ctx.cuts.still(program, seen), kept, *rest]
            )
        return report

    return await until_no_conflict(act)


async def _reported(ctx: Ctx, report_id: str, digest: str) -> dict[str, Any] | None:
    """The answer this very request had before, if it is a repeat."""
    found = (await ctx.contents.get(ORG, [report_id])).get(report_id)
    if found is None:
        return None
    before = json.loads(found)
    if before["file"] != digest:
        raise KeyReused("this idempotency key was used with another file")
    report: dict[str, Any] = before["report"]
    return report


async def _read(ctx: Ctx, program: ProgramId, data: bytes) -> Roster:
    if len(data) > LARGEST_FILE:
        raise Problem(
            413, "roster-too-large", f"a roster file has at most {LARGEST_FILE >> 20} MiB; import it in parts"
        )
    listed = await listed_by(ctx, program)
    try:
        return await asyncio.to_thread(read, data, listed)
    except NotARoster as wrong:
        raise Problem(422, wrong.code, str(wrong)) from None


async def _compare(ctx: Ctx, program: ProgramId, roster: Roster) -> tuple[Stored, Plan]:
    entries = roster.entries.values()
    keys = {e.employee: employee_key(ctx, e.employee) for e in entries}
    logins = {e.login: login_key(ctx, e.login) for e in entries}
    members = await members_of(ctx, program)
    meant = await meant_by(ctx, [*keys.values(), *logins.values()])

    def known(entry: Entry) -> tuple[PersonId | None, PersonId | None]:
        return meant.get(keys[entry.employee]), meant.get(logins[entry.login])

    compared = await asyncio.to_thread(plan, roster, members, known, lambda e: ctx.new_id("pe", e.employee))
    persons = [change.member.person for change in compared.changes]
    people = await ctx.latest.find(PEOPLE, [person_key(p) for p in persons])
    profiles = await ctx.latest.find(PROFILES, [profile_key(program, p) for p in persons])
    stored = Stored(
        meant=meant,
        people={doc["person"]: Person.model_validate(doc) for doc in people.values()},
        profiles={doc["person"]: Profile.model_validate(doc) for doc in profiles.values()},
    )
    return stored, compared


def _report(roster_id: ImportId, roster: Roster, first: Plan, last: Plan, dry_run: bool) -> dict[str, Any]:
    fresh = {change.member.person for change in last.changes if change.before is None}
    people = [
        {
            # a dry run gives nobody an id
            "row": row,
            "person": None if dry_run and m.person in fresh else m.person,
            "side": m.side,
            "employee": m.employee,
            "line_complete": m.line_complete,
        }
        for row, m in last.taken.items()
    ]
    return {
        "import": roster_id,
        "dry_run": dry_run,
        "rows": roster.rows,
        "accepted": len(last.taken),
        "new": first.new,
        "changed": first.changed,
        "unchanged": len(last.taken) - first.new - first.changed,
        "rejected": [
            {"row": f.row, "column": f.column, "code": f.code, "value": f.value, "message": f.message}
            for f in last.faults
        ],
        "ignored_columns": list(roster.ignored),
        "people": people,
    }


def _record(report: dict[str, Any], first: Plan, roster_id: ImportId, digest: str, report_id: str) -> RecordImport:
    """The counts; of a row with several faults the first one counts."""
    faults = {fault.row: fault.code for fault in reversed(first.faults)}
    return RecordImport(
        roster=roster_id,
        file=digest,
        rows=report["rows"],
        added=report["new"],
        changed=report["changed"],
        unchanged=report["unchanged"],
        rejected=len(faults),
        faults=dict(Counter(faults.values())),
        content=report_id,
    )
