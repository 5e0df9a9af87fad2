"""An erasure is asked for once and is over once; in between it has a due date."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from chassis.deciding.decider import Refused
from contracts.enrollment import ErasureRequested, ParticipantErased
from services.enrollment.erasing import digest
from services.enrollment.erasure import ERASURE, CompleteErasure, RequestErasure

PERSON, PROGRAM = "pe_" + "a" * 26, "pr_" + "b" * 26
NOW = datetime(2027, 4, 6, 12, tzinfo=UTC)
ASKED = ErasureRequested(person=PERSON, programs=[PROGRAM], due=date(2027, 5, 6))
OVER = ParticipantErased(person=PERSON, proof="0" * 64)


def test_it_is_due_within_thirty_days_and_asked_for_once() -> None:
    ask = RequestErasure(person=PERSON, programs=(PROGRAM,))
    assert ERASURE.decide(ask, ERASURE.initial, NOW) == [ASKED]
    assert ERASURE.decide(ask, ERASURE.fold([ASKED]), NOW) == []
    assert ERASURE.decide(ask, ERASURE.fold([ASKED, OVER]), NOW) == []


def test_it_is_over_once_and_only_where_it_was_asked_for() -> None:
    over = CompleteErasure(proof=OVER.proof)
    assert ERASURE.decide(over, ERASURE.fold([ASKED]), NOW) == [OVER]
    assert ERASURE.decide(over, ERASURE.fold([ASKED, OVER]), NOW) == []
    with pytest.raises(Refused):
        ERASURE.decide(over, ERASURE.initial, NOW)


def test_a_proof_has_one_digest() -> None:
    assert digest({"a": 1, "b": [2]}) == digest({"b": [2], "a": 1}) != digest({"a": 1, "b": [3]})
