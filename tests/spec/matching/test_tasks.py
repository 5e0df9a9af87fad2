"""What matching does on a fact, also when a process dies in the middle or two tasks meet."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import cast

import pytest

from chassis.deciding.commands import Stale
from chassis.receiving import tasks as chassis_tasks
from contracts.enrollment import (
    Consent,
    ExecutiveEnrolled,
    MentorEnrolled,
    Objective,
    ParticipantWithdrawn,
    ProgramOpened,
    Rules,
)
from contracts.fact import Fact
from contracts.matching import (
    ConsentAsked,
    DeclineCause,
    PairDeclined,
    PairProposed,
    PairReleased,
    PriorityGiven,
    ReleaseCause,
    RoundKind,
    RoundOpened,
    RoundPublished,
    RoundSolved,
    SeatFreed,
    SeatsSet,
    SeatTaken,
    Verdict,
)
from contracts.profiles import Profile, profile_key
from contracts.scheduling import JourneyCompleted
from contracts.types import Side
from services.matching import people as matching_people
from services.matching import solving, tasks
from services.matching.forming import proposal_id
from services.matching.freezing import INPUT
from services.matching.proposal import Proposal
from services.matching.publishing import PUBLISHED, unsettled
from services.matching.seat import seat_stream
from tests.spec.matching import people
from tests.spec.matching.people import (
    ADA,
    OMAR,
    PAIR,
    PROGRAM,
    PROPOSAL,
    ROUND,
    an_id,
    candidate,
    cohort,
    formed,
    mentor_asked,
    proposed,
    reviewed,
)
from tests.spec.matching.work import Work

ADAS_SEATS = seat_stream(PROGRAM, ADA, Side.mentor)
OMARS_SEATS = seat_stream(PROGRAM, OMAR, Side.executive)
ADAS_PARTICIPATION = f"{PROGRAM}/participation/{ADA}"
PAIR_STREAM = f"{PROGRAM}/pair/{PAIR}"
PROPOSAL_STREAM = f"{PROGRAM}/proposal/{PROPOSAL}"
ROUND_STREAM = f"{PROGRAM}/round/{ROUND}"

enrolled = MentorEnrolled(program=PROGRAM, person=ADA, profile_rev=1, capacity=1)
withdrawn = ParticipantWithdrawn(program=PROGRAM, person=ADA, effective=date(2026, 9, 7))
adas_seat = SeatsSet(program=PROGRAM, person=ADA, side=Side.mentor, capacity=1)
adas_seat_gone = SeatsSet(program=PROGRAM, person=ADA, side=Side.mentor, capacity=0)


def as_work(work: Work) -> chassis_tasks.Work:
    return cast(chassis_tasks.Work, work)


def opened(consent: Consent = Consent.both) -> dict[str, list[Fact]]:
    """A program that is open."""
    fact = ProgramOpened(
        program=PROGRAM,
        rules=Rules(consent=consent),
        rules_version=1,
        opens=date(2026, 9, 1),
        closes=date(2027, 2, 28),
        floor_numbers=5,
        floor_words=10,
    )
    return {f"{PROGRAM}/program/{PROGRAM}": [fact]}


def living_pair() -> dict[str, list[Fact]]:
    """Ada and Omar are a pair, with a seat of each taken."""
    return {
        ADAS_PARTICIPATION: [enrolled],
        PAIR_STREAM: [formed],
        ADAS_SEATS: [adas_seat, SeatTaken(program=PROGRAM, person=ADA, pair=PAIR)],
        OMARS_SEATS: [people.seats(1), people.taken(PAIR)],
    }


def ended(cause: ReleaseCause) -> PairReleased:
    return PairReleased(program=PROGRAM, pair=PAIR, cause=cause)


async def test_enrolling_opens_seats_on_that_side() -> None:
    work = Work({ADAS_PARTICIPATION: [enrolled]})
    for _ in range(2):
        await matching_people.open_mentor_seats(enrolled, as_work(work))
    assert work.streams[ADAS_SEATS] == [adas_seat]
    as_executive = ExecutiveEnrolled(program=PROGRAM, person=ADA, profile_rev=1, capacity=2)
    work.streams[ADAS_PARTICIPATION].append(as_executive)
    await matching_people.open_executive_seats(as_executive, as_work(work))
    assert work.streams[seat_stream(PROGRAM, ADA, Side.executive)] == [
        SeatsSet(program=PROGRAM, person=ADA, side=Side.executive, capacity=2)
    ]


async def test_a_late_enrolment_task_opens_no_seats_for_who_has_left() -> None:
    work = Work({ADAS_PARTICIPATION: [enrolled, withdrawn]})
    await matching_people.let_go(withdrawn, as_work(work))
    await matching_people.open_mentor_seats(enrolled, as_work(work))
    assert work.streams[ADAS_SEATS] == [adas_seat_gone]


async def test_an_enrolment_task_that_meets_the_leaving_is_tried_again() -> None:
    """It had read the participation before the person left, and writes after the seats were closed."""
    work = Work({ADAS_PARTICIPATION: [enrolled]})
    work.before_run = [(ADAS_PARTICIPATION, withdrawn), (ADAS_SEATS, adas_seat_gone)]
    with pytest.raises(Stale):
        await matching_people.open_mentor_seats(enrolled, as_work(work))
    await matching_people.open_mentor_seats(enrolled, as_work(work))
    assert work.streams[ADAS_SEATS] == [adas_seat_gone]


@pytest.mark.guarantee("people")
async def test_who_leaves_is_let_go_from_pair_and_proposals_and_looks_like_any_other_end() -> None:
    work = Work(living_pair())
    work.streams[ADAS_PARTICIPATION].append(withdrawn)
    work.streams[PROPOSAL_STREAM] = [proposed, reviewed(Verdict.approved), mentor_asked]
    for _ in range(2):
        await matching_people.let_go(withdrawn, as_work(work))
    assert work.streams[PAIR_STREAM] == [formed, ended(ReleaseCause.ended)]
    assert work.streams[ADAS_SEATS][2:] == [adas_seat_gone, SeatFreed(program=PROGRAM, person=ADA, pair=PAIR)]
    first = PriorityGiven(program=PROGRAM, person=OMAR, pair=PAIR)
    assert work.streams[OMARS_SEATS][2:] == [SeatFreed(program=PROGRAM, person=OMAR, pair=PAIR), first]
    closed = PairDeclined(program=PROGRAM, proposal=PROPOSAL, cause=DeclineCause.ineligible)
    assert work.streams[PROPOSAL_STREAM][3:] == [closed]


async def test_a_completed_journey_ends_the_pair() -> None:
    work = Work(living_pair())
    completed = JourneyCompleted(program=PROGRAM, pair=PAIR, held=6, exchanged=0)
    for _ in range(2):
        await tasks.complete(completed, as_work(work))
    assert work.streams[PAIR_STREAM] == [formed, ended(ReleaseCause.completed)]
    assert work.streams[ADAS_SEATS][2:] == [SeatFreed(program=PROGRAM, person=ADA, pair=PAIR)]


def a_round(mentors: int, executives: int) -> tuple[RoundOpened, Work]:
    """A round that was just opened, with enough people for several chunks of proposals."""
    frozen = cohort(
        [candidate(f"mentor{n}", 1) for n in range(mentors)],
        [candidate(f"executive{n}", 5) for n in range(executives)],
    )
    fact = RoundOpened(
        program=PROGRAM,
        round=ROUND,
        kind=RoundKind.cohort,
        rules_version=1,
        objective=Objective.most_people,
        mentors=mentors,
        executives=executives,
        input=frozen.digest(),
        solver=[1, 0, 0],
    )
    work = Work({ROUND_STREAM: [fact]})
    work.documents.kept[INPUT, ROUND] = frozen.model_dump(mode="json")
    return fact, work


async def test_a_round_is_solved_into_proposals_and_figures() -> None:
    fact, work = a_round(5, 3)
    await tasks.solve_opened(fact, as_work(work))
    proposals = [f for facts in work.streams.values() for f in facts if isinstance(f, PairProposed)]
    who = {p.mentor for p in proposals} | {p.executive for p in proposals}
    assert len(who) == 6
    assert all(p.round == ROUND for p in proposals)
    assert {a for p in proposals for a in p.after} <= {f"{PROGRAM}/participation/{c}@2" for c in who}
    assert all(len(p.after) == 2 for p in proposals)
    solved = work.streams[ROUND_STREAM][1]
    assert isinstance(solved, RoundSolved)
    assert (solved.proposed, solved.unplaced_mentors, solved.unplaced_executives) == (3, 2, 0)
    assert solved.optimal
    assert solved.total == sum(p.score for p in proposals)


async def test_a_round_goes_on_where_the_process_died(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(solving, "CHUNK", 50)
    fact, work = a_round(120, 120)
    work.stop_after = 1
    with pytest.raises(ConnectionError):
        await tasks.solve_opened(fact, as_work(work))
    written = sum(s.startswith(f"{PROGRAM}/proposal/") for s in work.streams)
    assert written == 50, "it died after the first chunk"
    work.stop_after = None
    await tasks.solve_opened(fact, as_work(work))
    proposals = [facts for stream, facts in work.streams.items() if stream.startswith(f"{PROGRAM}/proposal/")]
    assert [len(facts) for facts in proposals] == [1] * 120
    assert len(work.streams[ROUND_STREAM]) == 2


@pytest.mark.parametrize(("consent", "side"), [(Consent.both, Side.mentor), (Consent.executive, Side.executive)])
async def test_publishing_asks_for_what_was_approved_and_ends_the_rest(consent: Consent, side: Side) -> None:
    streams = opened(consent)
    streams[PROPOSAL_STREAM] = [proposed, reviewed(Verdict.approved)]
    rejected = proposal_id(ROUND, ADA, "rejected")
    streams[f"{PROGRAM}/proposal/{rejected}"] = [
        proposed.model_copy(update={"proposal": rejected}),
        reviewed(Verdict.rejected).model_copy(update={"proposal": rejected}),
    ]
    elsewhere = proposal_id(ROUND, ADA, "of another round")
    other = proposed.model_copy(update={"proposal": elsewhere, "round": an_id("ro", "second")})
    streams[f"{PROGRAM}/proposal/{elsewhere}"] = [other]
    work = Work(streams)
    person = ADA if side is Side.mentor else OMAR
    work.views.profiles[profile_key(PROGRAM, person)] = Profile(
        rev=1, program=PROGRAM, person=person, subject="0" * 64, zone="Asia/Tokyo"
    )
    published = RoundPublished(program=PROGRAM, round=ROUND, approved=1, rejected=1)
    for _ in range(2):
        await tasks.ask_consent(published, as_work(work))
    [asked] = work.streams[PROPOSAL_STREAM][2:]
    lapses = datetime(2026, 9, 10, 9, 0, tzinfo=UTC)  # three working days after Monday
    assert asked == ConsentAsked(program=PROGRAM, proposal=PROPOSAL, person=person, side=side, lapses=lapses)
    closed = PairDeclined(program=PROGRAM, proposal=rejected, cause=DeclineCause.superseded)
    assert work.streams[f"{PROGRAM}/proposal/{rejected}"][2:] == [closed]
    assert work.streams[f"{PROGRAM}/proposal/{elsewhere}"] == [other]


async def test_publishing_a_part_asks_for_what_was_approved_then_and_leaves_the_rest_under_review() -> None:
    """The second was approved after the publication, before its task: it waits for the next one."""
    ids = [PROPOSAL, *(proposal_id(ROUND, ADA, then) for then in ("approved later", "undecided", "rejected"))]
    verdicts = [[Verdict.approved], [Verdict.approved], [], [Verdict.rejected]]
    streams = opened()
    for id, said in zip(ids, verdicts, strict=True):
        facts: list[Fact] = [proposed, *(reviewed(verdict) for verdict in said)]
        streams[f"{PROGRAM}/proposal/{id}"] = [fact.model_copy(update={"proposal": id}) for fact in facts]
    before = {stream: list(facts) for stream, facts in streams.items()}
    work = Work(streams)
    work.documents.kept[PUBLISHED, ROUND] = {"asked": [PROPOSAL]}
    for _ in range(2):
        await tasks.ask_consent(
            RoundPublished(program=PROGRAM, round=ROUND, approved=1, rejected=1, kept=2), as_work(work)
        )
    assert [type(fact) for fact in work.streams[PROPOSAL_STREAM][2:]] == [ConsentAsked]
    for id in ids[1:]:
        assert work.streams[f"{PROGRAM}/proposal/{id}"] == before[f"{PROGRAM}/proposal/{id}"]
    await tasks.ask_consent(RoundPublished(program=PROGRAM, round=ROUND, approved=2, rejected=1), as_work(work))
    last = [work.streams[f"{PROGRAM}/proposal/{id}"][-1] for id in ids[1:]]
    assert [type(fact) for fact in last] == [ConsentAsked, PairDeclined, PairDeclined]


def test_a_round_is_unsettled_until_its_result_knows_what_was_turned_down() -> None:
    pair = {"mentor": ADA, "executive": OMAR}
    for verdict in (Verdict.rejected, Verdict.swapped):
        gone = [Proposal(**pair, verdict=verdict), Proposal(mentor=OMAR, executive=ADA, verdict=Verdict.locked)]
        assert unsettled(gone, {}) and unsettled(gone, {"revision": {"apart": [[OMAR, ADA]]}})
        assert not unsettled(gone, {"revision": {"apart": [[OMAR, ADA], [ADA, OMAR]]}})
    assert not unsettled([Proposal(**pair, verdict=Verdict.approved), Proposal(**pair)], {})


async def test_publishing_waits_for_the_rules() -> None:
    published = RoundPublished(program=PROGRAM, round=ROUND, approved=1, rejected=0)
    with pytest.raises(chassis_tasks.NotYet):
        await tasks.ask_consent(published, as_work(Work({PROPOSAL_STREAM: [proposed]})))


async def test_the_timer_of_a_question_is_due_when_it_lapses_and_ends_only_that_question() -> None:
    task = tasks.TASKS.by_name["let lapse"]
    assert task.due is not None
    assert task.due(mentor_asked, people.NOW) == mentor_asked.lapses
    work = Work({PROPOSAL_STREAM: [proposed, reviewed(Verdict.approved), mentor_asked]})
    with pytest.raises(chassis_tasks.NotYet):
        await tasks.let_lapse(mentor_asked, as_work(work))
    work.at = people.LATER
    for _ in range(2):
        await tasks.let_lapse(mentor_asked, as_work(work))
    assert work.streams[PROPOSAL_STREAM][3:] == [
        PairDeclined(program=PROGRAM, proposal=PROPOSAL, cause=DeclineCause.lapsed)
    ]
    both = [people.mentor_agreed, people.executive_asked]
    answered = Work({PROPOSAL_STREAM: [proposed, reviewed(Verdict.approved), mentor_asked, *both]})
    answered.at = people.LATER
    await tasks.let_lapse(mentor_asked, as_work(answered))
    assert answered.streams[PROPOSAL_STREAM][3:] == both


def test_the_timers_of_the_two_sides_do_not_wait_for_each_other() -> None:
    key = tasks.TASKS.by_name["let lapse"].key
    assert key is not None
    assert key(mentor_asked) != key(people.executive_asked)
