"""A short story of one program: a few people, one round, one session each, a board, a leaving and a report.

It is told in steps between which several programs can wait for each other, because they share one clock.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from pathlib import Path

from local.rosters.make import COLUMNS
from local.story import figures, months, people
from local.story.cast import Cast, Member
from local.story.program import PROGRAM
from local.story.state import Pair, Silence, Story
from local.story.web import Json, Web, check, together

EXECUTIVES, MENTORS = 3, 5
SITES = (("bengaluru", "Asia/Kolkata"), ("sao-paulo", "America/Sao_Paulo"))
"""No clock is changed there: two seasons that begin on a Monday are alike, whatever the time of year."""


class Marked(Cast):
    """People who leave the mark of their program in every text they type."""

    mark = ""

    def says(self, text: str) -> str:
        return super().says(f"{text} ({self.mark})")


@dataclass
class Season:
    """One program: its letter, which is in the logins of whoever is in no other, and how its story has come along."""

    letter: str
    story: Story
    sessions: list[Json] = field(default_factory=list)

    @property
    def founder(self) -> str:
        return f"founder-{self.letter}"

    @property
    def sponsor(self) -> str:
        return f"sponsor-{self.letter}"

    @property
    def program(self) -> str:
        return self.story.program

    @property
    def mark(self) -> str:
        """What is in every text that was typed in this program, and in no other."""
        return f"typed in {self.letter}"

    async def open(self) -> None:
        story, says = self.story, self.story.cast.says
        story.opened = story.today()
        body = PROGRAM | {
            "title": says("The view from below"),
            "rules": {**PROGRAM["rules"], "earlier_partners": "program"},
            "opens": story.opened.isoformat(),
            "closes": (story.opened + timedelta(days=270)).isoformat(),
            "coordinator": {"name": "Ines Duarte", "mail": "ines.duarte@company.example"},
        }
        story.program = (await story.web.post(self.founder, "enrollment", "/programs", body))["program"]
        grant = {"login": self.sponsor, "name": "Helena Prado", "mail": "h.prado@company.example", "role": "sponsor"}
        give = partial(story.web.post, self.founder, "enrollment", story.at("/roles"), grant)
        await story.web.until(give, "the sponsor has their role")

    async def gather(self) -> None:
        """The roster comes in; everybody but one mentor accepts, and enrols."""
        story, web = self.story, self.story.web
        taken = await web.post(self.founder, "enrollment", story.at("/roster"), story.cast.text)
        check(not taken["rejected"], f"rows of the roster were rejected: {taken.body}")
        story.cast.recognise(taken["people"])
        asked = story.cast.side("executive")[1:] + story.cast.side("mentor")  # the first is everybody's manager
        body = {"wave": 1, "persons": [member.person for member in asked], "value_case": "insight"}
        invited = await web.post(self.founder, "enrollment", story.at("/invitations"), body)
        story.invitations = {item["person"]: item["invitation"] for item in invited["invitations"]}
        story.taking_part = asked[:-1]
        await together(self._answers(member, member is not asked[-1]) for member in asked)
        await people.enrol(story)

    async def _answers(self, member: Member, yes: bool) -> None:
        path = self.story.at(f"/invitations/{self.story.invitations[member.person]}/answer")
        said = {"answer": "accepted"} if yes else {"answer": "declined", "hesitation": "time"}
        post = partial(self.story.web.post, member.login, "enrollment", path, said)
        await self.story.web.until(post, f"{member.login} answers")

    async def pair_up(self) -> None:
        """A round is solved and published; everybody who is asked says yes."""
        story, web = self.story, self.story.web
        await web.seen(self.founder, "matching", story.at("/pairs"), story.enrolled_after)
        order = partial(web.post, self.founder, "matching", story.at("/rounds"), {"kind": "cohort"})
        round_ = story.at(f"/rounds/{(await web.until(order, 'a round can be opened'))['round']}")

        async def proposals() -> list[Json] | None:
            found = await web.items(self.founder, "matching", f"{round_}/proposals")
            return found if len(found) == EXECUTIVES else None

        made = await web.until(proposals, "the round is solved")
        approve = partial(web.post, self.founder, "matching", f"{round_}/approvals")
        await web.until(approve, "the proposals are approved")
        await web.post(self.founder, "matching", f"{round_}/publish")
        await together(self._consents(item) for item in made)

    async def _consents(self, proposal: Json) -> None:
        story, web = self.story, self.story.web
        for side in ("mentor", "executive"):
            login = story.cast.by_person(proposal[side]).login
            path = story.at(f"/proposals/{proposal['proposal']}/consent")
            post = partial(web.post, login, "matching", path, {"answer": "yes"})
            said = await web.until(post, f"{login} can answer")
        mentor, executive = (story.cast.by_person(proposal[side]) for side in ("mentor", "executive"))
        story.pairs.append(Pair(said["pair"], mentor, executive))

    async def book(self) -> None:
        """Everybody books; one session is moved, one cancelled and proposed anew."""
        story = self.story
        story.pairs.sort(key=lambda pair: pair.executive.login)
        self.sessions = await together(months.book(story, pair, 1) for pair in story.pairs)
        await months.move(story, story.pairs[0], self.sessions[0])
        await months.cancel(story, story.pairs[1])

    @property
    def last_start(self) -> datetime:
        """When the last of the booked sessions begins."""
        return max(pair.start for pair in self.story.pairs if pair.start is not None)

    async def meet(self) -> None:
        """The sessions are held; the boards fill; pulses and insights are given."""
        story = self.story
        await together(months.hold(story, pair, 1) for pair in story.pairs)
        await together(
            [
                *(months.follow_through(story, pair, number) for number, pair in enumerate(story.pairs)),
                figures.give(story),
            ]
        )
        await together(months.proposed(story, pair, 2) for pair in story.pairs)

    async def part(self) -> None:
        """A mentor leaves, and with them their pair."""
        story, web, left = self.story, self.story.web, self.story.pairs[-1]
        await web.post(left.mentor.login, "enrollment", story.at("/participations/me/withdraw"))
        story.gone.append(left.mentor)

        async def over() -> bool:
            journeys = await web.items(left.executive.login, "scheduling", story.at("/journeys"))
            sessions = await web.items(left.executive.login, "scheduling", story.at(f"/pairs/{left.id}/sessions"))
            ended = any((item["pair"], item["state"]) == (left.id, "over") for item in journeys)
            return ended and {session["state"] for session in sessions} == {"held", "cancelled"}

        await web.until(over, "the pair is over")

    async def report(self) -> None:
        first = self.story.opened
        last = sunday_after(self.story.today()) - timedelta(days=7)
        period = {"kind": "health", "first": first.isoformat(), "last": last.isoformat()}
        await self.story.web.post(self.founder, "insights", self.story.at("/reports"), period)

    def people(self) -> dict[str, str]:
        """Who can be asked as, by what they are in the program: every role, and every way to have taken part."""
        living, left = self.story.pairs[0], self.story.pairs[-1]
        return {
            "coordinator": self.founder,
            "sponsor": self.sponsor,
            "mentor": living.mentor.login,
            "executive": living.executive.login,
            "mentor who left": left.mentor.login,
            "executive who was left": left.executive.login,
            "mentor without a pair": next(
                member.login
                for member in self.story.of_side("mentor")
                if member.login not in {pair.mentor.login for pair in self.story.pairs}
            ),
            "mentor who declined": self.story.cast.side("mentor")[-1].login,
        }


async def live(*seasons: Season) -> None:
    """Live through the seasons side by side, each step of all of them at once.

    No time passes before everything that follows from a step has happened: a day later it would count otherwise.
    """
    story = seasons[0].story
    monday = sunday_after(story.today()) + timedelta(days=1)
    story.travel_to(datetime.combine(monday, time(6), UTC))
    for step in (Season.open, Season.gather, Season.pair_up, Season.book):
        await together(step(season) for season in seasons)
    await story.web.settled()
    story.travel_to(max(season.last_start for season in seasons) + timedelta(hours=1))
    for step in (Season.meet, Season.part):
        await together(step(season) for season in seasons)
    await story.web.settled()
    story.travel_to(datetime.combine(sunday_after(story.today()) + timedelta(days=1), time(6), UTC))
    await story.web.settled()
    await together(season.report() for season in seasons)
    await story.web.settled()


def season(letter: str, web: Web, roster: Path) -> Season:
    """A season that has not begun."""
    cast = Marked.read(roster)
    made = Season(letter, Story(web, cast, Silence()))
    cast.mark = made.mark
    return made


def roster(
    folder: Path, executives: int = EXECUTIVES, mentors: int = MENTORS, prefix: str = "", everywhere: str = ""
) -> Path:
    """A roster file: a manager of everybody, whom nobody invites, and so many executives and mentors."""
    rows = [_row(0, f"{prefix}boss", "executive", 7, "")]
    rows += [
        _row(1 + n, f"{prefix}executive.{n:02d}", "executive", 6, rows[0]["employee_id"]) for n in range(executives)
    ]
    rows += [
        _row(1 + executives + n, f"{prefix}mentor.{n:02d}", "mentor", 2, rows[0]["employee_id"]) for n in range(mentors)
    ]
    for row in rows:
        row["employee_id"], row["manager_id"] = (
            prefix + row[key] if row[key] else "" for key in ("employee_id", "manager_id")
        )
    for row in rows if everywhere else ():
        row["site"], row["zone"] = everywhere, dict(SITES)[everywhere]
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    file = folder / f"{prefix}roster.csv"
    file.write_text(text.getvalue(), encoding="utf-8")
    return file


def _row(number: int, login: str, side: str, level: int, manager: str) -> dict[str, str]:
    site, zone = SITES[number % 2]
    return {
        "employee_id": f"{login.partition('.')[0]}-{number:04d}",
        "login": login,
        "name": login.replace(".", " ").title(),
        "mail": f"{login}@company.example",
        "language": "en",
        "side": side,
        "level": str(level),
        "function": ("engineering", "sales", "people")[number % 3],
        "site": site,
        "zone": zone,
        "manager_id": manager,
        "languages": "en",
        "offers": "learning|technology",
        "seeks": "careers|learning",
        "channels": "video",
        "capacity": "1",
    }


def sunday_after(day: date) -> date:
    """The Sunday of the week of a day."""
    return day + timedelta(days=6 - day.weekday())
