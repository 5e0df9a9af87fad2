"""What scheduling keeps of every stream it hears, each row a fold of one stream."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal

from pydantic import Field

from chassis.receiving.views import Row, StateView, View
from contracts import enrollment, matching, scheduling
from contracts.enrollment import (
    ParticipationResumed,
    PauseArranged,
    PauseCalledOff,
    ProgramOpened,
    Role,
    RoleGranted,
    Rules,
    roles_after,
)
from contracts.fact import Fact
from contracts.matching import PairFormed, PairPaused, PairReleased, PairResumed
from contracts.profiles import PEOPLE as PEOPLE_TOPIC
from contracts.profiles import PROFILES as PROFILES_TOPIC
from contracts.profiles import REFERENCE as REFERENCE_TOPIC
from contracts.profiles import Channel, Person, Profile, Reference
from contracts.scheduling import (
    ActionClosedUnconfirmed,
    ActionCommitted,
    ActionConfirmed,
    ActionDropped,
    ActionEvidenced,
    ActionStarted,
    Evidence,
    IdeaRaised,
    JourneyCompleted,
    JourneyOpened,
    LearningNoted,
    SessionCancelled,
    SessionHeld,
    SessionMoved,
    SessionProposed,
    SessionScheduled,
    Window,
)
from contracts.types import Side

PEOPLE = StateView("people", PEOPLE_TOPIC, Person, personal=True)
PROFILES = StateView("profiles", PROFILES_TOPIC, Profile, indexes=("subject",), personal=True)
REFERENCE = StateView("reference", REFERENCE_TOPIC, Reference)


class Roles(Row):
    """What a person may do in a program beyond taking part."""

    roles: list[Role] = Field(default_factory=list)


def _role(row: Roles, fact: RoleGranted, at: datetime) -> Roles:
    return Roles(roles=sorted(roles_after(frozenset(row.roles), fact)))


class Program(Row):
    """The rules of a program."""

    rules: Rules = Rules()


def _program(row: Program, fact: ProgramOpened, at: datetime) -> Program:
    return Program(rules=fact.rules)


class Pair(Row):
    """Who is in a pair, and since when it is over. Why it is over is not kept: nobody may be shown it."""

    pair: str = ""
    mentor: str = ""
    executive: str = ""
    released: datetime | None = None
    paused: bool = False

    def side_of(self, person: str | None) -> Side | None:
        """The side somebody has in it; None for everybody else."""
        return {self.mentor: Side.mentor, self.executive: Side.executive}.get(person or "")


def _pair(row: Pair, fact: Fact, at: datetime) -> Pair:
    match fact:
        case PairFormed():
            return row.model_copy(update={"pair": fact.pair, "mentor": fact.mentor, "executive": fact.executive})
        case PairReleased():
            return row.model_copy(update={"pair": fact.pair, "released": at, "paused": False})
        case PairPaused() | PairResumed():
            return row.model_copy(update={"paused": isinstance(fact, PairPaused)})
    return row


class Journey(Row):
    """What is planned for a pair."""

    pair: str = ""
    state: Literal["open", "completed"] = "open"
    sessions: int = 0
    driver: Side = Side.mentor


def _journey(row: Journey, fact: Fact, at: datetime) -> Journey:
    match fact:
        case JourneyOpened():
            return Journey(pair=fact.pair, sessions=fact.sessions, driver=fact.driver)
        case JourneyCompleted():
            return row.model_copy(update={"state": "completed"})
    return row


class Session(Row):
    """One session as it stands."""

    session: str = ""
    pair: str = ""
    number: int = 0
    state: Literal["proposed", "scheduled", "held", "cancelled"] = "proposed"
    windows: list[Window] = Field(default_factory=list)
    answer_by: datetime | None = None
    start: datetime | None = None
    minutes: int = 0
    channel: Channel | None = None
    sequence: int = 0
    by: str | None = None


def _session(row: Session, fact: Fact, at: datetime) -> Session:
    match fact:
        case SessionProposed():
            return Session(**fact.model_dump(exclude={"program"}))
        case SessionScheduled() | SessionMoved():
            known = fact.model_dump(include={"start", "minutes", "channel", "sequence"})
            return row.model_copy(update={"state": "scheduled", **known})
        case SessionCancelled():
            return row.model_copy(update={"state": "cancelled", "by": fact.by.value, "sequence": fact.sequence})
        case SessionHeld():
            known = fact.model_dump(include={"minutes", "channel"})
            return row.model_copy(update={"state": "held", **known})
    return row


class Note(Row):
    """What one side learned; the words are in the contents."""

    tag: str
    themes: list[str]
    content: str | None


class Learning(Row):
    """The notes of both sides on one session."""

    session: str = ""
    pair: str = ""
    notes: dict[str, Note] = Field(default_factory=dict)


def _learning(row: Learning, fact: LearningNoted, at: datetime) -> Learning:
    note = Note(tag=fact.tag, themes=fact.themes, content=fact.content)
    return Learning(session=fact.session, pair=fact.pair, notes={**row.notes, fact.side.value: note})


class Idea(Row):
    """A card on a pair's board."""

    idea: str = ""
    pair: str = ""
    by: Side = Side.mentor
    theme: str = ""
    content: str = ""


