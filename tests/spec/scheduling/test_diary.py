"""A diary: no two sessions of one person overlap, whatever is booked, moved and freed, and in any order."""

from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given as each
from hypothesis import strategies as st

from chassis.deciding.decider import Refused
from chassis.testing.spec import given
from contracts.scheduling import SlotFreed, SlotHeld
from services.scheduling.sessions.diary import DIARY, FreeSlot, HoldSlot
from tests.spec.scheduling.things import MENTOR, PROGRAM, START, an_id

FIRST, SECOND = an_id("se", "b"), an_id("se", "c")


def hold(session: str = FIRST, minutes_later: int = 0, minutes: int = 45) -> HoldSlot:
    start = START + timedelta(minutes=minutes_later)
    return HoldSlot(program=PROGRAM, person=MENTOR, session=session, start=start, minutes=minutes)


def held(command: HoldSlot) -> SlotHeld:
    return SlotHeld(**command.model_dump())


def freed(command: HoldSlot) -> SlotFreed:
    return SlotFreed(**command.model_dump())


def test_a_free_time_is_held_and_holding_it_again_changes_nothing() -> None:
    given(DIARY).when(hold(), START).then(held(hold()))
    given(DIARY, held(hold())).when(hold(), START).then()


def test_an_overlap_is_refused_and_one_after_the_other_is_not() -> None:
    given(DIARY, held(hold())).when(hold(SECOND, 44), START).refused("time-taken")
    given(DIARY, held(hold())).when(hold(SECOND, -44), START).refused("time-taken")
    given(DIARY, held(hold())).when(hold(SECOND, 45), START).then(held(hold(SECOND, 45)))
    given(DIARY, held(hold())).when(hold(SECOND, -45), START).then(held(hold(SECOND, -45)))


def test_a_session_that_moves_frees_what_it_held_also_where_the_two_overlap() -> None:
    given(DIARY, held(hold())).when(hold(FIRST, 15), START).then(freed(hold()), held(hold(FIRST, 15)))


def test_freeing_what_is_not_held_changes_nothing() -> None:
    given(DIARY, held(hold())).when(FreeSlot(session=FIRST), START).then(freed(hold()))
    given(DIARY, held(hold())).when(FreeSlot(session=SECOND), START).then()
    given(DIARY, held(hold()), freed(hold())).when(hold(SECOND), START).then(held(hold(SECOND)))


def test_the_end_of_a_pair_frees_only_what_had_not_begun() -> None:
    given(DIARY, held(hold())).when(FreeSlot(session=FIRST, released=START), START).then(freed(hold()))
    begun = START + timedelta(minutes=1)
    given(DIARY, held(hold())).when(FreeSlot(session=FIRST, released=begun), begun).then()


commands = st.one_of(
    st.builds(
        hold,
        st.sampled_from([an_id("se", letter) for letter in "bcdef"]),
        st.integers(-20, 20).map(lambda quarters: quarters * 15),
        st.integers(15, 90),
    ),
    st.builds(FreeSlot, session=st.sampled_from([an_id("se", letter) for letter in "bcdef"])),
)


@pytest.mark.guarantee("running")
@each(st.lists(commands, max_size=30))
def test_no_two_sessions_ever_overlap(commands: list[HoldSlot | FreeSlot]) -> None:
    diary = DIARY.initial
    for command in commands:
        try:
            diary = DIARY.fold(DIARY.decide(command, diary, START), diary)
        except Refused as refusal:
            assert refusal.code == "time-taken"
    spans = sorted(diary.spans())
    assert all(end <= begin for (_, end), (begin, _) in pairwise(spans))
