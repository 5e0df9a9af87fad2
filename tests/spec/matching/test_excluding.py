"""Whom somebody excludes they are never paired with, and nobody else can tell."""

from __future__ import annotations

from typing import Any, cast

import pytest

from chassis.deciding.decider import Refused
from chassis.receiving import tasks as chassis_tasks
from chassis.testing.spec import given
from contracts.enrollment import ErasureRequested, Rules
from contracts.fact import Fact
from contracts.matching import DeclineCause, ExclusionLifted, PairDeclined, PersonExcluded, SeatsSet, Verdict
from contracts.types import Date, Side
from services.matching import forming
from services.matching.erasure import erase
from services.matching.excluding import exclude, kept_apart, lift
from services.matching.proposal import PROPOSAL
from services.matching.seat import MOST_EXCLUDED, SEAT, Exclude, LiftExclusion, TakeSeat, seat_stream
from tests.spec.matching import people
from tests.spec.matching.people import ADA, NOW, OMAR, PROGRAM, an_id, executive_asked, mentor_agreed, mentor_asked
from tests.spec.matching.work import Work

ADAS, OMARS = seat_stream(PROGRAM, ADA, Side.mentor), seat_stream(PROGRAM, OMAR, Side.executive)
ASKED = f"{PROGRAM}/proposal/{people.PROPOSAL}"
BOTH_ASKED = [people.proposed, people.reviewed(Verdict.approved), mentor_asked, mentor_agreed, executive_asked]
excludes = Exclude(program=PROGRAM, person=OMAR, other=ADA)
excluded = PersonExcluded(program=PROGRAM, person=OMAR, other=ADA)
lifted = ExclusionLifted(program=PROGRAM, person=OMAR, other=ADA)


def world(*asked: Fact) -> Work:
    """Both have a seat."""
    ada = SeatsSet(program=PROGRAM, person=ADA, side=Side.mentor, capacity=1)
    streams: dict[str, list[Fact]] = {ADAS: [ada], OMARS: [people.seats(1)]}
    return Work(streams | ({ASKED: list(asked)} if asked else {}))


def test_an_exclusion_is_said_once_and_can_be_lifted() -> None:
    given(SEAT).when(excludes, NOW).then(excluded)
    given(SEAT, excluded).when(excludes, NOW).then()
    given(SEAT, excluded).when(LiftExclusion(other=ADA), NOW).then(lifted)
    given(SEAT, excluded, lifted).when(LiftExclusion(other=ADA), NOW).then()
    given(SEAT).when(excludes.model_copy(update={"other": OMAR}), NOW).refused("oneself")
    many = [excluded.model_copy(update={"other": an_id("pe", str(n))}) for n in range(MOST_EXCLUDED)]
    given(SEAT, *many).when(excludes, NOW).refused("too-many")


@pytest.mark.guarantee("people")
def test_no_seat_is_taken_with_who_is_excluded_and_it_reads_like_a_no() -> None:
    take = TakeSeat(pair=people.PAIR, partner=ADA)
    given(SEAT, people.seats(1), excluded).when(take, NOW).refused("declined")
    given(SEAT, people.seats(1), excluded, lifted).when(take, NOW).then(people.taken(people.PAIR))
    other = take.model_copy(update={"partner": an_id("pe", "bo")})
    given(SEAT, people.seats(1), excluded).when(other, NOW).then(people.taken(people.PAIR))


@pytest.mark.guarantee("people")
@pytest.mark.parametrize(("who", "whom"), [(ADA, OMAR), (OMAR, ADA)])
async def test_whoever_excludes_whom_no_pair_forms_any_more(who: str, whom: str) -> None:
    work = world(*BOTH_ASKED)
    on = forming.form(PROPOSAL.fold(BOTH_ASKED), 1, 1, NOW, Rules())
    for command in await exclude(cast(Any, work), PROGRAM, who, whom):
        if command.aggregate is SEAT:  # the proposal is still open when the exclusion is accepted
            await work.run(command)
    with pytest.raises(Refused) as refused:
        await work.run(*on)
    assert refused.value.code == "declined"


@pytest.mark.guarantee("people")
@pytest.mark.parametrize("asked", [BOTH_ASKED[:3], BOTH_ASKED], ids=["mentor asked", "executive asked"])
@pytest.mark.parametrize(("who", "whom"), [(ADA, OMAR), (OMAR, ADA)])
async def test_what_was_asked_ends_like_a_no(asked: list[Fact], who: str, whom: str) -> None:
    work = world(*asked)
    for _ in range(2):
        await work.run(*await exclude(cast(Any, work), PROGRAM, who, whom))
    no = PairDeclined(program=PROGRAM, proposal=people.PROPOSAL, cause=DeclineCause.declined)
    assert work.streams[ASKED] == [*asked, no]


async def test_what_nobody_was_asked_about_stays_for_the_coordinator_to_see() -> None:
    work = world(people.proposed)
    await work.run(*await exclude(cast(Any, work), PROGRAM, ADA, OMAR))
    assert work.streams[ASKED] == [people.proposed], "it would have told the coordinator"


async def test_both_directions_and_both_sides_are_kept_apart_in_a_round() -> None:
    work = world()
    await work.run(*await exclude(cast(Any, work), PROGRAM, ADA, OMAR))
    assert kept_apart(await work.scan(SEAT, PROGRAM)) == {(ADA, OMAR), (OMAR, ADA)}
    await work.run(*lift(PROGRAM, ADA, OMAR))
    assert kept_apart(await work.scan(SEAT, PROGRAM)) == set()


@pytest.mark.parametrize("erased", [ADA, OMAR], ids=["who excluded", "who was excluded"])
async def test_an_erasure_lifts_exclusions(erased: str) -> None:
    work = world()
    await work.run(*await exclude(cast(Any, work), PROGRAM, ADA, OMAR))
    asked = ErasureRequested(person=erased, programs=[PROGRAM], due=Date(2026, 10, 7))
    for _ in range(2):
        await erase(asked, cast(chassis_tasks.Work, work))
    assert kept_apart(await work.scan(SEAT, PROGRAM)) == set()
