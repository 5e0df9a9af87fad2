"""A round is solved again around what stands, and nothing is written by whoever has lost the claim to it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from chassis.deciding.decider import On
from chassis.receiving.tasks import NotYet
from contracts.enrollment import Objective
from contracts.matching import (
    DeclineCause,
    PairDeclined,
    PairProposed,
    PartnerMet,
    PersonExcluded,
    ProposalReviewed,
    RoundAbandoned,
    RoundKind,
    RoundOpened,
    RoundPublished,
    RoundSolved,
    SeatsSet,
    SolutionOrdered,
    Verdict,
)
from contracts.types import Side
from services.matching import claim, solving
from services.matching.claim import CLAIM, progress
from services.matching.cohort import Cohort
from services.matching.erasure import RESULT
from services.matching.freezing import INPUT
from services.matching.partners import partners_stream
from services.matching.placing import Pair, Placement, check, place
from services.matching.proposal import PROPOSAL, Proposal
from services.matching.queueing import leave_over
from services.matching.round import ROUND as ROUNDS
from services.matching.seat import SEAT, seat_stream
from services.matching.solving import solve
from services.matching.tasks import TASKS, close_abandoned
from tests.spec.matching.people import NOW, PROGRAM, ROUND, an_id, candidate, cohort
from tests.spec.matching.work import Work

STREAM = ROUNDS.stream(PROGRAM, ROUND)
PEOPLE = 6


def world(executives: int = PEOPLE) -> Any:
    """A round that was just opened: six mentors and as many executives, all of whom could go with each other."""
    frozen = cohort(
        [candidate(f"mentor{n}", 1, offers=[f"theme-{n}"], seeks=[f"theme-{n}"]) for n in range(PEOPLE)],
        [candidate(f"executive{n}", 5, offers=[f"theme-{n}"], seeks=[f"theme-{n}"]) for n in range(executives)],
    )
    opened = RoundOpened(
        program=PROGRAM,
        round=ROUND,
        kind=RoundKind.cohort,
        rules_version=1,
        objective=Objective.most_people,
        mentors=PEOPLE,
        executives=executives,
        input=frozen.digest(),
        solver=[2, 0, 0],
    )
    work = Work({STREAM: [opened]})
    work.documents.kept[INPUT, ROUND] = frozen.model_dump(mode="json")
    return work


def living(work: Any) -> dict[Pair, tuple[str, Proposal]]:
    states = {s: PROPOSAL.fold(facts) for s, facts in work.streams.items() if "/proposal/" in s}
    return {
        (p.mentor, p.executive): (s, p)
        for s, p in states.items()
        if p.state == "proposed" and p.verdict not in (Verdict.rejected, Verdict.swapped)
    }


def judge(work: Any, pair: Pair, verdict: Verdict) -> ProposalReviewed:
    stream, proposal = living(work)[pair]
    fact = ProposalReviewed(program=PROGRAM, proposal=proposal.proposal, verdict=verdict, round=ROUND)
    work.streams[stream].append(fact)
    return fact


def proven(work: Any) -> list[str]:
    """What is wrong with the kept result, and where it is not what the proposals and the round's last fact say."""
    frozen = Cohort.model_validate(work.documents.kept[INPUT, ROUND])
    result = Placement.model_validate(work.documents.kept[RESULT, ROUND])
    wrong = check(frozen, result)
    if {(p.mentor, p.executive) for p in result.placed} != living(work).keys():
        wrong.append("the proposals are others")
    solved = [f for f in work.streams[STREAM] if isinstance(f, RoundSolved)][-1]
    if (solved.certificate, solved.total, solved.proposed) != (result.certificate, result.total, len(result.placed)):
        wrong.append("the fact says something else")
    return wrong


async def solved() -> Any:
    work = world()
    await solve(ROUND, work)
    assert proven(work) == [] and len(living(work)) == PEOPLE
    return work


@pytest.mark.guarantee("running")
async def test_a_rejected_pair_is_replaced_and_everything_else_is_kept() -> None:
    work = await solved()
    before = living(work)
    first, second, *rest = before
    judge(work, first, Verdict.rejected)
    judge(work, second, Verdict.rejected)
    await solve(ROUND, work)
    after = living(work)
    assert proven(work) == [] and after.keys() - before.keys() == {(first[0], second[1]), (second[0], first[1])}
    assert all(after[pair] == before[pair] for pair in rest)
    # Also where something better has become possible.
    unsay(work, first, second)
    judge(work, rest[0], Verdict.rejected)
    await solve(ROUND, work)
    assert proven(work) == [] and after.keys() - living(work).keys() == {rest[0]}


def since(work: Any, what: str, mentor: str, executive: str) -> None:
    """Something that keeps two apart comes to be after the round was opened."""
    if what == "excluded":
        stream = seat_stream(PROGRAM, mentor, Side.mentor)
        work.streams.setdefault(stream, []).append(PersonExcluded(program=PROGRAM, person=mentor, other=executive))
    else:
        fact = PartnerMet(person=mentor, partner=executive, pair=an_id("pa", "elsewhere"))
        work.streams[partners_stream(mentor)] = [fact]


