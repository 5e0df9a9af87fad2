"""Why these two, why not those, why nobody, at what price; and what a coordinator sees before a round is opened."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from contracts.enrollment import Objective
from contracts.types import Side
from services.matching import explaining
from services.matching.alternatives import feasibility, objectives
from services.matching.cohort import Cohort
from services.matching.explaining import PairWhy
from services.matching.placing import Placement, Revision, place
from services.matching.solution import SIDES, Solution
from services.matching.solver import Goal, Problem, solve
from tests.spec.matching.instances import GOALS, grid, problem
from tests.spec.matching.people import an_id, candidate, cohort

ADA, BEN, OMAR, PIA = (an_id("pe", name) for name in ("ada", "ben", "omar", "pia"))


def explained(people: Cohort, mentor: str = ADA, executive: str = OMAR) -> PairWhy:
    """Why these two, as the round's kept documents tell it."""
    kept = Placement.model_validate_json(place(people).model_dump_json())
    solution = Solution.kept(Cohort.model_validate_json(people.model_dump_json()), kept)
    rows = solution.row(Side.mentor, mentor), solution.row(Side.executive, executive)
    assert rows[0] is not None and rows[1] is not None
    return explaining.pair(solution, rows[0], rows[1])


def test_a_pair_is_explained_by_its_points_and_what_they_rest_on() -> None:
    mentor = candidate("ada", 1, offers=["data", "climate"], seeks=["strategy", "finance"], function="it")
    why = explained(cohort([mentor], [candidate("omar", 6, offers=["strategy"], seeks=["data", "climate"])]))
    assert (why.answer, why.score) == ("placed", 4000 + 1250 + 500 + 750 + 500 + 500)
    assert [(p.term.value, p.points, p.most, p.rests_on) for p in why.terms] == [
        ("seeks", 4000, 4000, {"themes": ["climate", "data"]}),
        ("offers", 1250, 2500, {"themes": ["strategy"]}),
        ("level", 500, 1000, {"levels_apart": 5}),
        ("function", 750, 750, {"another": True}),
        ("place", 0, 750, {"another": False}),
        ("overlap", 500, 500, {"minutes_a_week": 2400}),
        ("channel", 500, 500, {"channels": ["video"]}),
    ]


@pytest.mark.parametrize(
    ("mentor", "barred", "rule"),
    [
        ({"languages": ["fr"]}, [], "language"),
        ({"level": 4}, [], "level"),
        ({"line": [OMAR]}, [], "apart"),
        ({}, [(ADA, OMAR)], "apart"),
        ({"languages": ["fr"], "line": [OMAR]}, [(ADA, OMAR)], "language"),
        ({"charter": False}, [], "placeable"),
    ],
)
def test_who_may_not_be_a_pair_is_told_the_first_rule(mentor: dict[str, Any], barred: Any, rule: str) -> None:
    why = explained(cohort([candidate("ada", **{"level": 1, **mentor})], [candidate("omar", 5)], barred))
    assert (why.answer, why.rule, why.terms, why.price) == ("rule", rule, [], None)
    assert why.unplaceable == ({ADA: "charter"} if rule == "placeable" else {})


def test_another_pair_has_a_price_and_those_whom_it_would_move() -> None:
    mentors = [candidate("ada", 1, offers=["data"]), candidate("ben", 1, offers=["law"])]
    executives = [candidate("omar", 5, seeks=["law"]), candidate("pia", 5, seeks=["data"])]
    why = explained(cohort(mentors, executives))
    assert why.answer == "possible" and why.price is not None
    assert why.price.model_dump(include={"people", "pairs", "points"}) == {"people": 0, "pairs": 0, "points": 8000}
    assert {(c.person, *c.before, *c.after) for c in why.price.changes} == {
        (ADA, PIA, OMAR),
        (BEN, OMAR, PIA),
        (OMAR, BEN, ADA),
        (PIA, ADA, BEN),
    }


def test_a_pair_can_cost_people() -> None:
    """Ben speaks with Omar only: if Ada had Omar, Ben and Pia would have nobody."""
    mentors = [candidate("ada", 1, languages=["en", "fr"]), candidate("ben", 1, languages=["fr"])]
    executives = [candidate("omar", 5, languages=["fr"]), candidate("pia", 5, languages=["en"])]
    price = explained(cohort(mentors, executives)).price
    assert price is not None and (price.people, price.pairs) == (2, 1)


