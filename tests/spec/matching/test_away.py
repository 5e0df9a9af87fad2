"""Who is away is placed with nobody and loses nothing; overlapping pauses of both count once."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import cast

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from chassis.receiving import tasks as chassis_tasks
from chassis.testing.spec import given
from contracts.enrollment import (
    CapacityDeclared,
    ExecutiveEnrolled,
    MentorEnrolled,
    ParticipantWithdrawn,
    ParticipationPaused,
    ParticipationResumed,
)
from contracts.fact import Fact
from contracts.matching import PairPaused, PairReleased, PairResumed, ReleaseCause, SeatsSet, SeatTaken, Verdict
from contracts.types import Side
from services.matching import people as matching_people
from services.matching import tasks
from services.matching.away import Away, expected_back, stood_still
from services.matching.pair import PAIR, PausePair, ResumePair
from services.matching.proposal import PROPOSAL, AnswerConsent
from services.matching.seat import SEAT, TakeSeat, seat_stream
from tests.spec.matching import people
from tests.spec.matching.people import ADA, LATER, NOW, OMAR, PROGRAM, an_id, formed, mentor_asked, proposed, reviewed
from tests.spec.matching.work import Work

ADAS, OMARS = seat_stream(PROGRAM, ADA, Side.mentor), seat_stream(PROGRAM, OMAR, Side.executive)
PAIR_STREAM, ASKED = f"{PROGRAM}/pair/{people.PAIR}", f"{PROGRAM}/proposal/{people.PROPOSAL}"
UNTIL = date(2026, 10, 1)
paused = PairPaused(program=PROGRAM, pair=people.PAIR, until=UNTIL)
resumed = PairResumed(program=PROGRAM, pair=people.PAIR)


def pause(person: str, name: str = "one", until: date | None = UNTIL) -> ParticipationPaused:
    return ParticipationPaused(program=PROGRAM, person=person, pause=an_id("pz", name), until=until)


def back(person: str, name: str = "one") -> ParticipationResumed:
    return ParticipationResumed(program=PROGRAM, person=person, pause=an_id("pz", name), effective=UNTIL)


class World(Work):
    """Ada and Omar are a pair, with a seat of each taken."""

    def __init__(self) -> None:
        ada = SeatsSet(program=PROGRAM, person=ADA, side=Side.mentor, capacity=1)
        super().__init__(
            {
                f"{PROGRAM}/participation/{ADA}": [
                    MentorEnrolled(program=PROGRAM, person=ADA, profile_rev=1, capacity=1)
                ],
                f"{PROGRAM}/participation/{OMAR}": [
                    ExecutiveEnrolled(program=PROGRAM, person=OMAR, profile_rev=1, capacity=1)
                ],
                PAIR_STREAM: [formed],
                ADAS: [ada, SeatTaken(program=PROGRAM, person=ADA, pair=people.PAIR)],
                OMARS: [people.seats(1), people.taken(people.PAIR)],
            }
        )

    async def hear(self, fact: Fact) -> None:
        """Fold a fact of a participation, and do what it calls for, twice."""
        self.streams[f"{PROGRAM}/participation/{getattr(fact, 'person', '')}"].append(fact)
        for task in tasks.TASKS.by_name.values():
            if task.on is type(fact):
                for _ in range(2):
                    await task.do(fact, cast(chassis_tasks.Work, self))


@pytest.mark.guarantee("people")
async def test_a_pair_stands_still_once_however_many_are_away_and_until_nobody_is() -> None:
    world = World()
    await world.hear(pause(ADA))
    await world.hear(pause(OMAR, until=None))
    await world.hear(pause(OMAR, "another"))
    assert world.streams[PAIR_STREAM] == [formed, paused]
    for fact in (back(OMAR), back(ADA)):
        await world.hear(fact)
        assert world.streams[PAIR_STREAM] == [formed, paused]
    await world.hear(back(OMAR, "another"))
    assert world.streams[PAIR_STREAM] == [formed, paused, resumed]


@pytest.mark.guarantee("people")
async def test_no_pair_forms_with_who_is_away_and_coming_back_is_enough() -> None:
    take = TakeSeat(pair=an_id("pa", "another"), partner=an_id("pe", "bo"))
    world = World()
    await world.hear(CapacityDeclared(program=PROGRAM, person=OMAR, side=Side.executive, capacity=2))
    await world.hear(pause(OMAR))
    given(SEAT, *world.streams[OMARS]).when(take, NOW).refused("paused")
    await world.hear(back(OMAR))
    taken = SeatTaken(program=PROGRAM, person=OMAR, pair=take.pair)
    given(SEAT, *world.streams[OMARS]).when(take, NOW).then(taken)


async def test_fewer_seats_than_pairs_end_no_pair() -> None:
    world = World()
    for capacity in (2, 1):
        await world.hear(CapacityDeclared(program=PROGRAM, person=OMAR, side=Side.executive, capacity=capacity))
    assert [f.capacity for f in world.streams[OMARS] if isinstance(f, SeatsSet)] == [1, 2, 1]
    assert world.streams[PAIR_STREAM] == [formed]


async def test_who_is_away_can_leave() -> None:
    world = World()
    await world.hear(pause(ADA))
    await world.hear(ParticipantWithdrawn(program=PROGRAM, person=ADA, effective=UNTIL))
    await world.hear(back(ADA))
    over = PairReleased(program=PROGRAM, pair=people.PAIR, cause=ReleaseCause.ended)
    assert world.streams[PAIR_STREAM] == [formed, paused, over]


def test_a_pause_is_of_living_pairs() -> None:
    over = PairReleased(program=PROGRAM, pair=people.PAIR, cause=ReleaseCause.ended)
    given(PAIR, formed, paused, over).when(ResumePair(), NOW).then()
    given(PAIR, formed, over).when(PausePair(until=None), NOW).then()
    assert not PAIR.fold([formed, paused, over]).paused


async def test_no_time_to_answer_passes_while_one_of_the_two_is_away() -> None:
    world = World()
    world.streams[ASKED] = [proposed, reviewed(Verdict.approved), mentor_asked]
    await world.hear(pause(OMAR))
    world.at = LATER + timedelta(days=30)
    for step, at in enumerate((world.at, world.at + timedelta(days=9))):
        world.at = at
        with pytest.raises(chassis_tasks.NotYet) as early:
            await tasks.let_lapse(mentor_asked, cast(chassis_tasks.Work, world))
        assert early.value.until == LATER + (at - NOW), step
    answer = AnswerConsent(side=Side.mentor, yes=True, lapses=LATER, stood_still=world.at - NOW)
    assert PROPOSAL.decide(answer, PROPOSAL.fold(world.streams[ASKED]), world.at)


HOUR = st.integers(0, 60)


@for_all(st.lists(st.tuples(HOUR, HOUR | st.none()), max_size=6), HOUR, HOUR)
def test_overlapping_pauses_count_once(spans: list[tuple[int, int | None]], since: int, length: int) -> None:
    """Against counting the hours one by one."""
    start = datetime(2026, 9, 1, tzinfo=UTC)
    now = since + length

    def at(hour: int) -> datetime:
        return start + timedelta(hours=hour)

    pauses = [Away(since=at(a), back=None if b is None else at(b)) for a, b in spans]
    inside = [h for h in range(since, now) if any(a <= h < (now if b is None else b) for a, b in spans)]
    assert stood_still(pauses, at(since), at(now)) == timedelta(hours=len(inside))


def test_the_day_they_are_back_is_the_last_of_all_and_unknown_where_one_is() -> None:
    some = [Away(since=NOW, until=UNTIL), Away(since=NOW, until=date(2026, 11, 1)), Away(since=NOW, back=NOW)]
    assert expected_back(some) == date(2026, 11, 1)
    assert expected_back([*some, Away(since=NOW)]) is None


def test_every_task_of_people_is_in_the_table() -> None:
    assert {task.name for task in matching_people.TASKS} <= tasks.TASKS.by_name.keys()