@pytest.mark.guarantee("people")
async def test_whom_somebody_excludes_meanwhile_they_do_not_get_when_the_round_is_solved_again() -> None:
    """And whoever looks at the round cannot tell it from having met in another program. What stands is kept."""
    told = []
    for what in ("excluded", "met"):
        work = await solved()
        before = living(work)
        first, second, third, fourth, *_ = before
        since(work, what, first[0], second[1])
        since(work, what, fourth[0], fourth[1])
        for pair in (first, second, third):
            judge(work, pair, Verdict.rejected)
        await solve(ROUND, work)
        after = living(work)
        assert proven(work) == [] and len(after) == PEOPLE
        assert (first[0], second[1]) not in after and fourth in after
        judge(work, fourth, Verdict.approved)
        work.streams[STREAM].append(SolutionOrdered(program=PROGRAM, round=ROUND))
        await solve(ROUND, work)
        assert proven(work) == [] and fourth not in living(work), "where everything may change, it does"
        facts = [
            f for stream, facts in work.streams.items() if "/round/" in stream or "/proposal/" in stream for f in facts
        ]
        told.append([f.model_dump(exclude={"millis"}) for f in facts])
        result = Placement.model_validate(work.documents.kept[RESULT, ROUND])
        assert result.revision.barred == sorted({(first[0], second[1]), fourth})
    assert told[0] == told[1]


async def test_many_rejections_are_one_solution_and_without_any_nothing_is_said() -> None:
    work = await solved()
    facts = [judge(work, pair, Verdict.rejected) for pair in list(living(work))[:3]]
    for _ in facts:
        await solve(ROUND, work)
    assert [type(f) for f in work.streams[STREAM]] == [RoundOpened, RoundSolved, RoundSolved] and proven(work) == []
    judge(work, next(iter(living(work))), Verdict.approved)
    await solve(ROUND, work)
    assert len(work.streams[STREAM]) == 3 and await progress(work, PROGRAM, ROUND, NOW) is None


@pytest.mark.guarantee("running")
async def test_a_free_solution_keeps_what_is_locked_only() -> None:
    work = await solved()
    best = living(work)
    first, second, third, *_ = best
    judge(work, first, Verdict.rejected)
    judge(work, second, Verdict.rejected)
    await solve(ROUND, work)
    crossed = (first[0], second[1])
    judge(work, crossed, Verdict.locked)
    judge(work, third, Verdict.approved)
    work.streams[STREAM].append(SolutionOrdered(program=PROGRAM, round=ROUND))
    await solve(ROUND, work)
    assert proven(work) == [] and crossed in living(work)
    await solve(ROUND, work)
    assert sum(isinstance(f, RoundSolved) for f in work.streams[STREAM]) == 3, "what was ordered was done"


async def test_what_fell_out_can_come_back() -> None:
    work = await solved()
    (mentor, executive), other, *_ = best = living(work)
    judge(work, (mentor, executive), Verdict.rejected)
    judge(work, other, Verdict.rejected)
    await solve(ROUND, work)
    fallen = living(work).keys() - best.keys()
    for stream, proposal in [living(work)[pair] for pair in fallen]:
        fell = PairDeclined(program=PROGRAM, proposal=proposal.proposal, cause=DeclineCause.superseded)
        work.streams[stream].append(fell)
    work.streams[STREAM].append(SolutionOrdered(program=PROGRAM, round=ROUND))
    await solve(ROUND, work)
    assert proven(work) == [] and fallen <= living(work).keys()


async def test_a_lock_of_the_last_moment_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """The coordinator locks a pair while a free solution without it is computed."""
    work = await solved()
    first, second, *_ = living(work)
    for pair in (first, second):
        judge(work, pair, Verdict.rejected)
    await solve(ROUND, work)
    crossed = (first[0], second[1])
    # What was rejected is wanted again, so that the crossed pairs would fall out.
    unsay(work, first, second)
    work.streams[STREAM].append(SolutionOrdered(program=PROGRAM, round=ROUND))
    meanwhile(monkeypatch, lambda: judge(work, crossed, Verdict.locked))
    with pytest.raises(NotYet):
        await solve(ROUND, work)
    monkeypatch.undo()
    await solve(ROUND, work)
    assert crossed in living(work) and proven(work) == []


def unsay(work: Any, *pairs: Pair) -> None:
    """As if these pairs had never been proposed, nor turned down."""
    for pair in pairs:
        said = [s for s, f in work.streams.items() if isinstance(f[0], PairProposed)]
        del work.streams[next(s for s in said if _pair(work.streams[s][0]) == pair)]


def _pair(fact: PairProposed) -> Pair:
    return fact.mentor, fact.executive


def meanwhile(monkeypatch: pytest.MonkeyPatch, happens: Callable[[], Any]) -> None:
    """Something happens once, while the answer is computed."""
    real = solving.place

    def place(*arguments: Any, **more: Any) -> Placement:
        happens()
        return real(*arguments, **more)

    monkeypatch.setattr(solving, "place", place)


