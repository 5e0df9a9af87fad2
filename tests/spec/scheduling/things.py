"""The people, ids and times that the specifications of scheduling share."""

from datetime import UTC, datetime, timedelta

from contracts.scheduling import Channel, Fit, SessionHeld, SessionProposed, SessionScheduled, Window
from contracts.types import Side


def an_id(prefix: str, letter: str = "a") -> str:
    """A valid id that one can tell from others at a glance."""
    return f"{prefix}_{letter * 26}"


NOW = datetime(2027, 3, 1, 9, tzinfo=UTC)
START = datetime(2027, 3, 16, 14, 30, tzinfo=UTC)
PROGRAM, PAIR = an_id("pr"), an_id("pa")
SESSION, ACTION, IDEA, CONTENT = an_id("se"), an_id("ac"), an_id("id"), an_id("co")
MENTOR, EXECUTIVE = an_id("pe", "m"), an_id("pe", "e")
ABOUT = {"program": PROGRAM, "session": SESSION, "pair": PAIR, "number": 1}

WINDOWS = [Window(start=START + timedelta(days=d), minutes=45, fit=Fit.both) for d in (0, 2, 7)]
PROPOSED = SessionProposed(**ABOUT, windows=WINDOWS, answer_by=NOW + timedelta(days=7))
SCHEDULED = SessionScheduled(**ABOUT, start=START, minutes=45, channel=Channel.video, sequence=0)
HELD = SessionHeld(**ABOUT, start=START, minutes=50, channel=Channel.phone, recorded_by=Side.mentor)
