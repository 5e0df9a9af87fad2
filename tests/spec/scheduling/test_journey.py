"""A journey opens once and completes once; each side notes what it learned once, after the session."""

from chassis.testing.spec import given
from contracts.scheduling import JourneyCompleted, JourneyOpened, LearningNoted
from contracts.types import Side
from services.scheduling.journey import JOURNEY, CompleteJourney, OpenJourney
from services.scheduling.sessions.learning import LEARNING, NoteLearning
from tests.spec.scheduling.things import CONTENT, NOW, PAIR, PROGRAM, SESSION, an_id

PLAN = {"program": PROGRAM, "pair": PAIR, "sessions": 6, "cadence_weeks": 4, "minutes": 45, "driver": Side.mentor}
OPENED = JourneyOpened(**PLAN)
COMPLETED = JourneyCompleted(program=PROGRAM, pair=PAIR, held=6, exchanged=0)
NOTE = NoteLearning(
    program=PROGRAM,
    session=SESSION,
    pair=PAIR,
    side=Side.mentor,
    tag="feedback",
    themes=["remote-work"],
    content=CONTENT,
    held=True,
)
NOTED = LearningNoted(**NOTE.model_dump(exclude={"held"}))


def test_it_opens_once() -> None:
    given(JOURNEY).when(OpenJourney(**PLAN), NOW).then(OPENED)
    given(JOURNEY, OPENED).when(OpenJourney(**PLAN), NOW).then()
    given(JOURNEY, OPENED, COMPLETED).when(OpenJourney(**PLAN), NOW).then()


def test_it_completes_once_and_only_where_it_is_open() -> None:
    given(JOURNEY, OPENED).when(CompleteJourney(held=6), NOW).then(COMPLETED)
    given(JOURNEY, OPENED, COMPLETED).when(CompleteJourney(held=6), NOW).then()
    given(JOURNEY).when(CompleteJourney(held=6), NOW).refused("no-such-journey")


def test_each_side_notes_what_it_learned() -> None:
    given(LEARNING).when(NOTE, NOW).then(NOTED)
    executive = NOTE.model_copy(update={"side": Side.executive, "content": None})
    expected = LearningNoted(**executive.model_dump(exclude={"held"}))
    given(LEARNING, NOTED).when(executive, NOW).then(expected)


def test_a_side_notes_once_and_after_the_session() -> None:
    given(LEARNING, NOTED).when(NOTE, NOW).then()
    given(LEARNING, NOTED).when(NOTE.model_copy(update={"content": an_id("co", "b")}), NOW).refused("already-noted")
    given(LEARNING).when(NOTE.model_copy(update={"held": False}), NOW).refused("not-held")
