"""Changes of a round by hand, its open places, and asks, as they look in a terminal and as JSON."""

from __future__ import annotations

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from cli import running
from cli.main import app

PAIR = {"mentor": "pe_ada", "executive": "pe_pia", "score": 4000, "terms": {"seeks": 4000}}
PRICE = {
    "before": [{"proposal": "pp_one", "mentor": "pe_ada", "executive": "pe_omar", "score": 5000, "terms": {}}],
    "after": [{**PAIR, "allowed": True, "rule": None, "why_not": None}],
    "points": -1000,
    "round": {
        "now": {"people": 8, "pairs": 4, "total": 21_000},
        "then": {"people": 7, "pairs": 3, "total": 20_000},
        "optimum": 21_500,
        "below": 1500,
    },
}
PLACES = [{"person": "pe_ada", "side": "mentor", "proposal": "pp_one", "cause": "seat_taken"}]
ASK = {"proposal": "pp_two", "mentor": "pe_ada", "executive": "pe_pia", "answer_by": "2026-09-04T09:00:00Z"}
ANSWERS: dict[tuple[str, str], dict[str, Any]] = {
    ("GET", "/rounds/ro_x/pairs"): PRICE,
    ("POST", "/rounds/ro_x/pairs"): {"proposals": ["pp_three"], "after": []},
    ("GET", "/rounds/ro_x/swaps"): PRICE,
    ("GET", "/rounds/ro_x/open-places"): {"items": PLACES, "next": None},
    ("GET", "/rounds/ro_y/open-places"): {"items": [], "next": None},
    ("POST", "/proposals"): {**ASK, "state": "waiting", "after": []},
    ("GET", "/proposals/asked"): {"items": [{**ASK, "state": "waiting"}], "next": None},
    ("POST", "/proposals/pp_two/consent"): {"proposal": "pp_two", "state": "declined", "after": []},
}


class Asked:
    """What the commands asked matching for, and its answers."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.said: list[tuple[str, str, Any]] = []
        monkeypatch.setattr(running, "stack", dict)
        monkeypatch.setattr(running, "program", lambda _, given: given or "pr_x")
        monkeypatch.setattr(running, "read", self._read)
        monkeypatch.setattr(running, "request", self._request)

    def _read(self, _: Any, service: str, path: str, *, params: dict[str, str]) -> dict[str, Any]:
        return self._answer("GET", path, params)

    def _request(self, _: Any, method: str, service: str, path: str, *, json: Any) -> dict[str, Any]:
        return self._answer(method, path, json)

    def _answer(self, method: str, path: str, content: Any) -> dict[str, Any]:
        self.said.append((method, path, content))
        return ANSWERS[method, path.removeprefix("/programs/pr_x")]

    def ends(self, command: str) -> str:
        """What a command prints."""
        ended = CliRunner().invoke(app, command.split())
        assert ended.exit_code == 0, ended.output
        return ended.output


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    return Asked(monkeypatch)


@pytest.mark.parametrize("command", ["round pick ro_x pe_ada pe_pia", "round swap ro_x pp_one pp_two"])
def test_the_price_of_a_change_is_told_and_nothing_happens(asked: Asked, command: str) -> None:
    told = asked.ends(command)
    for text in ("pe_omar", "5000", "pe_pia", "-1,000 points", "20,000 (-1,000)", "7 (-1)", "21,500", "--do-it"):
        assert text in told, told
    assert json.loads(asked.ends(f"{command} --json")) == PRICE
    assert {method for method, *_ in asked.said} == {"GET"}


def test_a_pair_is_picked_where_that_is_wanted(asked: Asked) -> None:
    assert "Picked" in asked.ends("round pick ro_x pe_ada pe_pia --do-it")
    both = {"mentor": "pe_ada", "executive": "pe_pia"}
    assert asked.said == [("POST", "/programs/pr_x/rounds/ro_x/pairs", both)]
    assert json.loads(asked.ends("round pick ro_x pe_ada pe_pia --do-it --json"))["proposals"] == ["pp_three"]


def test_open_places_are_listed_with_what_became_of_them(asked: Asked) -> None:
    told = asked.ends("round places ro_x")
    assert "pe_ada" in told and "seat taken" in told
    assert json.loads(asked.ends("round places ro_x --json")) == PLACES
    assert "None" in asked.ends("round places ro_y")


def test_a_pair_is_asked_for_listed_and_taken_back(asked: Asked) -> None:
    assert "pp_two: waiting" in asked.ends("ask for pe_ada pe_pia")
    assert "waiting" in asked.ends("ask list")
    assert json.loads(asked.ends("ask list --json")) == [{**ASK, "state": "waiting"}]
    assert "taken back" in asked.ends("ask withdraw pp_two")
    assert asked.said[-1] == ("POST", "/programs/pr_x/proposals/pp_two/consent", {"answer": "no"})
