"""The commands against a stack that has lived through the story."""

import json
import sys
import time
from collections.abc import Callable

import httpx
import pytest

from cli import main, running
from cli.ending import asks
from cli.failure import FAILED, NOT_ALLOWED
from local.stackfile import StackFile
from local.story import Ending, pairing
from local.story.cast import ROSTER

pytestmark = pytest.mark.e2e

Counterpoint = Callable[..., str]


@pytest.fixture
def counterpoint(
    told: StackFile, ending: Ending, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Counterpoint:
    """Runs the command line on the stack of these tests; answers what it printed, or the error it ended with."""
    memory = {"program": ending.program, "personas": ending.personas, "logins": ending.logins}
    running.remember(told, memory)

    def run(*arguments: str, code: int = 0) -> str:
        monkeypatch.setattr(sys, "argv", ["counterpoint", "--stack", f"{told['data']}/stack.json", *arguments])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main.run()
        printed = capsys.readouterr()
        assert (ended.value.code or 0) == code, printed.out + printed.err
        return printed.out if code == 0 else printed.err

    return run


def test_lag_and_parked(counterpoint: Counterpoint) -> None:
    lag = json.loads(counterpoint("lag", "--json"))
    assert set(lag) == {"enrollment", "matching", "scheduling", "insights"}
    assert all(item["behind"] == 0 for health in lag.values() for item in health["items"])
    assert "counterpoint.matching.events" in counterpoint("lag")
    assert counterpoint("parked") == "Nothing is parked.\n"


def test_events_are_decoded_from_the_beginning(counterpoint: Counterpoint, ending: Ending) -> None:
    arguments = ("events", "tail", "--from-beginning", "--no-follow", "--stream", ending.program)
    lines = counterpoint(*arguments, "matching.events", "--type", "PairFormed", "--json").splitlines()
    pairs = {json.loads(line)["data"]["pair"] for line in lines}
    assert len(pairs) == pairing.PAIRS
    assert len(counterpoint(*arguments, "--limit", "3").splitlines()) == 3
    people = counterpoint("events", "tail", "enrollment.people", "--from-beginning", "--no-follow", "--json")
    assert json.loads(people.splitlines()[0])["type"] == "people"
    assert "Unknown topic" in counterpoint("events", "tail", "nothing", code=FAILED)


def test_a_trace_is_drawn(counterpoint: Counterpoint, ending: Ending) -> None:
    drawn = counterpoint("trace", ending.trace[:10])
    assert all(service in drawn for service in ("enrollment", "matching", "scheduling", "insights"))
    assert len(json.loads(counterpoint("trace", ending.trace, "--json"))) > 5
    assert "No span" in counterpoint("trace", "0123456789", code=FAILED)


def test_a_token_is_good_for_its_role_alone(counterpoint: Counterpoint, told: StackFile, ending: Ending) -> None:
    pairs = f"{told['services']['matching']}/matching/v1/programs/{ending.program}/pairs"

    def status(*arguments: str, url: str = pairs) -> int:
        token = counterpoint("token", *arguments).strip()
        answer = httpx.get(url, headers={"Authorization": f"Bearer {token}"}, trust_env=False)
        return answer.status_code

    mentor = ending.personas["mentor"]
    person = next(person for person, login in ending.logins.items() if login == mentor)
    participations = f"{told['services']['enrollment']}/enrollment/v1/programs/{ending.program}/participations"
    assert status("--as", "mentor") == status("--as", "mentor", "--person", person) == 200
    assert status("--as", "coordinator", url=participations) == 200
    assert status("--as", "mentor", "--person", mentor, url=participations) == 403
    assert status("--as", "coordinator", "--person", mentor, url=participations) == 403
    assert "known" in counterpoint("token", "--as", "king", code=FAILED)


def test_each_persona_may_ask_what_the_demo_suggests(
    counterpoint: Counterpoint, told: StackFile, ending: Ending
) -> None:
    suggested = asks(told, ending.program)
    assert set(suggested) == {"coordinator", "mentor", "executive", "sponsor"}
    for role, url in suggested.items():
        token = counterpoint("token", "--as", role).strip()
        answer = httpx.get(url, headers={"Authorization": f"Bearer {token}"}, trust_env=False)
        assert answer.status_code == 200 and answer.json()["items"], role


def test_a_roster_is_imported_and_its_faults_are_shown(
    counterpoint: Counterpoint, ending: Ending, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ("import", str(ROSTER), "--program", ending.program)
    taken = json.loads(counterpoint(*arguments, "--json"))
    assert (taken["new"], taken["changed"], len(taken["rejected"])) == (0, 0, 5)
    assert "5 rejected" in counterpoint(*arguments, "--dry-run")
    monkeypatch.setenv(running.TOKEN_VARIABLE, counterpoint("token", "--as", "mentor").strip())
    assert "403" in counterpoint(*arguments, code=NOT_ALLOWED)
    monkeypatch.setenv(running.TOKEN_VARIABLE, "nonsense")
    assert "401" in counterpoint(*arguments, code=NOT_ALLOWED)


def test_a_round_goes_from_opening_to_publication(counterpoint: Counterpoint, ending: Ending) -> None:
    program = ("--program", ending.program)
    opened = json.loads(counterpoint("round", "open", *program, "--json"))["round"]
    assert "409" in counterpoint("round", "open", *program, code=FAILED)
    deadline = time.monotonic() + 20
    while (found := json.loads(counterpoint("round", "show", opened, *program, "--json")))["state"] != "solved":
        assert time.monotonic() < deadline, found
    assert "Not placed" in counterpoint("round", "show", opened, *program)
    proposals = json.loads(counterpoint("round", "proposals", opened, *program, "--json"))
    assert len(proposals) == found["proposed"] > 0
    first = proposals[0]["proposal"]
    assert "rejected" in counterpoint("round", "review", first, "rejected", *program)
    assert "422" in counterpoint("round", "review", first, "perhaps", *program, code=FAILED)
    assert json.loads(counterpoint("round", "approve", opened, *program, "--json"))["approved"] == len(proposals) - 1
    assert "Published" in counterpoint("round", "publish", opened, *program)
    assert "404" in counterpoint("round", "show", "ro_" + "a" * 26, *program, code=FAILED)


def test_the_clock_goes_forward_only(counterpoint: Counterpoint) -> None:
    before = json.loads(counterpoint("clock", "now", "--json"))["now"]
    after = json.loads(counterpoint("clock", "forward", "2h", "--json"))["now"]
    assert after > before
