"""A pulse is given once a person, question and month, and names nobody."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from pydantic import ValidationError

from chassis.testing.spec import given
from contracts.insights import PulseGiven, PulseKind
from contracts.types import Side
from services.insights.pulse import ANSWER, GivePulse, month_of

NOW = datetime(2027, 3, 17, 9, tzinfo=UTC)
MONDAY = date(2027, 3, 15)
PROGRAM, PULSE = "pr_" + "a" * 26, "pu_" + "b" * 26


def pulse(value: int, side: Side = Side.mentor) -> GivePulse:
    return GivePulse(program=PROGRAM, pulse=PULSE, kind=PulseKind.respect, side=side, value=value, week=MONDAY)


def answered(value: int) -> PulseGiven:
    return PulseGiven(program=PROGRAM, pulse=PULSE, kind=PulseKind.respect, side=Side.mentor, value=value, week=MONDAY)


def test_an_answer_is_kept_with_its_week_and_side() -> None:
    given(ANSWER).when(pulse(4), NOW).then(answered(4))


def test_the_same_answer_again_changes_nothing() -> None:
    given(ANSWER, answered(4)).when(pulse(4), NOW).then()


def test_another_answer_in_the_same_month_is_refused() -> None:
    given(ANSWER, answered(4)).when(pulse(5), NOW).refused("already-answered")
    given(ANSWER, answered(4)).when(pulse(4, Side.executive), NOW).refused("already-answered")


@pytest.mark.parametrize("value", [0, 6])
def test_the_scale_is_from_one_to_five(value: int) -> None:
    with pytest.raises(ValidationError):
        pulse(value)


def test_a_pulse_holds_nothing_that_tells_who() -> None:
    assert set(PulseGiven.model_fields) == {"program", "pulse", "kind", "side", "value", "week"}


def test_the_month_is_that_of_the_weeks_monday() -> None:
    assert month_of(date(2027, 3, 29)) == "2027-03", "also for an answer of Thursday, the first of April"
