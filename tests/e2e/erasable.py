"""A small program in which one mentor leaves a mark of theirs wherever something can be typed about or by them."""

from __future__ import annotations

import csv
import io
import secrets
from datetime import timedelta
from functools import partial
from typing import Any

from local.story.cast import FOUNDER
from local.story.people import weekly_windows
from local.story.program import MINUTES, PROGRAM
from local.story.web import Json, Web

LISBON = "Europe/Lisbon"
THEME = "learning"
COLUMNS = (
    "employee_id,login,name,mail,language,side,level,function,site,zone,manager_id,languages,offers,seeks,channels"
)

WORDING = {
    "NewProgram/title",
    "NewProgram/tags",
    "NewProgram/functions",
    "NewProgram/levels",
    "Site/label",
}
"""Where a founder types what things of a program are called. Nobody's data are in it."""
OF_PEOPLE = {
    "Coordinator/name",
    "Coordinator/mail",
    "NewRole/name",
    "NewRole/mail",
    "NewRole/login",
    "Raise/text",
    "Commit/text",
    "Show/text",
    "Note/text",
    "RaisedInsight/text",
}
"""Where something of a person is typed; and the cells of a roster."""


class Erasable:
    """The mark, the people, and the pair of the one who will be erased. `typed`: the places the mark was typed in."""

    def __init__(self, web: Web) -> None:
        self.web = web
        self.mark = "zq" + secrets.token_hex(6)
        self.login = f"{self.mark}.login"
        self.typed: set[str] = set()
        self.program = self.other = self.person = self.partner = self.pair = ""
        self.partner_login = "omar.executive"

    def at(self, path: str) -> str:
        """A path of the program."""
        return f"/programs/{self.program}{path}"

    def says(self, place: str, text: str = "words") -> str:
        """A text with the mark in it, typed in a place."""
        self.typed.add(place)
        return f"{text} {self.mark} {secrets.token_hex(2)}"

    async def live(self) -> None:
        """From opening two programs to words on a board."""
        self.program, self.other = await self._open("The one"), await self._open("The other")
        people = await self._import(self.program, self._roster())
        await self._import(self.other, self._roster())
        self.person, self.partner = people[f"{self.mark}-2"], people["E1"]
        await self.web.post(FOUNDER, "enrollment", f"/programs/{self.other}/invitations", {"persons": [self.person]})
        await self._grant()
        for employee in (f"{self.mark}-2", "E1", "E2", "N2"):
            await self._enrol(people[employee], employee)
        await self._pair_up()
        await self._meet()
        await self._insights()

    # -- before anybody meets ---------------------------------------------------------------------------------------

    async def _open(self, title: str) -> str:
        today = self.web.installation.now().date()
        coordinator = {"name": "Ines", "mail": "ines@company.example"}
        dates = {"opens": today.isoformat(), "closes": (today + timedelta(days=270)).isoformat()}
        body = {**PROGRAM, "title": title, **dates, "coordinator": coordinator}
        return str((await self.web.post(FOUNDER, "enrollment", "/programs", body))["program"])

    def _roster(self) -> str:
        """The marked one is a mentor, is somebody's manager, and is in a row that nobody can place."""
        rows = [
            self._row("B0", "big.boss", 7, "", ""),
            self._row("E1", self.partner_login, 6, "executive", "B0"),
            self._row("E2", "eva.executive", 6, "executive", "B0"),
            self._row(f"{self.mark}-2", self.login, 2, "mentor", "E2", f"Name {self.mark}"),
            self._row("N2", "nuno.mentor", 2, "mentor", "E1"),
            self._row("R1", "rui.reports", 1, "", f"{self.mark}-2"),
            self._row(f"{self.mark}-9", f"{self.mark}.twice", 2, "mentor", f"nobody-{self.mark}", f"Other {self.mark}"),
        ]
        out = io.StringIO()
        csv.writer(out).writerows([COLUMNS.split(","), *rows])
        return out.getvalue()

    def _row(
        self, employee: str, login: str, level: int, side: str, manager: str, name: str = "Somebody"
    ) -> list[object]:
        mail = f"{login}@company.example"
        place = ["engineering", "lisbon", LISBON]
        themes = ["en", f"{THEME}|careers", f"{THEME}|wellbeing", "video"]
        return [employee, login, name, mail, "en", side, level, *place, manager, *themes]

    async def _import(self, program: str, roster: str) -> dict[str, str]:
        path = f"/programs/{program}/roster"
        taken = await self.web.until(partial(self.web.post, FOUNDER, "enrollment", path, roster), "it is imported")
        assert len(taken["rejected"]) == 1, taken.body
        return {item["employee"]: item["person"] for item in taken["people"]}

    async def _grant(self) -> None:
        """The marked one may also act in a role, and somebody else whose name has the mark does not matter."""
        body = {
            "login": self.login,
            "name": self.says("NewRole/name"),
            "mail": f"{self.mark}.role@company.example",
            "role": "sponsor",
        }
        self.typed |= {"NewRole/mail", "NewRole/login"}
        path = f"/programs/{self.other}/roles"
        await self.web.until(partial(self.web.post, FOUNDER, "enrollment", path, body), "the role is granted")

    async def _enrol(self, person: str, employee: str) -> None:
        web, side = self.web, "executive" if employee.startswith("E") else "mentor"
        login = {"E1": self.partner_login, "E2": "eva.executive", "N2": "nuno.mentor"}.get(employee, self.login)
        asked = await web.post(FOUNDER, "enrollment", self.at("/invitations"), {"persons": [person]})
        path = self.at(f"/invitations/{asked['invitations'][0]['invitation']}/answer")
        await web.until(partial(web.post, login, "enrollment", path, {"answer": "accepted"}), f"{employee} answers")
        await web.post(login, "enrollment", self.at("/participations"), {"side": side})
        await web.post(login, "enrollment", self.at("/participations/me/charter"), {"charter_version": 1})
        windows = {"windows": weekly_windows(LISBON, 0)}
        await web.put(login, "enrollment", self.at("/participations/me/availability"), windows)

    # -- a pair -----------------------------------------------------------------------------------------------------

    async def _pair_up(self) -> None:
        web = self.web
        await web.settled()
        opened = await web.post(FOUNDER, "matching", self.at("/rounds"), {"kind": "cohort"})
        path = self.at(f"/rounds/{opened['round']}")

        async def solved() -> Json | None:
            answer = await web.get(FOUNDER, "matching", path)
            return answer.body if answer["state"] != "opened" else None

        result = await web.until(solved, "the round is solved")
        assert result["proposed"] == 2 and result["reproducible"], result
        self.round = str(opened["round"])
        await web.settled()
        await web.post(FOUNDER, "matching", f"{path}/approvals")
        await web.post(FOUNDER, "matching", f"{path}/publish")
        for login in (self.login, self.partner_login):
            asked = await web.until(partial(self._asked, login), f"{login} is asked")
            await web.post(login, "matching", self.at(f"/proposals/{asked['proposal']}/consent"), {"answer": "yes"})
        pairs = await web.until(partial(self._journeys, self.login), "the journey is open")
        self.pair = str(pairs[0]["pair"])

    async def _asked(self, login: str) -> Any:
        items = (await self.web.get(login, "matching", self.at("/proposals/mine")))["items"]
        return items[0] if items else None

    async def _journeys(self, login: str) -> Any:
        items = await self.web.items(login, "scheduling", self.at("/journeys"))
        return [item for item in items if item["next"]]

    async def _meet(self) -> None:
        """One session is held; both write, each about the other; ideas become actions of either side."""
        web = self.web
        items = await web.items(self.login, "scheduling", self.at(f"/pairs/{self.pair}/sessions"))
        session = self.at(f"/sessions/{items[0]['session']}")
        await web.post(self.partner_login, "scheduling", f"{session}/book", {"window": 0, "channel": "video"})
        web.installation.forward(timedelta(days=30))
        held = await web.post(self.login, "scheduling", f"{session}/hold", {"minutes": MINUTES, "channel": "video"})
        after = ", ".join(held.after)
        for login in (self.login, self.partner_login):
            note = {"tag": THEME, "themes": [THEME], "text": self.says("Note/text", f"{login} learned")}
            await web.post(login, "scheduling", f"{session}/learning", note, Counterpoint_After=after)
        for owner, login in (("mentor", self.login), ("executive", self.partner_login)):
            await self._change(owner, login)

    async def _change(self, owner: str, login: str) -> None:
        async def step(path: str, body: Json, after: tuple[str, ...] = ()) -> Any:
            return await self.web.post(login, "scheduling", self.at(path), body, Counterpoint_After=", ".join(after))

        idea = await step(f"/pairs/{self.pair}/ideas", {"theme": THEME, "text": self.says("Raise/text")})
        due = (self.web.installation.now() + timedelta(days=30)).date().isoformat()
        body = {"owner": owner, "due": due, "text": self.says("Commit/text")}
        done = await step(f"/ideas/{idea['idea']}/commit", body, idea.after)
        shown = {"kind": "other", "text": self.says("Show/text")}
        await step(f"/actions/{done['action']}/evidence", shown, done.after)

    async def _insights(self) -> None:
        for program in (self.program, self.program):
            body = {"theme": THEME, "text": self.says("RaisedInsight/text")}
            await self.web.post(self.login, "insights", f"/programs/{program}/insights", body)
        body = {"theme": THEME, "text": "words of somebody else"}
        await self.web.post(self.partner_login, "insights", self.at("/insights"), body)
        await self.web.settled()
