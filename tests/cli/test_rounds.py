"""How explanations look in a terminal, and what differs between two rounds."""

from __future__ import annotations

from typing import Any

import pytest

from cli import explained
from cli.screen import out


def person(name: str, side: str, *partners: tuple[str, int], reason: str | None = None) -> dict[str, Any]:
    """Somebody as the round tells them."""
    left = {"placeable": 2, "language": 0, "apart": 0} if reason else {}
    told = [{"person": partner, "score": score} for partner, score in partners]
    about = {"person": name, "side": side, "level": 3, "function": "ops", "site": None}
    return {**about, "seats": 1, "partners": told, "reason": reason, "left": left}


BEFORE = [
    person("ada", "mentor", ("omar", 5000)),
    person("ben", "mentor", ("pia", 4000)),
    person("cem", "mentor", ("rui", 100)),
    person("omar", "executive", ("ada", 5000)),
    person("pia", "executive", ("ben", 4000)),
    person("rui", "executive", ("cem", 100)),
]
AFTER = [
    person("ada", "mentor", ("omar", 5000)),
    person("ben", "mentor", ("rui", 4500)),
    person("cem", "mentor", reason="language"),
    person("dan", "mentor", ("pia", 200)),
    person("omar", "executive", ("ada", 5000)),
    person("pia", "executive", ("dan", 200)),
    person("rui", "executive", ("ben", 4500)),
]


def test_two_rounds_are_compared_pair_by_pair_and_person_by_person() -> None:
    told = explained.compared(BEFORE, AFTER)
    assert told["kept"] == [("ada", "omar")]
    assert told["changed"] == [{"mentor": "ben", "before": ["pia"], "after": ["rui"]}]
    assert (told["new"], told["gone"]) == ([("dan", "pia")], [("cem", "rui")])
    assert told["figures"] == [
        {"people": 6, "pairs": 3, "points": 9100},
        {"people": 6, "pairs": 3, "points": 9700},
    ]
    assert [(p["person"], p["after"] - p["before"]) for p in told["people"]] == [
        ("pia", -3800),
        ("cem", -100),
        ("dan", 200),
        ("ben", 500),
        ("rui", 4400),
    ]


def test_a_round_is_the_same_as_itself() -> None:
    told = explained.compared(AFTER, AFTER)
    assert len(told["kept"]) == 3
    assert not any(told[what] for what in ("changed", "new", "gone", "people"))


def test_a_histogram_has_a_bar_for_each_thousand_points() -> None:
    lines = explained.histogram([1000, 1999, 3000, 3001, 3002, 3999])
    assert [line.split() for line in lines] == [
        ["1,000", "–", "1,999", "█" * 20, "2"],
        ["2,000", "–", "2,999"],
        ["3,000", "–", "3,999", "█" * 40, "4"],
    ]
    assert explained.histogram([]) == []


@pytest.mark.parametrize(
    ("facts", "text"),
    [
        ({"themes": ["climate", "data"]}, "climate, data"),
        ({"themes": []}, "nothing in common"),
        ({"channels": ["video"]}, "video"),
        ({"levels_apart": 5}, "5 levels apart"),
        ({"another": True}, "another one"),
        ({"another": False}, "the same one"),
        ({"minutes_a_week": 2400}, "2,400 minutes a week in common"),
    ],
)
def test_what_a_term_rests_on_in_words(facts: dict[str, Any], text: str) -> None:
    assert explained.rests_on(facts) == text


def _at_a_price(**price: Any) -> dict[str, Any]:
    about = {"level": 1, "function": "ops", "site": "here"}
    change = {"person": "ada", "side": "mentor", "before": ["pia"], "after": ["omar"]}
    return {
        "answer": "possible",
        "mentor": {"person": "ada", **about},
        "executive": {"person": "omar", **about, "level": 5},
        "rule": None,
        "unplaceable": {},
        "terms": [{"term": "seeks", "points": 2000, "most": 4000, "rests_on": {"themes": ["data"]}}],
        "price": {**price, "changed": 4, "changes": [change]},
    }


def test_a_pair_at_a_price_is_told_with_who_would_change(capsys: pytest.CaptureFixture[str]) -> None:
    explained.show_pair(_at_a_price(people=2, pairs=1, points=-300))
    shown = capsys.readouterr().out
    for text in ("2,000", "4,000", "data", "2 people less, 1 pairs less, 300 points more", "… and 3 more"):
        assert text in shown, shown
    assert "goes first" not in shown


def test_a_pair_that_would_give_more_points_costs_somebody_their_place(capsys: pytest.CaptureFixture[str]) -> None:
    explained.show_pair(_at_a_price(people=0, pairs=0, points=-300))
    shown = capsys.readouterr().out
    assert "300 points more" in shown and "somebody who goes first" in shown


def test_everybody_without_a_partner_is_counted_by_reason(capsys: pytest.CaptureFixture[str]) -> None:
    out.print(explained.reasons([person("cem", "mentor", reason="language"), person("eve", "mentor", reason="taken")]))
    shown = capsys.readouterr().out
    assert "no language in common" in shown and "everybody suitable is taken" in shown
