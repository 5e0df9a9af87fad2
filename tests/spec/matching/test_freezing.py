"""The input of a round: everybody with a seat that is neither taken nor promised, and nobody silently left out."""

from __future__ import annotations

from datetime import date
from typing import cast

import pytest

from chassis.running.http import Ctx, Problem
from contracts.enrollment import (
    AvailabilityDeclared,
    CharterAccepted,
    ExecutiveEnrolled,
    MentorEnrolled,
    ParticipantWithdrawn,
    ProgramOpened,
    Rules,
)
from contracts.fact import Fact
from contracts.matching import (
    DeclineCause,
    LeftOver,
    PairDeclined,
    PairReleased,
    PersonExcluded,
    PriorityGiven,
    ReleaseCause,
    RoundKind,
    SeatFreed,
    SeatsSet,
    Verdict,
)
from contracts.profiles import Profile, profile_key
from contracts.types import Side
from services.matching.cohort import Cohort
from services.matching.excluding import exclude
from services.matching.freezing import REPAIRED, freeze
from services.matching.seat import seat_stream
from tests.spec.matching import people
from tests.spec.matching.people import ADA, OMAR, PAIR, PROGRAM, PROPOSAL
from tests.spec.matching.work import Work

ADAS = f"{PROGRAM}/participation/{ADA}"
OMARS = f"{PROGRAM}/participation/{OMAR}"
ADAS_SEATS = seat_stream(PROGRAM, ADA, Side.mentor)
OMARS_SEATS = seat_stream(PROGRAM, OMAR, Side.executive)
ASKED = [people.proposed, people.reviewed(Verdict.approved), people.mentor_asked]


def profile(person: str, rev: int) -> Profile:
    return Profile(
        rev=rev,
        program=PROGRAM,
        person=person,
        subject="0" * 64,
        sides=[Side.mentor],
        level=1,
        function="ops",
        site="here",
        zone="Asia/Tokyo",
        languages=["en"],
        line_complete=True,
    )


def program(seats: int = 1) -> Work:
    """Ada and Omar take part, with that many seats each."""
    opened = ProgramOpened(
        program=PROGRAM,
        rules=Rules(charter_version=2),
        rules_version=4,
        opens=date(2026, 9, 1),
        closes=date(2027, 2, 28),
        floor_numbers=5,
        floor_words=10,
    )
    charter = [CharterAccepted(program=PROGRAM, person=who, charter_version=2) for who in (ADA, OMAR)]
    streams: dict[str, list[Fact]] = {
        f"{PROGRAM}/program/{PROGRAM}": [opened],
        ADAS: [MentorEnrolled(program=PROGRAM, person=ADA, profile_rev=1, capacity=seats), charter[0]],
        OMARS: [ExecutiveEnrolled(program=PROGRAM, person=OMAR, profile_rev=1, capacity=seats), charter[1]],
        ADAS_SEATS: [SeatsSet(program=PROGRAM, person=ADA, side=Side.mentor, capacity=seats)],
        OMARS_SEATS: [people.seats(seats)],
    }
    work = Work(streams)
    for who in (ADA, OMAR):
        work.views.profiles[profile_key(PROGRAM, who)] = profile(who, rev=1)
    return work


async def frozen(work: Work, kind: RoundKind = RoundKind.cohort) -> Cohort:
    return await freeze(cast(Ctx, work), PROGRAM, kind)


def sides(cohort: Cohort) -> tuple[list[str], list[str]]:
    return [c.person for c in cohort.mentors], [c.person for c in cohort.executives]


async def test_everybody_is_there_with_what_they_are_computed_from() -> None:
    cohort = await frozen(program())
    assert sides(cohort) == ([ADA], [OMAR])
    [ada] = cohort.mentors
    assert (ada.after, ada.rev, ada.zone, ada.charter, ada.paired) == (f"{ADAS}@2", 1, "Asia/Tokyo", True, False)
    assert cohort.rules_version == 4
    assert cohort.barred == []


async def test_the_charter_must_be_the_current_one() -> None:
    work = program()
    work.streams[ADAS][1] = CharterAccepted(program=PROGRAM, person=ADA, charter_version=1)
    [ada] = (await frozen(work)).mentors
    assert not ada.charter


async def test_who_has_left_or_has_no_seat_left_is_not_placed() -> None:
    work = program()
    work.streams[ADAS].append(ParticipantWithdrawn(program=PROGRAM, person=ADA, effective=date(2026, 9, 7)))
    work.streams[OMARS_SEATS].append(people.taken(PAIR))
    assert sides(await frozen(work)) == ([], [])


async def test_a_further_seat_is_offered_to_who_is_paired_but_not_with_the_same_partner() -> None:
    work = program(seats=2)
    work.streams[OMARS_SEATS].append(people.taken(PAIR))
    work.streams[f"{PROGRAM}/pair/{PAIR}"] = [people.formed]
    cohort = await frozen(work)
    [omar] = cohort.executives
    assert (omar.seats, omar.paired) == (1, True)
    assert cohort.barred == [(ADA, OMAR)]


