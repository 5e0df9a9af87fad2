"""Faults in asking for a pair: a no that shows, and a mentor who is passed over."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from contracts.types import Side
from services.matching import direct
from services.matching.proposal import Proposal
from tests.planted import Fault

_DIRECT = "tests/spec/matching/test_direct.py"


def _told_at_once(proposal: Proposal, now: datetime) -> Any:
    return {"agreed": "formed", "asked": "waiting"}.get(proposal.state, "over")


FAULTS = [
    Fault(
        "a-no-to-an-ask-shows",
        "people",
        "services/matching/direct.py",
        lambda: setattr(direct, "shown", _told_at_once),
        (f"{_DIRECT}::test_who_asked_sees_the_same_whether_the_other_said_no_or_nothing",),
    ),
    Fault(
        "an-executives-ask-passes-the-mentor-over",
        "people",
        "services/matching/proposal.py",
        lambda: setattr(Proposal, "asker", property(lambda self: Side.mentor)),
        (f"{_DIRECT}::test_an_executives_ask_forms_nothing_without_the_mentor_and_everything_with_their_yes",),
    ),
]
