"""What a coordinator changes by hand: who may be swapped or picked, what goes for it, and what it costs."""

from __future__ import annotations

from typing import Any

import pytest

from chassis.deciding.decider import On, Refused
from contracts.enrollment import Term
from contracts.matching import Origin, Verdict
from services.matching.forming import proposal_id
from services.matching.judging import WHY, judge
from services.matching.proposal import PROPOSAL, Proposal, Propose, ReviewProposal
from services.matching.remaining import APART
from services.matching.swapping import Change, picked, swapped, told
from tests.spec.matching.people import PROGRAM, ROUND, an_id, candidate, cohort, office_hours
from tests.spec.matching.work import Work

ADA, BEN, OMAR, PIA, NOBODY = (an_id("pe", name) for name in ("ada", "ben", "omar", "pia", "nobody"))
ada, ben = candidate("ada", 1, offers=["data"]), candidate("ben", 1, offers=["climate"])
omar, pia = candidate("omar", 5, seeks=["data"]), candidate("pia", 5, seeks=["climate"])
FOUR = cohort([ada, ben], [omar, pia])


def proposal(mentor: str, executive: str, score: int = 100, **other: Any) -> Proposal:
    id = proposal_id(ROUND, mentor, executive)
    usual = {"state": "proposed", "program": PROGRAM, "round": ROUND, "proposal": id, "score": score}
    return Proposal(**{**usual, "mentor": mentor, "executive": executive, **other})


def refused(change: Change) -> str:
    with pytest.raises(Refused) as refusal:
        change.allowed()
    return refusal.value.detail


@pytest.mark.parametrize(
    ("mentor", "executive", "rule"),
    [
        ({}, {}, None),
        ({"charter": False}, {}, "charter"),
        ({}, {"line_complete": False}, "line_incomplete"),
        ({"languages": ["fr"]}, {}, "language"),
        ({"level": 3}, {}, "level"),
        ({"windows": office_hours(36, 38)}, {}, "window"),
        ({"line": [BEN, OMAR]}, {}, APART),
        ({}, {"line": [ADA]}, APART),
    ],
)
def test_two_people_are_judged_by_every_rule(mentor: dict[str, Any], executive: dict[str, Any], rule: str) -> None:
    two = cohort([ada.model_copy(update=mentor)], [omar.model_copy(update=executive)])
    judged = judge(two, ADA, OMAR)
    assert judged and judged.rule == rule
    assert rule is None or rule in WHY
    assert judged.score == sum(judged.terms.values()) and judged.terms.keys() == set(Term) - {Term.unknown}
    assert judge(two, ADA, NOBODY) is None


@pytest.mark.guarantee("people")
@pytest.mark.parametrize("other", [{}, {"languages": ["fr"]}, {"charter": False}, {"windows": []}])
def test_an_exclusion_is_judged_as_a_reporting_line_and_changes_no_other_answer(other: dict[str, Any]) -> None:
    mentor = ada.model_copy(update=other)
    in_line = judge(cohort([mentor.model_copy(update={"line": [OMAR]})], [omar]), ADA, OMAR)
    excluded = judge(cohort([mentor], [omar], [(ADA, OMAR)]), ADA, OMAR)
    both = judge(cohort([mentor.model_copy(update={"line": [OMAR]})], [omar], [(ADA, OMAR)]), ADA, OMAR)
    without = judge(cohort([mentor], [omar]), ADA, OMAR)
    assert in_line and excluded and both and without
    assert in_line[2:] == excluded[2:] == both[2:]
    assert excluded.rule == (without.rule or APART)


def test_a_swap_tells_its_price_and_proposes_and_locks_the_two_new_pairs() -> None:
    first, second = proposal(ADA, OMAR, 9000), proposal(BEN, PIA, 9500)
    change = swapped(FOUR, first, second)
    price = told(change)
    assert [pair["proposal"] for pair in price["before"]] == [first.proposal, second.proposal]
    assert [(pair["mentor"], pair["executive"]) for pair in price["after"]] == [(ADA, PIA), (BEN, OMAR)]
    assert [pair["terms"]["seeks"] for pair in price["after"]] == [0, 0]
    assert price["points"] == sum(pair["score"] for pair in price["after"]) - 18_500
    change.allowed()
    made = change.commands(PROGRAM, ROUND, 1)
    assert [on.stream for on in made] == [
        PROPOSAL.stream(PROGRAM, proposal_id(ROUND, *pair))
        for pair in ((ADA, OMAR), (BEN, PIA), (ADA, PIA), (BEN, OMAR))
    ]
    assert [on.command for on in made[:2]] == [ReviewProposal(verdict=Verdict.swapped)] * 2
    for on, pair in zip(made[2:], change.come, strict=True):
        assert isinstance(on.command, Propose)
        assert (on.command.origin, on.command.locked, on.command.score) == (Origin.coordinator, True, pair.score)
        assert on.command.after == [pair.mentor.after, pair.executive.after]