def _idea(row: Idea, fact: IdeaRaised, at: datetime) -> Idea:
    return Idea(**fact.model_dump(exclude={"program"}))


class Action(Row):
    """What one side promised, and how far it has come. `shown` is when evidence was given."""

    action: str = ""
    pair: str = ""
    idea: str = ""
    owner: Side = Side.executive
    due: date | None = None
    content: str = ""
    state: Literal["committed", "started", "evidenced", "confirmed", "unconfirmed", "dropped"] = "committed"
    kind: Evidence | None = None
    evidence: str | None = None
    shown: datetime | None = None


def _action(row: Action, fact: Fact, at: datetime) -> Action:
    match fact:
        case ActionCommitted():
            return Action(**fact.model_dump(exclude={"program"}))
        case ActionStarted():
            return row.model_copy(update={"state": "started"})
        case ActionEvidenced():
            known = {"kind": fact.kind, "evidence": fact.content, "shown": at}
            return row.model_copy(update={"state": "evidenced", **known})
        case ActionConfirmed():
            return row.model_copy(update={"state": "confirmed"})
        case ActionClosedUnconfirmed():
            return row.model_copy(update={"state": "unconfirmed"})
        case ActionDropped():
            return row.model_copy(update={"state": "dropped"})
    return row


class Absence(Row):
    """Days that a person is away: from the first to the day they are back, where that is known."""

    starts: date
    until: date | None = None


class Participation(Row):
    """When a person will be away, by pause."""

    absences: dict[str, Absence] = Field(default_factory=dict)


def _participation(row: Participation, fact: Fact, at: datetime) -> Participation:
    match fact:
        case PauseArranged():
            known = {fact.pause: Absence(starts=fact.starts, until=fact.until)}
            return Participation(absences=row.absences | known)
        case PauseCalledOff() | ParticipationResumed():
            return Participation(absences={k: v for k, v in row.absences.items() if k != fact.pause})
    return row


ROLES = View("roles", enrollment.ROLE, Roles, _role, frozenset({RoleGranted}))
PROGRAMS = View("programs", enrollment.PROGRAM, Program, _program, frozenset({ProgramOpened}))
PARTICIPATIONS = View(
    "participations",
    enrollment.PARTICIPATION,
    Participation,
    _participation,
    frozenset({PauseArranged, PauseCalledOff, ParticipationResumed}),
)
"""Also how far each was heard: what matching had seen of the two must have been seen here as well."""
PAIRS = View(
    "pairs",
    matching.PAIR,
    Pair,
    _pair,
    frozenset({PairFormed, PairPaused, PairResumed, PairReleased}),
    indexes=("mentor", "executive"),
)
JOURNEYS = View(
    "journeys",
    scheduling.JOURNEY,
    Journey,
    _journey,
    frozenset({JourneyOpened, JourneyCompleted}),
    indexes=("pair",),
)
SESSIONS = View(
    "sessions",
    scheduling.SESSION,
    Session,
    _session,
    frozenset({SessionProposed, SessionScheduled, SessionMoved, SessionCancelled, SessionHeld}),
    indexes=("pair",),
)
LEARNINGS = View("learnings", scheduling.LEARNING, Learning, _learning, frozenset({LearningNoted}), indexes=("pair",))
IDEAS = View("ideas", scheduling.IDEA, Idea, _idea, frozenset({IdeaRaised}), indexes=("pair",))
ACTIONS = View(
    "actions",
    scheduling.ACTION,
    Action,
    _action,
    frozenset(
        {
            ActionCommitted,
            ActionStarted,
            ActionEvidenced,
            ActionConfirmed,
            ActionClosedUnconfirmed,
            ActionDropped,
        }
    ),
    indexes=("pair",),
)

VIEWS = (ROLES, PROGRAMS, PARTICIPATIONS, PAIRS, JOURNEYS, SESSIONS, LEARNINGS, IDEAS, ACTIONS)
STATES = (PEOPLE, PROFILES, REFERENCE)
