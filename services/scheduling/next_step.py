"""The next step of a pair: what is to be done, whose turn it is, and for which session."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from contracts.types import Side
from services.scheduling.views import Journey, Session

What = Literal["record_session", "confirm_evidence", "answer_times", "note_learning", "hold_session", "propose_times"]
Who = Literal["mentor", "executive", "both", "program"]


@dataclass(frozen=True)
class Step:
    """`session` and `start` where it is about a session (that has a time)."""

    what: What
    who: Who
    session: str | None = None
    start: datetime | None = None


def next_step(
    journey: Journey,
    sessions: Sequence[Session],
    noted: Mapping[str, frozenset[str]],
    *,
    evidence: bool,
    over: bool,
    now: datetime,
) -> Step | None:
    """What is most pressing; None where nothing is to be done any more.

    `noted` says which sides have noted what they learned, by session; `evidence` whether any waits to be confirmed.
    """
    missing = _missing_notes(sessions, noted)
    if journey.state == "completed":
        return missing
    if over:
        return None
    current = next((s for s in sessions if s.state in ("proposed", "scheduled")), None)
    if current and current.start and current.start <= now:
        return Step("record_session", "both", current.session, current.start)
    if evidence:
        return Step("confirm_evidence", "mentor")
    if current and current.state == "proposed":
        return Step("answer_times", "executive" if journey.driver is Side.executive else "mentor", current.session)
    if missing:
        return missing
    if current:
        return Step("hold_session", "both", current.session, current.start)
    return Step("propose_times", "program")


def _missing_notes(sessions: Sequence[Session], noted: Mapping[str, frozenset[str]]) -> Step | None:
    """Whose note on the last session that was held is missing."""
    last = max((s for s in sessions if s.state == "held"), key=lambda s: s.number, default=None)
    if last is None:
        return None
    mentor, executive = (side in noted.get(last.session, frozenset()) for side in ("mentor", "executive"))
    if mentor and executive:
        return None
    who: Who = "both" if mentor == executive else "executive" if mentor else "mentor"
    return Step("note_learning", who, last.session, last.start)
