"""The health report as a whole: no reader of it can work out what is hidden, whatever the program was like."""

from __future__ import annotations

import hashlib
import json
from itertools import pairwise
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.insights.collected import Collected
from services.insights.health import TABLES, Health, health
from services.insights.tables import Cell
from tests.spec.insights.attacker import bounds
from tests.spec.insights.programs import PERIOD, anybody, lived

LABELS = {"tools": "Tools", "pay": "Pay", "career": "Careers"}
REASONS = ("time", "exposure", "relevance", "judgement", "past_experience", "other", "none")
SIDES = ("mentor", "executive")
FUNNEL = ("invited", "answered", "enrolled", "charter", "paired", "first_session", "first_change")


def what_everybody_knows() -> list[tuple[str, list[str]]]:
    """The sums that a reader of the report sees at once, written down without looking at how it is computed."""
    return [
        *(
            (f"sessions/{r}/all", [*both_sides(f"sessions/{r}"), f"sessions/{r}/program"])
            for r in ("moved", "cancelled")
        ),
        ("sessions/held/all", [f"learning/{r}/all" for r in ("both", "one", "none")]),
        ("sessions/held/all", ["learning/all/all"]),
    ]


def what_one_may_guess() -> list[tuple[list[str], list[str]]]:
    """What is at most what, in the first report of a program with one round and one pair a person."""
    placing = ("coverage/placed", "coverage/considered", "funnel/charter")
    chains = [
        *([f"funnel/{step}/{side}" for step in reversed(FUNNEL)] for side in SIDES),
        *(["funnel/paired/mentor", *(f"{row}/{side}" for row in placing)] for side in SIDES),
        ["funnel/paired/mentor", *(f"proposals/{row}/all" for row in ("agreed", "asked", "approved", "made"))],
        ["proposals/made/all", "coverage/placed/mentor"],
        ["funnel/paired/mentor", "funnel/paired/executive"],
        ["sessions/held/all", "sessions/booked/all"],
        *([f"follow_through/{row}/{side}" for row in ("started", "committed")] for side in SIDES),
        *([f"follow_through/{row}/{side}" for row in ("confirmed", "evidenced", "committed")] for side in SIDES),
    ]
    hesitant = {side: [f"hesitations/{reason}/{side}" for reason in REASONS] for side in SIDES}
    return [
        *(([less], [more]) for chain in chains for less, more in pairwise(chain)),
        *(([f"funnel/enrolled/{side}", *hesitant[side]], [f"funnel/answered/{side}"]) for side in SIDES),
        (["funnel/paired/executive"], ["funnel/paired/mentor"]),
        (["proposals/agreed/all"], ["funnel/paired/mentor"]),
        (["journeys/completed/all", "journeys/ended/all"], ["funnel/paired/mentor"]),
        (["sessions/planned/all"], ["funnel/paired/mentor"] * 6),
        (["funnel/paired/mentor"] * 6, ["sessions/planned/all"]),
        (both_sides("follow_through/committed"), both_sides("follow_through/raised")),
        (
            [*both_sides("follow_through/confirmed"), "follow_through/unconfirmed/all"],
            both_sides("follow_through/evidenced"),
        ),
        (
            [*both_sides("follow_through/evidenced"), "follow_through/dropped/all"],
            both_sides("follow_through/committed"),
        ),
    ]


def both_sides(row: str) -> list[str]:
    return [f"{row}/{side}" for side in SIDES]


def report(all: Collected, floor: int = 5) -> Health:
    return health(all, PERIOD, floor_numbers=floor, floor_words=10, labels=LABELS)


def cells(of: Health) -> dict[str, dict[str, Any]]:
    """Every cell as it is published, by table, row and column."""
    return {
        f"{table['table']}/{row['key']}/{cell['column']}": cell
        for table in json.loads(json.dumps(of.figures()))["tables"]
        for row in table["rows"]
        for cell in row["cells"]
    }


