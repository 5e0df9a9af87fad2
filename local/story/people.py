"""First and second chapter: a program opens; a roster comes in, people are invited, enrol, and give their hours."""

from datetime import timedelta
from functools import partial

from local.story.cast import FOUNDER, SPONSOR, Member
from local.story.program import PROGRAM, SESSIONS
from local.story.state import Story
from local.story.web import Answer, Json, check, together

FAULTY_ROWS = 5
EXECUTIVES = 12
MENTORS = 40


async def open_program(story: Story) -> None:
    """A coordinator opens a program with its rules; roles are granted."""
    web = story.web
    story.opened = story.today()
    body = {
        **PROGRAM,
        "opens": story.opened.isoformat(),
        "closes": (story.opened + timedelta(days=270)).isoformat(),
        "coordinator": {"name": story.cast.says("Ines Duarte"), "mail": story.cast.says("ines.duarte@company.example")},
    }
    await web.refused(403, SPONSOR, "POST", "enrollment", "/programs", body)
    opened = await web.post(FOUNDER, "enrollment", "/programs", body)
    story.program = opened["program"]
    story.tell.line(f"Program {story.program}: {SESSIONS} sessions a pair, both sides consent, floors of 5 and 10")
    roles = [(SPONSOR, "Helena Prado", "sponsor"), ("trusted", "Tomas Lindqvist", "trusted")]
    for login, name, role in roles:
        mail = story.cast.says(f"{name.lower().replace(' ', '.')}@company.example")
        grant = {"login": login, "name": story.cast.says(name), "mail": mail, "role": role}
        await web.until(partial(web.post, FOUNDER, "enrollment", story.at("/roles"), grant), f"{role} is granted")
    story.tell.line("Roles: 1 coordinator, 1 sponsor, 1 of the two trusted people")


async def import_roster(story: Story) -> None:
    """The roster is tried, taken, and given once more; its faulty rows come back with row, column, code and value."""
    web, text = story.web, story.cast.text
    rows = len(story.cast.members)
    tried = await web.post(FOUNDER, "enrollment", story.at("/roster?dry_run=true"), text)
    taken = await web.post(FOUNDER, "enrollment", story.at("/roster"), text)
    check(_counts(tried) == _counts(taken), f"the dry run says {_counts(tried)}, the import {_counts(taken)}")
    check(taken["rows"] == rows >= 60 + FAULTY_ROWS, f"{taken['rows']} of {rows} rows of the roster were read")
    check(taken["accepted"] == rows - FAULTY_ROWS, f"{taken['accepted']} of {rows} rows were accepted")
    check(len(taken["rejected"]) == FAULTY_ROWS, f"the faulty rows came back as {taken['rejected']}")
    again = await web.post(FOUNDER, "enrollment", story.at("/roster"), text)
    check((again["new"], again["changed"]) == (0, 0), f"the same file again changed something: {again.body}")
    story.cast.recognise(taken["people"])
    story.tell.line(f"{rows} rows, {taken['accepted']} taken; the same file again changes nothing. Faulty:")
    for fault in taken["rejected"]:
        story.tell.line(f"  row {fault['row']:>3}  {fault['column']:<12} {fault['code']:<16} {fault['value']!r}")


def _counts(answer: Answer) -> Json:
    return {name: answer[name] for name in ("rows", "accepted", "rejected")}


async def invite(story: Story) -> None:
    """Everybody is invited; some hesitate, one executive declines, the others accept."""
    web, cast = story.web, story.cast
    for side, value_case in (("executive", "insight"), ("mentor", "visibility")):
        persons = [member.person for member in cast.side(side)]
        body = {"wave": 1, "persons": persons, "value_case": value_case}
        asked = await web.post(FOUNDER, "enrollment", story.at("/invitations"), body)
        check(asked["invited"] == len(persons), f"{asked['invited']} of {len(persons)} {side}s were invited")
        story.invitations |= {item["person"]: item["invitation"] for item in asked["invitations"]}
    executives, mentors = cast.side("executive"), cast.side("mentor")
    declining, hesitating = executives[-1], [executives[-2], *mentors[-5:]]
    won_over = mentors[-7:-5]
    staying = [m for m in [*executives, *mentors] if m not in (declining, *hesitating)]
    await together(
        [
            _answer(story, declining, "declined", "exposure"),
            *(_answer(story, member, "hesitant", "time") for member in [*hesitating, *won_over]),
            *(_answer(story, member, "accepted") for member in staying if member not in won_over),
        ]
    )
    await together(_answer(story, member, "accepted") for member in won_over)
    story.taking_part = staying
    enough = len(story.of_side("executive")) == EXECUTIVES and len(story.of_side("mentor")) >= MENTORS
    check(enough, f"this story needs {EXECUTIVES} executives and {MENTORS} mentors who accept")
    story.tell.line(
        f"{len(executives) + len(mentors)} invited: {len(staying)} accept (two after hesitating), "
        f"{len(hesitating)} hesitate, 1 declines"
    )


async def _answer(story: Story, member: Member, answer: str, hesitation: str | None = None) -> None:
    path = story.at(f"/invitations/{story.invitations[member.person]}/answer")
    said = {"answer": answer, **({"hesitation": hesitation} if hesitation else {})}
    await story.web.until(lambda: story.web.post(member.login, "enrollment", path, said), f"{member.login} answers")


async def enrol(story: Story) -> None:
    """Who accepted takes part, accepts the charter and declares hours on their own clock."""
    after = await together(_enrol(story, member, i) for i, member in enumerate(story.taking_part))
    story.enrolled_after = [token for tokens in after for token in tokens]
    zones = {member.zone for member in story.taking_part}
    story.tell.line(
        f"{len(story.of_side('executive'))} executives and {len(story.of_side('mentor'))} mentors enrolled, "
        f"accepted the charter and gave their hours, in {len(zones)} time zones"
    )


async def _enrol(story: Story, member: Member, number: int) -> tuple[str, ...]:
    web, me = story.web, member.login
    await web.post(me, "enrollment", story.at("/participations"), {"side": member.side})
    await web.post(me, "enrollment", story.at("/participations/me/charter"), {"charter_version": 1})
    windows = {"windows": weekly_windows(member.zone, number)}
    declared = await web.put(me, "enrollment", story.at("/participations/me/availability"), windows)
    return declared.after


# Local hours that lie around 13:00 UTC, so that four continents can meet.
_FIRST_HOUR = {"Europe/Lisbon": 12, "Asia/Kolkata": 17.5, "America/Sao_Paulo": 9, "America/Toronto": 8}


def weekly_windows(zone: str, number: int) -> list[Json]:
    """Three weekdays of three hours each, in quarter hours of the person's own clock; any two people share a day."""
    first = round(_FIRST_HOUR[zone] * 4) + number % 3
    days = sorted({(number + step) % 5 for step in (0, 1, 3)})
    return [{"weekday": day, "first": first, "last": first + 12} for day in days]
