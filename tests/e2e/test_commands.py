"""The commands against a stack that has lived through the story."""

import json
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from pymongo import MongoClient

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


def test_what_is_parked_goes_on_or_is_dropped(
    counterpoint: Counterpoint, told: StackFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    since = {"reason": "failed", "version": 1, "detail": "E: mended", "since": "2026-01-01T00:00:00.000Z", "waiting": 0}
    at = datetime(2026, 1, 1, tzinfo=UTC)
    record = {"kind": "record", "inbox": "matching.inbox.v1", "topic": "t", "partition": 0, "offset": 7, "at": at}
    task = {"task": "nobody", "key": "k", "state": "parked", "parked_at": at, "attempts": 12, "error": "E: why"}
    with MongoClient[dict[str, Any]](told["mongo"]) as client:
        database = client["counterpoint_matching"]
        database["parked"].insert_one({**record, "_id": "matching.inbox.v1|t/0@7", "reason": "no id"})
        database["tasks"].insert_one({**task, "_id": "nobody:x@1"})
        stream = str(database["views_v1"].find_one({"digest": {"$exists": True}}, {"_id": 1})["_id"])
        database["views_v1"].update_one({"_id": stream}, {"$set": {"parked": since}})
    listed = counterpoint("parked")
    assert all(text in listed for text in (stream, "failed: version 1: E: mended", "t/0@7", "no id", "nobody:x@1"))
    assert "E: mended" in counterpoint("parked", "show", stream)
    assert "it goes on" in counterpoint("parked", "retry", stream)
    assert "No stream" in counterpoint("parked", "retry", stream, code=FAILED)
    assert "404" in counterpoint("parked", "show", stream, "--service", "matching", code=FAILED)
    drop = ("parked", "drop", "--reason", "made by a test")
    assert "dropped" in counterpoint(*drop, "--record", "t/0@7")
    assert "dropped" in counterpoint(*drop, "--task", "nobody:x@1", "--service", "matching")
    assert counterpoint("parked") == "Nothing is parked.\n" == counterpoint("parked", "retry", "--all")
    done = json.loads(counterpoint("parked", "--dropped", "--json"))["matching"]["items"]
    assert [(d["what"], d["by"], d["reason"]) for d in done] == [
        ("nobody:x@1", "operator", "made by a test"),
        ("t/0@7", "operator", "made by a test"),
    ]
    monkeypatch.setenv(running.TOKEN_VARIABLE, counterpoint("token", "--as", "coordinator").strip())
    assert "403" in counterpoint("parked", code=NOT_ALLOWED)


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
    foreseen = json.loads(counterpoint("round", "feasibility", *program, "--json"))
    assert f"{foreseen['mentors']} mentors" in counterpoint("round", "feasibility", *program)
    watched = counterpoint("round", "open", "--watch", *program)
    opened = watched[watched.index("ro_") :].split()[0]
    assert "409" in counterpoint("round", "open", *program, code=FAILED)
    found = json.loads(counterpoint("round", "show", opened, *program, "--json"))
    assert (found["state"], found["proposed"]) == ("solved", foreseen["now"]["pairs"])
    assert "Without a partner" in counterpoint("round", "show", opened, *program)
    assert "Proven" in counterpoint("round", "verify", opened, *program)
    proposals = json.loads(counterpoint("round", "proposals", opened, *program, "--json"))
    assert len(proposals) == found["proposed"] > 1
    first, last = proposals[0], proposals[-1]
    assert "A pair" in counterpoint("round", "explain", opened, first["mentor"], first["executive"], *program)
    assert "No pair" in counterpoint("round", "explain", opened, first["mentor"], last["executive"], *program)
    assert first["executive"] in counterpoint("round", "explain", opened, first["mentor"], *program)
    compared = json.loads(counterpoint("round", "compare", opened, opened, *program, "--json"))
    assert (len(compared["kept"]), compared["new"], compared["gone"]) == (len(proposals), [], [])
    assert "422" in counterpoint("round", "review", first["proposal"], "perhaps", *program, code=FAILED)
    assert "rejected" in counterpoint("round", "review", first["proposal"], "rejected", *program)
    deadline = time.monotonic() + 60
    while json.loads(counterpoint("round", "show", opened, *program, "--json"))["certificate"] == found["certificate"]:
        assert time.monotonic() < deadline
    counterpoint("round", "approve", opened, *program)
    assert "Published" in counterpoint("round", "publish", opened, *program)
    assert "404" in counterpoint("round", "show", "ro_" + "a" * 26, *program, code=FAILED)


def test_the_clock_goes_forward_only(counterpoint: Counterpoint) -> None:
    before = json.loads(counterpoint("clock", "now", "--json"))["now"]
    after = json.loads(counterpoint("clock", "forward", "2h", "--json"))["now"]
    assert after > before


@pytest.mark.guarantee("G5")
def test_views_are_rebuilt_and_what_was_before_can_be_returned_to_and_dropped(
    counterpoint: Counterpoint, told: StackFile
) -> None:
    *progress, end = [json.loads(line) for line in counterpoint("rebuild", "matching", "--json").splitlines()]
    assert end == {"live": 2}
    assert progress[-1]["done"] > 100 and progress[-1]["version"] == 2
    ready = f"{told['services']['matching']}/health/lag"
    deadline = time.monotonic() + 20
    while {i["inbox"] for i in httpx.get(ready, trust_env=False).json()["items"]} != {"matching.inbox.v2"}:
        assert time.monotonic() < deadline, "the running service did not change over"
        time.sleep(0.1)
    assert counterpoint("rebuild", "matching", "--back") == "matching: version 1 is live.\n"
    assert counterpoint("rebuild", "matching", "--drop-old") == "matching: dropped version 2.\n"
    assert "no earlier version is kept" in counterpoint("rebuild", "matching", "--back", code=FAILED)


@pytest.mark.guarantee("G5")
def test_a_topic_is_filled_again_and_the_services_hear_it(counterpoint: Counterpoint, told: StackFile) -> None:
    *progress, end = [json.loads(line) for line in counterpoint("republish", "insights", "--json").splitlines()]
    assert end == {"topic": "counterpoint.insights.events.g2"}
    assert progress[-1]["done"] == progress[-1]["total"] > 0
    tail = ("events", "tail", "insights.events", "--from-beginning", "--no-follow", "--json")
    seen: dict[str, set[str]] = {}
    for line in counterpoint(*tail).splitlines():
        record = json.loads(line)
        seen.setdefault(record["topic"], set()).add(f"{record['stream']}@{record['version']}")
    assert seen["counterpoint.insights.events"] == seen["counterpoint.insights.events.g2"]
    assert json.loads(counterpoint("audit", "insights", "--json"))["findings"] == []