def raw_cells(all: Collected) -> dict[str, Cell]:
    return {
        f"{table.key}/{row}/{column}": cell
        for table in (make(all, PERIOD) for make in TABLES)
        for (row, column), cell in table.cells.items()
    }


seeds = st.integers(0, 2**32)


def counts(of: Health) -> tuple[dict[str, int], set[str]]:
    """The counted cells: those shown with their values, and those hidden."""
    read = {id: c for id, c in cells(of).items() if not id.startswith(("themes", "pulses"))}
    hidden = {id for id, c in read.items() if c["state"] == "hidden"}
    return {id: c.get("value", 0) for id, c in read.items() if id not in hidden}, hidden


def least(id: str) -> int:
    """The least value of a hidden cell: where a 0 is never shown, a hidden cell may be one."""
    return 0 if id.startswith(("hesitations", "follow_through/unconfirmed", "follow_through/dropped")) else 1


@pytest.mark.guarantee("people")
@given(seeds, st.sampled_from([5, 8]))
@settings(max_examples=40, deadline=None)
def test_an_attacker_who_reads_everything_learns_no_hidden_cell(seed: int, floor: int) -> None:
    shown, hidden = counts(report(anybody(Random(seed)), floor))
    for id, (low, high) in bounds(shown, hidden, what_everybody_knows(), least=least).items():
        assert low < high, f"{id} must be {low}"


@given(seeds)
@settings(max_examples=40, deadline=None)
def test_nor_does_one_who_guesses_how_the_figures_hang_together(seed: int) -> None:
    """Only that nobody did something may follow, which is not hidden to protect anybody."""
    shown, hidden = counts(report(lived(Random(seed))))
    for id, (low, high) in bounds(shown, hidden, what_everybody_knows(), what_one_may_guess(), least).items():
        assert low < high or high == 0, f"{id} must be {low}"


@given(seeds)
@settings(max_examples=40, deadline=None)
def test_no_small_number_of_people_is_shown(seed: int) -> None:
    all = anybody(Random(seed))
    raw = raw_cells(all)
    for id, cell in cells(report(all)).items():
        if id.startswith("themes"):
            assert "value" not in cell, "a theme has a band and no number"
        elif cell["state"] == "hidden":
            assert "value" not in cell
            assert raw[id].value > 0 or raw[id].discreet
        elif cell["state"] == "no_data":
            assert raw[id].value == 0
        else:
            assert raw[id].value == 0 or raw[id].people >= 5


@given(seeds)
@settings(max_examples=30, deadline=None)
def test_the_tables_tell_the_same_sums_as_the_attacker_assumes(seed: int) -> None:
    raw = raw_cells(anybody(Random(seed)))
    for total, parts in what_everybody_knows():
        assert raw[total].value == sum(raw[part].value for part in parts), total


@given(seeds)
@settings(max_examples=20, deadline=None)
def test_numbers_in_the_fact_are_those_of_the_report(seed: int) -> None:
    made = report(anybody(Random(seed)))
    read = cells(made)
    assert made.cells == len(read)
    assert made.hidden == sum(c["state"] == "hidden" for c in read.values())


def test_an_empty_program_has_no_data_and_hides_nothing() -> None:
    read = cells(report(Collected()))
    assert {c["state"] for c in read.values()} == {"no_data", "figure"}
    assert read["funnel/invited/mentor"] == {"column": "mentor", "state": "figure", "value": 0, "shown": "0"}
    assert read["pulses/respect/mentor_mean"]["shown"] == "no data yet"
    assert read["themes/tools/people"]["shown"] == "no data yet"


def test_the_digest_is_that_of_the_canonical_json() -> None:
    made = report(anybody(Random(1)))
    text = json.dumps(made.figures(), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert made.digest() == hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize("seed", range(5))
def test_the_order_in_which_things_are_read_does_not_matter(seed: int) -> None:
    random = Random(seed)
    all = anybody(random)
    mixed = Collected(**{name: random.sample(each, len(each)) for name, each in vars(all).items()})
    assert report(mixed).digest() == report(all).digest()
