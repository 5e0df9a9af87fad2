"""What the story remembers while it runs, and how it is told."""

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Protocol

from local.story.cast import Cast, Member
from local.story.web import Json, Web


class Teller(Protocol):
    """Whoever shows the story while it runs."""

    def chapter(self, title: str) -> None:
        """A new part begins."""

    def line(self, text: str) -> None:
        """Something happened."""


class Silence:
    """Shows nothing."""

    def chapter(self, title: str) -> None:
        pass

    def line(self, text: str) -> None:
        pass


@dataclass(slots=True)
class Pair:
    """A pair of the story, and how far it got."""

    id: str
    mentor: Member
    executive: Member
    sessions: list[str] = field(default_factory=list)
    """The ids of its sessions that were held."""
    booked: str = ""
    start: datetime | None = None
    action: str = ""


@dataclass
class Story:
    """One run of the story in one program."""

    web: Web
    cast: Cast
    tell: Teller
    program: str = ""
    opened: date = date.min
    invitations: dict[str, str] = field(default_factory=dict)
    taking_part: list[Member] = field(default_factory=list)
    enrolled_after: list[str] = field(default_factory=list)
    pairs: list[Pair] = field(default_factory=list)
    gone: list[Member] = field(default_factory=list)
    trace: str = ""
    report: Json = field(default_factory=dict)
    card: Json = field(default_factory=dict)
    """Why one of the pairs is one, as the two of it read it, with their names."""

    def at(self, path: str) -> str:
        """A path of the program."""
        return f"/programs/{self.program}{path}"

    def now(self) -> datetime:
        """The installation's time."""
        return self.web.installation.now()

    def today(self) -> date:
        """The installation's day, in UTC."""
        return self.now().date()

    def travel_to(self, moment: datetime) -> None:
        """Let time pass until then."""
        if moment > self.now():
            self.web.installation.forward(moment - self.now())

    def still_mentors(self) -> list[Member]:
        """The mentors who have not left the program."""
        return [member for member in self.of_side("mentor") if member not in self.gone]

    def of_side(self, side: str) -> list[Member]:
        """Who takes part on one side, in the order of their logins."""
        return sorted((m for m in self.taking_part if m.side == side), key=lambda m: m.login)
