"""Who is placed with whom, why that, and why somebody is not."""

from __future__ import annotations

import random

import pytest

from contracts.enrollment import Objective, Term
from contracts.profiles import Channel
from services.matching.cohort import Candidate
from services.matching.placing import Placement, check, place
from tests.spec.matching.people import an_id, candidate, cohort, office_hours

ADA, BEN, OMAR, PIA = (an_id("pe", name) for name in ("ada", "ben", "omar", "pia"))
ada, omar = candidate("ada", 1), candidate("omar", 5)


def reasons(placement: Placement) -> dict[str, str]:
    return {u.person: u.reason for u in placement.unplaced}


def pairs(placement: Placement) -> set[tuple[str, str]]:
    return {(p.mentor, p.executive) for p in placement.placed}


def test_two_who_suit_are_placed_with_every_term_explained() -> None:
    mentor = candidate("ada", 1, offers=["data", "climate"], seeks=["strategy", "finance"], function="it", site="there")
    executive = candidate("omar", 6, offers=["strategy"], seeks=["data", "climate"])
    [placed] = place(cohort([mentor], [executive])).placed
    assert placed.terms == {
        Term.seeks: 4000,  # all that the executive seeks
        Term.offers: 1250,  # half of what the mentor seeks
        Term.level: 500,  # five levels apart: two beyond the least three, four give all
        Term.function: 750,
        Term.place: 750,
        Term.overlap: 500,  # far more than four times the least hour
        Term.channel: 500,
    }
    assert placed.score == sum(placed.terms.values())


@pytest.mark.guarantee("people")
@pytest.mark.parametrize(
    ("mentor", "executive", "rule"),
    [
        ({"line": [BEN, OMAR]}, {}, "apart"),
        ({"line": [OMAR]}, {}, "apart"),
        ({}, {"line": [ADA]}, "apart"),
        ({"languages": ["fr"]}, {"languages": ["en", "de"]}, "language"),
        ({"windows": office_hours(36, 38)}, {}, "window"),
        ({"windows": []}, {}, "window"),
        ({"windows": office_hours(36, 40)[:1]}, {"windows": office_hours(37, 50)}, "overlap"),
    ],
)
def test_each_hard_rule_keeps_two_apart_and_is_named(
    mentor: dict[str, object], executive: dict[str, object], rule: str
) -> None:
    placement = place(cohort([candidate("ada", 1, **mentor)], [candidate("omar", 5, **executive)]))
    assert placement.placed == []
    assert reasons(placement) == {ADA: rule, OMAR: rule}
    assert {u.left["placeable"] for u in placement.unplaced} == {1}


@pytest.mark.guarantee("people")
def test_the_line_covers_the_reports_of_a_direct_report() -> None:
    """Ada reports to Ben, and Ben to Omar: her line names them both."""
    below = candidate("ada", 1, line=[BEN, OMAR])
    assert reasons(place(cohort([below], [omar])))[ADA] == "apart"


def test_the_mentor_is_below_by_the_least_difference() -> None:
    assert pairs(place(cohort([candidate("ada", 2)], [omar]))) == {(ADA, OMAR)}
    assert reasons(place(cohort([candidate("ada", 3)], [omar])))[ADA] == "level"
    assert reasons(place(cohort([candidate("ada", 5)], [candidate("omar", 1)])))[ADA] == "level"


def test_function_and_site_count_only_where_the_program_says_so() -> None:
    assert pairs(place(cohort([ada], [omar]))) == {(ADA, OMAR)}
    assert reasons(place(cohort([ada], [omar], other_function=True)))[ADA] == "function"
    assert reasons(place(cohort([ada], [omar], other_site=True)))[ADA] == "site"
    other = candidate("ada", 1, function="it", site="there")
    assert pairs(place(cohort([other], [omar], other_function=True, other_site=True))) == {(ADA, OMAR)}


def test_earlier_partners_do_not_meet_again() -> None:
    assert reasons(place(cohort([ada], [omar], barred=[(ADA, OMAR)])))[ADA] == "apart"


@pytest.mark.guarantee("people")
@pytest.mark.parametrize("other", [{"line": [OMAR]}, {"languages": ["fr"]}, {"windows": []}])
def test_who_is_barred_and_kept_apart_by_another_rule_too_is_told_what_they_would_be_told_anyhow(
    other: dict[str, object],
) -> None:
    mentors, executives = [candidate("ada", 1, **other), candidate("ben", 1)], [omar, candidate("pia", 5)]
    worlds = [place(cohort(mentors, executives, barred)) for barred in ([], [(ADA, OMAR)])]
    told = [world.model_dump(include={"placed", "unplaced", "total", "value"}) for world in worlds]
    assert told[0] == told[1]


@pytest.mark.guarantee("people")
@pytest.mark.parametrize(
    ("what", "reason"), [({"charter": False}, "charter"), ({"line_complete": False}, "line_incomplete")]
)
def test_who_may_not_be_placed_at_all_is_told_why(what: dict[str, bool], reason: str) -> None:
    """A line with somebody missing must not pass as a line that nobody is in."""
    for side in ("mentor", "executive"):
        mentor = candidate("ada", 1, **(what if side == "mentor" else {}))
        executive = candidate("omar", 5, **(what if side == "executive" else {}))
        placement = place(cohort([mentor], [executive]))
        assert placement.placed == []
        assert reason in reasons(placement).values()