@pytest.mark.guarantee("people")
@pytest.mark.parametrize(("who", "whom"), [(ADA, OMAR), (OMAR, ADA)])
async def test_who_excludes_somebody_is_not_placed_with_them_and_only_those_there_are_named(
    who: str, whom: str
) -> None:
    work = program()
    for other in (whom, people.an_id("pe", "nobody here")):
        await work.run(*await exclude(cast(Ctx, work), PROGRAM, who, other))
    assert (await frozen(work)).barred == [(ADA, OMAR)]


async def test_an_exclusion_before_the_seats_are_known_opens_none() -> None:
    work = program()
    work.streams[ADAS_SEATS] = [PersonExcluded(program=PROGRAM, person=ADA, other=OMAR)]
    with pytest.raises(Problem):
        await frozen(work)


async def test_earlier_partners_stay_barred_after_the_pair_has_ended() -> None:
    work = program()
    freed = SeatFreed(program=PROGRAM, person=OMAR, pair=PAIR)
    work.streams[OMARS_SEATS] += [people.taken(PAIR), freed]
    released = PairReleased(program=PROGRAM, pair=PAIR, cause=ReleaseCause.ended)
    work.streams[f"{PROGRAM}/pair/{PAIR}"] = [people.formed, released]
    cohort = await frozen(work)
    assert sides(cohort) == ([ADA], [OMAR])
    assert cohort.barred == [(ADA, OMAR)]


@pytest.mark.parametrize(
    ("had", "newcomers", "repair"),
    [("no pair", True, True), ("one that ended", False, True), ("one that lives", False, False)],
)
async def test_newcomers_never_had_a_pair_and_a_repair_is_for_who_has_none_now(
    had: str, newcomers: bool, repair: bool
) -> None:
    work = program(seats=2)
    if had != "no pair":
        work.streams[f"{PROGRAM}/pair/{PAIR}"] = [people.formed]
        work.streams[OMARS_SEATS].append(people.taken(PAIR))
    if had == "one that ended":
        work.streams[OMARS_SEATS].append(SeatFreed(program=PROGRAM, person=OMAR, pair=PAIR))
    for kind, there in ((RoundKind.newcomers, newcomers), (RoundKind.repair, repair), (RoundKind.cohort, True)):
        assert [c.person for c in (await frozen(work, kind)).executives] == [OMAR] * there, kind
    if repair:
        [omar] = (await frozen(work, RoundKind.repair)).executives
        assert (omar.priority >= REPAIRED) == (had == "one that ended")


async def test_who_was_left_over_or_lost_a_pair_has_priority_until_a_seat_is_taken() -> None:
    work = program()
    left = LeftOver(program=PROGRAM, person=OMAR, round=people.ROUND)
    work.streams[OMARS_SEATS] += [left, PriorityGiven(program=PROGRAM, person=OMAR, pair=PAIR)]
    assert [c.priority for c in (await frozen(work)).executives] == [2]
    digest = (await frozen(work)).digest()
    work.streams[OMARS_SEATS] += [people.taken(PAIR), SeatFreed(program=PROGRAM, person=OMAR, pair=PAIR)]
    assert [c.priority for c in (await frozen(work)).executives] == [0]
    assert (await frozen(work)).digest() != digest


async def test_a_seat_that_people_are_asked_about_is_promised() -> None:
    work = program()
    work.streams[f"{PROGRAM}/proposal/{PROPOSAL}"] = list(ASKED)
    assert sides(await frozen(work)) == ([], [])


@pytest.mark.parametrize(("cause", "again"), [(DeclineCause.declined, False), (DeclineCause.lapsed, True)])
async def test_who_said_no_is_not_proposed_the_same_again(cause: DeclineCause, again: bool) -> None:
    work = program()
    declined = PairDeclined(program=PROGRAM, proposal=PROPOSAL, cause=cause)
    work.streams[f"{PROGRAM}/proposal/{PROPOSAL}"] = [*ASKED, declined]
    cohort = await frozen(work)
    assert sides(cohort) == ([ADA], [OMAR])
    assert cohort.barred == ([] if again else [(ADA, OMAR)])


@pytest.mark.parametrize("behind", ["seats", "profile", "revision"])
async def test_a_round_waits_for_what_has_not_arrived_yet(behind: str) -> None:
    """Somebody who has enrolled must not be left out because another topic was slower."""
    work = program()
    match behind:
        case "seats":
            del work.streams[ADAS_SEATS]
        case "profile":
            del work.views.profiles[profile_key(PROGRAM, ADA)]
        case "revision":
            declared = AvailabilityDeclared(
                program=PROGRAM, person=ADA, profile_rev=2, minutes_week=60, longest_minutes=60
            )
            work.streams[ADAS].append(declared)
    with pytest.raises(Problem) as problem:
        await frozen(work)
    assert problem.value.status == 503


async def test_an_unknown_program_is_missing() -> None:
    with pytest.raises(Problem) as problem:
        await frozen(Work({}))
    assert problem.value.status == 404