def abandon(work: Any) -> None:
    work.streams[STREAM].append(RoundAbandoned(program=PROGRAM, round=ROUND))
    asyncio.run(claim.void(work, PROGRAM, ROUND)(None))  # type: ignore[arg-type]


@pytest.mark.guarantee("running")
async def test_whoever_was_asleep_while_the_round_was_abandoned_writes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    work = world()
    meanwhile(monkeypatch, lambda: abandon(work))
    with pytest.raises(NotYet):
        await solve(ROUND, work)
    await solve(ROUND, work)
    assert living(work) == {} and (RESULT, ROUND) not in work.documents.kept
    assert [type(f) for f in work.streams[STREAM]] == [RoundOpened, RoundAbandoned]


async def test_of_two_who_solve_a_round_only_the_last_to_begin_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    work = world()

    async def takes_over() -> None:
        monkeypatch.undo()
        await solve(ROUND, work)

    meanwhile(monkeypatch, lambda: asyncio.run(takes_over()))
    with pytest.raises(NotYet):
        await solve(ROUND, work)
    assert proven(work) == [] and len(work.streams[STREAM]) == 2
    assert all(len(facts) == 1 for stream, facts in work.streams.items() if "/proposal/" in stream)


@pytest.mark.guarantee("running")
async def test_a_claim_lost_between_two_chunks_ends_the_writing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(solving, "CHUNK", 2)
    work = world()
    run = work.run

    async def voided_after_the_first(*on: On, **more: Any) -> Any:
        outcome = await run(*on, **more)
        work.documents.kept[CLAIM, ROUND] = dict(claim.NOBODY)
        return outcome

    monkeypatch.setattr(work, "run", voided_after_the_first)
    with pytest.raises(NotYet):
        await solve(ROUND, work)
    assert len(living(work)) == 2
    monkeypatch.undo()
    await solve(ROUND, work)
    assert proven(work) == [] and len(living(work)) == PEOPLE


async def test_abandoning_closes_what_nobody_was_asked_about() -> None:
    work = await solved()
    (stream, _), *_ = living(work).values()
    abandoned = RoundAbandoned(program=PROGRAM, round=ROUND)
    work.streams[STREAM].append(abandoned)
    for _ in range(2):
        await close_abandoned(abandoned, work)
    assert living(work) == {} and len(work.streams[stream]) == 2
    assert isinstance(work.streams[stream][-1], PairDeclined)


async def test_whom_a_published_round_had_nobody_for_is_first_in_the_next_and_that_costs_nobody_a_place() -> None:
    work = world(executives=3)
    frozen = Cohort.model_validate(work.documents.kept[INPUT, ROUND])
    for c in frozen.mentors:
        stream = seat_stream(PROGRAM, c.person, Side.mentor)
        work.streams[stream] = [SeatsSet(program=PROGRAM, person=c.person, side=Side.mentor, capacity=1)]
    await solve(ROUND, work)
    placed = {mentor for mentor, _ in living(work)}
    published = RoundPublished(program=PROGRAM, round=ROUND, approved=3, rejected=0)
    await leave_over(published.model_copy(update={"kept": 1}), work)
    for _ in range(2):
        await leave_over(published, work)
    waiting = {c.person: SEAT.fold(work.streams[seat_stream(PROGRAM, c.person, Side.mentor)]) for c in frozen.mentors}
    assert {person for person, seats in waiting.items() if seats.priority} == waiting.keys() - placed
    assert all(seats.priority <= 1 for seats in waiting.values())
    mentors = [c.model_copy(update={"priority": waiting[c.person].priority}) for c in frozen.mentors]
    again = place(frozen.model_copy(update={"mentors": mentors}))
    assert {p.mentor for p in again.placed} == waiting.keys() - placed and again.optimal


async def test_how_far_it_is_can_be_asked_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    work = world()
    seen: list[Any] = []
    meanwhile(monkeypatch, lambda: seen.append(asyncio.run(progress(work, PROGRAM, ROUND, NOW))))
    await solve(ROUND, work)
    assert [p["phase"] for p in seen] == ["solving"] and seen[0]["percent"] is None
    assert await progress(work, PROGRAM, ROUND, NOW) is None


def test_solving_is_for_solvers_and_one_try_of_a_round_at_a_time() -> None:
    tasks = [TASKS.by_name[name] for name in ("solve", "solve freely", "solve again")]
    assert {(task.role, task.queue) for task in tasks} == {("solver", "solve")}
    again = TASKS.by_name["solve again"]
    assert again.when is not None and again.key is not None
    fact = ProposalReviewed(program=PROGRAM, proposal="pp_" + "a" * 26, verdict=Verdict.rejected, round=ROUND)
    assert again.when(fact) and again.key(fact) == ROUND
    for other in ({"verdict": Verdict.approved}, {"round": None}):
        assert not again.when(fact.model_copy(update=other))