def test_nobody_is_paired_with_themselves() -> None:
    assert place(cohort([candidate("ada", 1)], [candidate("ada", 5)])).placed == []


def test_who_is_left_over_learns_that_everybody_suitable_is_taken() -> None:
    placement = place(cohort([ada, candidate("ben", 1)], [omar]))
    assert len(placement.placed) == 1
    [left] = placement.unplaced
    assert left.reason == "taken"
    assert left.left["overlap"] == 1


def test_most_people_come_before_the_best_score() -> None:
    """Omar and Ada suit best, but then Pia, who shares a language with Ada only, would be left."""
    ben = candidate("ben", 1, languages=["fr"], offers=["climate"])
    both = candidate("ada", 1, languages=["fr", "en"])
    executives = [candidate("omar", 5, languages=["fr", "en"]), candidate("pia", 5, languages=["en"], seeks=["law"])]
    assert pairs(place(cohort([both, ben], executives))) == {(ADA, PIA), (BEN, OMAR)}


def test_with_more_seats_people_count_and_not_pairs() -> None:
    """Omar has three seats. Most pairs: all with him would do as well; most people: Pia gets one too."""
    mentors = [candidate(name, 1, channels=[Channel.room]) for name in ("ada", "ben", "cem")]
    executives = [candidate("omar", 9, seats=3), candidate("pia", 5, seats=1, seeks=["law"])]
    people = place(cohort(mentors, executives))
    assert {e for _, e in pairs(people)} == {OMAR, PIA}
    as_pairs = place(cohort(mentors, executives, objective=Objective.most_pairs))
    assert {e for _, e in pairs(as_pairs)} == {OMAR}
    assert as_pairs.total > people.total


def test_who_has_no_pair_yet_goes_first() -> None:
    """Pia suits better, but has a pair already."""
    executives = [candidate("omar", 5, seeks=["law"]), candidate("pia", 5, seats=1, paired=True)]
    assert pairs(place(cohort([ada], executives))) == {(ADA, OMAR)}
    assert pairs(place(cohort([ada], executives, objective=Objective.best_pairs))) == {(ADA, PIA)}


def crowd(chance: random.Random, kind: str, count: int) -> list[Candidate]:
    return [
        candidate(
            f"{kind}{n}",
            chance.randint(1, 3) if kind == "mentor" else chance.randint(4, 7),
            languages=chance.sample(["en", "fr", "de"], 2),
            offers=chance.sample(["data", "law", "climate", "sales"], 2),
            seeks=chance.sample(["data", "law", "climate", "sales"], 2),
            line=[an_id("pe", f"executive{chance.randrange(9)}")],
            zone=chance.choice(["Europe/Berlin", "America/New_York"]),
            seats=chance.randint(1, 2),
        )
        for n in range(count)
    ]


def test_the_order_of_people_and_of_rows_does_not_matter() -> None:
    chance = random.Random(11)
    mentors, executives = crowd(chance, "mentor", 20), crowd(chance, "executive", 9)
    barred = [(mentors[0].person, executives[0].person), (mentors[1].person, executives[1].person)]
    one = cohort(mentors, executives, barred)
    other = cohort(mentors[::-1], chance.sample(executives, 9), barred[::-1])
    assert one.digest() == other.digest()
    assert place(one) == place(other)
    assert place(one).optimal


@pytest.mark.parametrize("objective", [Objective.most_people, Objective.most_pairs, Objective.best_pairs])
def test_every_placement_is_proven_and_no_other_is(objective: Objective) -> None:
    chance = random.Random(5)
    people = cohort(crowd(chance, "mentor", 20), crowd(chance, "executive", 9), objective=objective)
    found = place(people)
    assert check(people, found) == []
    assert check(people, Placement.model_validate_json(found.model_dump_json())) == []
    one, *rest = found.placed
    tampered = {
        "not there": {"placed": [one.model_copy(update={"mentor": OMAR}), *rest]},
        "no price": {"mentor_prices": found.mentor_prices[1:]},
        "value": {"placed": rest, "total": found.total - one.score},
        "points": {"total": found.total + 1},
        "sum of its terms": {"placed": [one.model_copy(update={"score": one.score + 1}), *rest]},
        "another input": {"certificate": "0" * 64},
    }
    for told, update in tampered.items():
        assert any(told in wrong for wrong in check(people, found.model_copy(update=update))), told
    assert check(people.model_copy(update={"mentors": people.mentors[1:]}), found) != []


def test_another_input_has_another_digest() -> None:
    assert cohort([ada], [omar]).digest() != cohort([ada], [omar], level_gap=2).digest()
    assert cohort([ada], [omar]).digest() != cohort([candidate("ada", 2)], [omar]).digest()


def test_an_empty_side_places_nobody() -> None:
    assert reasons(place(cohort([ada], []))) == {ADA: "placeable"}
    assert place(cohort([], [])).placed == []