def test_after_a_rejection_the_rest_is_locked_and_still_has_a_price() -> None:
    """Everything that stood is locked when the round is solved again; a price is asked as if it were not."""
    mentors = [candidate("ada", 1, offers=["data"]), candidate("ben", 1, offers=["law"]), candidate("cem", 1)]
    executives = [candidate("omar", 5, seeks=["law"]), candidate("pia", 5, seeks=["data"])]
    people = cohort(mentors, executives)
    first = [(p.mentor, p.executive) for p in place(people).placed]
    assert (BEN, OMAR) in first
    again = place(people, Revision(locked=[p for p in first if p[0] != BEN], apart=[(BEN, OMAR)]))
    solution = Solution.kept(people, again)
    rows = {c.person: row for side in SIDES for row, c in enumerate(solution.people(side))}
    assert explaining.pair(solution, rows[BEN], rows[OMAR]).rule == "apart"
    other = explaining.pair(solution, rows[BEN], rows[PIA])
    assert other.answer == "possible" and other.price is not None and other.price.people == 0
    assert next(iter(objectives(solution).values())).points == again.total


@pytest.mark.parametrize("goal", GOALS)
def test_nobody_has_to_move_but_those_whom_the_change_reaches(goal: Goal) -> None:
    """Only they take their other partners, and that is as good as the best answer with the pair."""
    rng, tried = np.random.default_rng(3), 0
    for seed in range(20):
        posed = replace(problem(seed, 8, 7, goal), locked=np.empty((0, 2), dtype=np.int64))
        result, _ = solve(posed)
        cells = np.argwhere(grid(posed)[1])
        if len(cells):
            forced = cells[int(rng.integers(len(cells)))]
            other, _ = solve(replace(posed, locked=forced[None, :]))
            moved = explaining.connected(result.pairs, other.pairs, int(forced[0]))
            before, after = result.pairs.tolist(), other.pairs.tolist()
            mixed = [p for p in before if p in after or (0, p[0]) not in moved]
            mixed += [p for p in after if p not in before and (0, p[0]) in moved]
            assert value(posed, mixed) == value(posed, after)
            tried += 1
    assert tried > 15


def value(posed: Problem, pairs: list[list[int]]) -> int:
    """What a choice of pairs gains; -1 where somebody has more pairs than seats."""
    _, *first = posed.gains()
    ends = [np.array([pair[k] for pair in pairs], dtype=np.int64) for k in (0, 1)]
    for k, side in enumerate((posed.mentors, posed.executives)):
        if (np.bincount(ends[k], minlength=len(side)) > side.seats).any():
            return -1
    return int(grid(posed)[0][ends[0], ends[1]].sum()) + sum(int(first[k][np.unique(ends[k])].sum()) for k in (0, 1))


def test_who_has_nobody_is_told_why() -> None:
    people = cohort([candidate("ada", 1), candidate("ben", 1, languages=["fr"])], [candidate("omar", 5)])
    solution = Solution.of(people)
    told = {why.person: why for why in explaining.people(solution, Side.mentor, [0, 1])}
    assert [(p.person, p.score) for p in told[ADA].partners] == [(OMAR, place(people).total)]
    assert (told[ADA].reason, told[BEN].reason) == (None, "language")
    assert told[BEN].left["placeable"] == 1 and told[BEN].left["apart"] == 0


def test_before_a_round_it_is_known_who_cannot_be_placed_and_what_each_rule_costs() -> None:
    mentors = [candidate("ada", 1), candidate("ben", 3), candidate("cem", 1, languages=["fr"])]
    mentors += [candidate("dan", 1, charter=False), candidate("eve", 1), candidate("fay", 1)]
    executives = [candidate(name, 5, seats=2) for name in ("omar", "pia")]
    found = feasibility(cohort(mentors, executives))
    assert (found.mentors, found.executives) == (6, 2)
    assert found.now.model_dump(include={"people", "pairs"}) == {"people": 5, "pairs": 3}
    assert found.reasons == {Side.mentor: {"level": 1, "language": 1, "charter": 1}, Side.executive: {}}
    assert {why.person: why.reason for why in found.unplaceable} == {
        BEN: "level",
        an_id("pe", "cem"): "language",
        an_id("pe", "dan"): "charter",
    }
    assert found.weaker is not None
    assert {(w.rule, w.to, w.people, w.pairs) for w in found.weaker} == {
        ("level", 2, 6, 4),
        ("language", None, 6, 4),
        ("charter", None, 6, 4),
    }


def test_the_price_of_an_objective_is_what_the_others_would_have_given() -> None:
    mentors = [candidate(name, 1) for name in ("ada", "ben", "cem")]
    executives = [candidate("omar", 9, seats=3), candidate("pia", 5, seats=1, seeks=["law"])]
    for objective in (Objective.most_people, Objective.most_pairs, Objective.best_pairs):
        found = objectives(Solution.of(cohort(mentors, executives, objective=objective)))
        assert next(iter(found)) is objective
        assert found[Objective.most_people].people == 5
        assert found[Objective.most_pairs].people == 4
        assert found[Objective.most_pairs].points > found[Objective.most_people].points
        assert found[Objective.best_pairs] == found[Objective.most_pairs]
