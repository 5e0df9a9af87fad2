"""What scheduling says: journeys, sessions, learning, ideas and the actions they become; and, sealed, diaries."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from contracts.fact import Fact, Value
from contracts.profiles import Channel
from contracts.streams import Audience, Category
from contracts.types import (
    ActionId,
    Actor,
    ContentId,
    Date,
    IdeaId,
    Instant,
    PairId,
    PersonId,
    ProgramId,
    SessionId,
    Side,
    Tag,
    Word,
)

JOURNEY = Category("journey", "scheduling", Audience.public)
SESSION = Category("session", "scheduling", Audience.public)
LEARNING = Category("learning", "scheduling", Audience.internal)
IDEA = Category("idea", "scheduling", Audience.internal)
ACTION = Category("action", "scheduling", Audience.public)
DIARY = Category("diary", "scheduling", Audience.sealed)
ERASURE = Category("scheduling-erasure", "scheduling", Audience.public, orgwide=True)

Minutes = Annotated[int, Field(ge=1, le=480)]
Number = Annotated[int, Field(ge=1, description="Which session of the journey, from 1.")]
Sequence = Annotated[int, Field(ge=0, description="Revision of the calendar entry (iCalendar's SEQUENCE).")]
Hours = Annotated[int, Field(ge=0, description="Whole hours between saying so and the start.")]


class JourneyOpened(Fact, of=JOURNEY):
    """A pair's series of sessions is planned. No session has a time yet."""

    program: ProgramId
    pair: PairId
    sessions: int = Field(ge=1)
    cadence_weeks: int = Field(ge=1)
    minutes: Minutes
    driver: Side


class JourneyCompleted(Fact, of=JOURNEY):
    """The planned number of sessions was reached, held or exchanged in writing."""

    program: ProgramId
    pair: PairId
    held: int = Field(ge=0)
    exchanged: int = Field(ge=0)


class Fit(Word):
    """Whom a proposed time suits."""

    both = "both"
    if_need_be = "if_need_be"
    unknown = "unknown"


class Window(Value):
    """A time that is proposed for a session."""

    start: Instant
    minutes: Minutes
    fit: Fit


class SessionProposed(Fact, of=SESSION):
    """Up to three times were offered for a session. Nothing is in any calendar yet."""

    program: ProgramId
    session: SessionId
    pair: PairId
    number: Number
    windows: list[Window] = Field(min_length=1, max_length=3)
    answer_by: Instant


class SessionScheduled(Fact, of=SESSION):
    """A session has its time, and both diaries hold it."""

    program: ProgramId
    session: SessionId
    pair: PairId
    number: Number
    start: Instant
    minutes: Minutes
    channel: Channel
    sequence: Sequence


class SessionMoved(Fact, of=SESSION):
    """A booked session has another time, which replaces the one before."""

    program: ProgramId
    session: SessionId
    pair: PairId
    number: Number
    start: Instant
    minutes: Minutes
    channel: Channel
    sequence: Sequence
    by: Actor
    notice_hours: Hours


class CancelCause(Word):
    """What a cancellation came from."""

    person = "person"
    lapsed = "lapsed"
    pause = "pause"
    released = "released"
    program = "program"
    unknown = "unknown"


class SessionCancelled(Fact, of=SESSION):
    """A session will not take place. A session of the same number may be proposed again, as another session."""

    program: ProgramId
    session: SessionId
    pair: PairId
    number: Number
    by: Actor
    notice_hours: Hours | None = Field(None, description="Absent where no time had been fixed.")
    cause: CancelCause
    sequence: Sequence


class SessionHeld(Fact, of=SESSION, v=2):
    """A session took place, as one side recorded. What was talked about is the pair's own and in no fact."""

    program: ProgramId
    session: SessionId
    pair: PairId
    number: Number
    start: Instant
    minutes: Minutes
    channel: Channel
    recorded_by: Side


class LearningNoted(Fact, of=LEARNING):
    """One side noted one thing it learned in a session; the words are kept encrypted, for the pair only."""

    program: ProgramId
    session: SessionId
    pair: PairId
    side: Side
    tag: Tag
    themes: list[Tag] = Field(default_factory=list)
    content: ContentId | None = None


class IdeaRaised(Fact, of=IDEA):
    """A card was put on the pair's own board. It is not an insight for the organisation, and nobody has promised it."""

    program: ProgramId
    idea: IdeaId
    pair: PairId
    by: Side
    theme: Tag
    content: ContentId


class ActionCommitted(Fact, of=ACTION):
    """One side of a pair promised to do something by a date."""

    program: ProgramId
    action: ActionId
    pair: PairId
    idea: IdeaId
    owner: Side
    due: Date
    content: ContentId


class ActionStarted(Fact, of=ACTION):
    """The owner has begun."""

    program: ProgramId
    action: ActionId
    pair: PairId


class Evidence(Word):
    """What kind of thing shows that an action was done."""

    policy = "policy"
    practice = "practice"
    announcement = "announcement"
    document = "document"
    other = "other"
    unknown = "unknown"


class ActionEvidenced(Fact, of=ACTION):
    """The owner showed what was done. Whether it changed something is the mentor's to confirm."""

    program: ProgramId
    action: ActionId
    pair: PairId
    kind: Evidence
    content: ContentId | None = None


class ActionConfirmed(Fact, of=ACTION):
    """The mentor confirmed that the action happened."""

    program: ProgramId
    action: ActionId
    pair: PairId


class UnconfirmedCause(Word):
    """Why evidence stayed without confirmation; never that the mentor refused it."""

    no_answer = "no_answer"
    pair_ended = "pair_ended"
    unknown = "unknown"


class ActionClosedUnconfirmed(Fact, of=ACTION):
    """An action with evidence was closed without confirmation. It says nothing against it."""

    program: ProgramId
    action: ActionId
    pair: PairId
    cause: UnconfirmedCause


class DropCause(Word):
    """Why an action was given up."""

    superseded = "superseded"
    blocked = "blocked"
    pair_ended = "pair_ended"
    unknown = "unknown"


class ActionDropped(Fact, of=ACTION):
    """An action without evidence was given up, without blame."""

    program: ProgramId
    action: ActionId
    pair: PairId
    cause: DropCause


class SlotHeld(Fact, of=DIARY):
    """A stretch of a person's time is held for a session; no other session may overlap it."""

    program: ProgramId
    person: PersonId
    session: SessionId
    start: Instant
    minutes: Minutes


class SlotFreed(Fact, of=DIARY):
    """The stretch of time a session had held is free again."""

    program: ProgramId
    person: PersonId
    session: SessionId
    start: Instant
    minutes: Minutes


class ErasureConfirmedByScheduling(Fact, of=ERASURE):
    """Scheduling keeps nothing personal of a person any more, and nothing that comes late can bring it back."""

    person: PersonId
    items: int = Field(
        ge=0,
        description="How many documents were deleted: state records, and words of their pairs.",
    )
