"""Who plays in the story: the people of a roster file, and what the coordinator knows of them."""

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from local.story.web import Json

FOUNDER = "founder"
"""The token subject that may open programs; it becomes the program's coordinator."""
SPONSOR = "sponsor"
"""The token subject of the program's sponsor."""

ROSTER = Path(__file__).parents[1] / "rosters" / "sample.csv"


@dataclass(slots=True)
class Member:
    """One person of the roster. `person` is known once the roster was imported."""

    login: str
    employee: str
    name: str
    mail: str
    side: str
    site: str
    zone: str
    offers: list[str]
    seeks: list[str]
    manager: str
    person: str = ""


@dataclass
class Cast:
    """Everybody of a roster file, by the keys by which others name them."""

    text: str
    members: list[Member]
    texts: list[str] = field(default_factory=list)
    """Every free text that somebody typed in the story."""

    @classmethod
    def read(cls, file: Path = ROSTER) -> "Cast":
        """The people of a roster as its file has them, faulty rows included."""
        text = file.read_text(encoding="utf-8-sig")
        return cls(text, [_member(row) for row in csv.DictReader(io.StringIO(text))])

    def recognise(self, people: Iterable[Json]) -> None:
        """Keep those whom the import took, with the person ids it gave them; of rows with one number the first."""
        rows = {member.employee: member for member in reversed(self.members)}
        self.members = []
        for item in people:
            member = rows[item["employee"]]
            member.person = item["person"]
            self.members.append(member)

    def side(self, side: str) -> list[Member]:
        """The people of one side, in the order of their logins."""
        return sorted((m for m in self.members if m.side == side), key=lambda m: m.login)

    def by_person(self, person: str) -> Member:
        """Who a person id stands for."""
        return next(m for m in self.members if m.person == person)

    def line(self, member: Member) -> set[str]:
        """The employee ids of everybody above, as the file says it."""
        managers = {m.employee: m.manager for m in self.members}
        above: set[str] = set()
        manager = member.manager
        while manager and manager not in above:
            above.add(manager)
            manager = managers.get(manager, "")
        return above

    def says(self, text: str) -> str:
        """Remember a free text, so that a test can look for it where it must not be."""
        self.texts.append(text)
        return text


def _member(row: dict[str, str]) -> Member:
    return Member(
        login=row["login"],
        employee=row["employee_id"],
        name=row["name"],
        mail=row["mail"],
        side=row["side"],
        site=row["site"],
        zone=row["zone"],
        offers=[tag for tag in row["offers"].split("|") if tag],
        seeks=[tag for tag in row["seeks"].split("|") if tag],
        manager=row["manager_id"],
    )
