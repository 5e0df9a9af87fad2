"""Pairs form once and end without a reason; no race can overrun a person's seats."""

from __future__ import annotations

from typing import cast

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from chassis.deciding.decider import Refused
from chassis.testing.spec import given
from contracts.enrollment import Rules
from contracts.matching import PairReleased, PriorityGiven, ReleaseCause, SeatFreed
from contracts.types import Side
from services.matching import forming
from services.matching.pair import PAIR, FormPair, ReleasePair
from services.matching.proposal import PROPOSAL
from services.matching.seat import SEAT, FreeSeat, SetSeats, TakeSeat, seat_stream
from tests.spec.matching import people
from tests.spec.matching.people import ADA, AFTER, NOW, OMAR, an_id, formed, proposed, seats, taken

FORM = FormPair(
    program=people.PROGRAM,
    pair=people.PAIR,
    mentor=ADA,
    executive=OMAR,
    round=people.ROUND,
    rules_version=1,
    after=AFTER,
    mentor_rev=1,
    executive_rev=1,
)
released = PairReleased(program=people.PROGRAM, pair=people.PAIR, cause=ReleaseCause.ended)
OTHER = an_id("pa", "another")
TAKE = TakeSeat(pair=people.PAIR, partner=ADA)


def test_a_pair_forms_once() -> None:
    given(PAIR).when(FORM, NOW).then(formed)
    given(PAIR, formed).when(FORM, NOW).then()
    given(PAIR, formed, released).when(FORM, NOW).refused("ineligible")


def test_a_pair_ends_once_and_does_not_say_by_whom() -> None:
    given(PAIR, formed).when(ReleasePair(cause=ReleaseCause.ended), NOW).then(released)
    given(PAIR, formed, released).when(ReleasePair(cause=ReleaseCause.completed), NOW).then()
    given(PAIR).when(ReleasePair(cause=ReleaseCause.ended), NOW).refused("no-such-pair")


def test_seats_are_said_once() -> None:
    command = SetSeats(program=people.PROGRAM, person=OMAR, side=Side.executive, capacity=2)
    given(SEAT).when(command, NOW).then(seats(2))
    given(SEAT, seats(2)).when(command, NOW).then()
    given(SEAT, seats(2), seats(0)).when(command, NOW).then(seats(2))


def test_a_seat_is_taken_while_there_is_one() -> None:
    given(SEAT, seats(1)).when(TAKE, NOW).then(taken(people.PAIR))
    given(SEAT, seats(1), taken(people.PAIR)).when(TAKE, NOW).then()
    given(SEAT, seats(1), taken(OTHER)).when(TAKE, NOW).refused("seat-taken")
    given(SEAT, seats(2), taken(OTHER)).when(TAKE, NOW).then(taken(people.PAIR))


def test_who_has_left_or_never_came_has_no_seat() -> None:
    given(SEAT).when(TAKE, NOW).refused("ineligible")
    given(SEAT, seats(2), seats(0)).when(TAKE, NOW).refused("ineligible")


def test_a_seat_is_freed_once_also_after_leaving() -> None:
    freed = SeatFreed(program=people.PROGRAM, person=OMAR, pair=people.PAIR)
    given(SEAT, seats(1), taken(people.PAIR)).when(FreeSeat(pair=people.PAIR), NOW).then(freed)
    given(SEAT, seats(1), taken(people.PAIR), freed).when(FreeSeat(pair=people.PAIR), NOW).then()
    given(SEAT, seats(1), taken(people.PAIR), seats(0)).when(FreeSeat(pair=people.PAIR), NOW).then(freed)


def test_who_did_not_end_the_pair_is_first_in_the_queue_unless_they_have_left_too() -> None:
    freed = SeatFreed(program=people.PROGRAM, person=OMAR, pair=people.PAIR)
    first = PriorityGiven(program=people.PROGRAM, person=OMAR, pair=people.PAIR)
    free = FreeSeat(pair=people.PAIR, first=True)
    given(SEAT, seats(1), taken(people.PAIR)).when(free, NOW).then(freed, first)
    given(SEAT, seats(1), taken(people.PAIR), freed, first).when(free, NOW).then()
    given(SEAT, seats(1), taken(people.PAIR), seats(0)).when(free, NOW).then(freed)
    assert SEAT.fold([seats(1), taken(people.PAIR), freed, first]).priority == 1
    assert SEAT.fold([seats(1), taken(people.PAIR), freed, first, taken(OTHER)]).priority == 0


@pytest.mark.parametrize(
    ("leaver", "cause", "first"),
    [
        (ADA, ReleaseCause.ended, [False, True]),
        (OMAR, ReleaseCause.ended, [True, False]),
        (None, ReleaseCause.ended, [True, True]),
        (None, ReleaseCause.completed, [False, False]),
    ],
)
def test_whoever_leaves_does_not_come_first(leaver: str | None, cause: ReleaseCause, first: list[bool]) -> None:
    _, *seats_of_both = forming.release(PAIR.fold([formed]), cause, leaver=leaver)
    assert [cast(FreeSeat, o.command).first for o in seats_of_both] == first


STEP = st.one_of(
    st.builds(SetSeats, program=st.just(people.PROGRAM), person=st.just(OMAR), side=st.just(Side.executive),
              capacity=st.integers(0, 3)),
    st.builds(TakeSeat, partner=st.just(ADA), pair=st.sampled_from([an_id("pa", str(n)) for n in range(5)])),
    st.builds(FreeSeat, pair=st.sampled_from([an_id("pa", str(n)) for n in range(5)])),
)  # fmt: skip


@pytest.mark.guarantee("running")
@for_all(st.lists(STEP, max_size=30))
def test_no_taking_overruns_the_capacity(steps: list[SetSeats | TakeSeat | FreeSeat]) -> None:
    state = SEAT.initial
    for step in steps:
        before = state
        try:
            state = SEAT.fold(SEAT.decide(step, state, NOW), state)
        except Refused:
            assert isinstance(step, TakeSeat)
            assert before.left == 0
        if len(state.taken) > len(before.taken):
            assert len(state.taken) <= (state.capacity or 0)
        assert len(set(state.taken)) == len(state.taken)


@pytest.mark.guarantee("running")
def test_forming_writes_the_proposal_the_pair_and_partners_and_seats_of_both_together() -> None:
    on = forming.form(PROPOSAL.fold([proposed]), 3, 4, NOW, Rules())
    pair = forming.pair_id(people.PROGRAM, ADA, OMAR)
    assert [o.stream for o in on] == [
        f"{people.PROGRAM}/proposal/{people.PROPOSAL}",
        f"{people.PROGRAM}/pair/{pair}",
        f"org/partners/{ADA}",
        f"org/partners/{OMAR}",
        seat_stream(people.PROGRAM, ADA, Side.mentor),
        seat_stream(people.PROGRAM, OMAR, Side.executive),
    ]


def test_releasing_frees_both_seats_in_the_same_command() -> None:
    on = forming.release(PAIR.fold([formed]), ReleaseCause.ended, expect=1)
    assert [(o.stream, o.expect) for o in on] == [
        (f"{people.PROGRAM}/pair/{people.PAIR}", 1),
        (seat_stream(people.PROGRAM, ADA, Side.mentor), None),
        (seat_stream(people.PROGRAM, OMAR, Side.executive), None),
    ]