def test_a_swap_against_a_rule_shows_which_and_is_refused() -> None:
    first, second = proposal(ADA, OMAR), proposal(BEN, PIA)
    change = swapped(cohort([ada, ben], [omar, pia], [(ADA, PIA)]), first, second)
    assert [(pair["allowed"], pair["rule"]) for pair in told(change)["after"]] == [(False, APART), (True, None)]
    assert refused(change) == f"{WHY[APART]}; choose somebody else"


async def test_of_two_swaps_of_one_proposal_one_happens_and_swapping_back_undoes_it() -> None:
    three = cohort([ada, ben, candidate("cy", 1)], [omar, pia, candidate("quin", 5)])
    cy, quin = an_id("pe", "cy"), an_id("pe", "quin")
    work = Work({})
    for pair in ((ADA, OMAR), (BEN, PIA), (cy, quin)):
        await work.run(On(PROPOSAL, stream(*pair), by_the_round(*pair)))
    first, second, third = [PROPOSAL.fold(work.streams[stream(*p)]) for p in ((ADA, OMAR), (BEN, PIA), (cy, quin))]
    one, other = swapped(three, first, second), swapped(three, first, third)
    await work.run(*one.commands(PROGRAM, ROUND, 1))
    before = {name: list(facts) for name, facts in work.streams.items()}
    with pytest.raises(Refused, match="goes on without this pair"):
        await work.run(*other.commands(PROGRAM, ROUND, 1))
    assert work.streams == before, "all or nothing"
    assert living(work) == {(ADA, PIA), (BEN, OMAR), (cy, quin)}
    crossed = [PROPOSAL.fold(work.streams[stream(*pair)]) for pair in ((ADA, PIA), (BEN, OMAR))]
    await work.run(*swapped(three, crossed[0], crossed[1]).commands(PROGRAM, ROUND, 1))
    assert living(work) == {(ADA, OMAR), (BEN, PIA), (cy, quin)}


def stream(mentor: str, executive: str) -> str:
    return PROPOSAL.stream(PROGRAM, proposal_id(ROUND, mentor, executive))


def by_the_round(mentor: str, executive: str) -> Propose:
    return Propose(
        program=PROGRAM,
        proposal=proposal_id(ROUND, mentor, executive),
        mentor=mentor,
        executive=executive,
        round=ROUND,
        rules_version=1,
        score=0,
        terms={},
        after=[],
    )


def living(work: Work) -> set[tuple[str, str]]:
    """The pairs that the round's result is made of."""
    found = [PROPOSAL.fold(facts) for facts in work.streams.values()]
    return {(p.mentor, p.executive) for p in found if p.living}


def test_two_proposals_with_a_person_in_common_cannot_be_swapped() -> None:
    with pytest.raises(Refused, match="share a person"):
        swapped(FOUR, proposal(ADA, OMAR), proposal(ADA, PIA))


def test_a_pick_takes_the_place_of_the_worst_pair_that_is_neither_locked_nor_published() -> None:
    two_seats = cohort([ada.model_copy(update={"seats": 2}), ben], [omar, pia])
    assert picked(two_seats, ADA, PIA, [proposal(ADA, OMAR)]).go == ()
    standing = [proposal(ADA, OMAR, 50), proposal(BEN, PIA, 70)]
    assert picked(two_seats, ADA, PIA, standing).go == (standing[1],)
    assert picked(FOUR, ADA, PIA, standing).go == tuple(standing)
    assert picked(FOUR, ADA, OMAR, standing).go == ()
    for kept in ({"verdict": Verdict.locked}, {"state": "asked"}, {"state": "agreed"}):
        with pytest.raises(Refused, match="locked or published; unlock one first"):
            picked(FOUR, ADA, PIA, [proposal(ADA, OMAR, **kept)])


def test_a_pick_of_somebody_whom_the_round_did_not_know_is_refused() -> None:
    with pytest.raises(Refused, match="open another round"):
        picked(FOUR, ADA, NOBODY, [])
