"""What `counterpoint rebuild` and `republish` show and refuse, without any stack."""

import pytest

from cli.failure import USAGE
from cli.jobs import progress
from cli.rebuild import ending
from tests.cli.test_commands import counterpoint


def test_progress_says_how_much_how_fast_and_how_long() -> None:
    line = {"version": 2, "done": 500, "total": 2000, "rate": 1000, "left": 1.5}
    assert progress(line) == "version 2: 500 of 2,000 (25%), 1,000/s, 2 s left"
    assert progress(line | {"done": 0, "total": 0, "rate": 0, "left": None}) == "version 2: 0 of 0 (100%), 0/s"


def test_the_end_says_what_is_live_or_dropped() -> None:
    assert ending("matching", {"live": 2}) == "matching: version 2 is live."
    assert ending("matching", {"dropped": [1, 3]}) == "matching: dropped version 1, 3."
    assert ending("matching", {"dropped": []}) == "matching: there was nothing to drop."


@pytest.mark.parametrize("arguments", [["nobody"], ["matching", "outbox"], ["matching", "--back", "--drop-old"]])
def test_what_cannot_be_meant_is_refused(arguments: list[str]) -> None:
    assert counterpoint("rebuild", *arguments).returncode == USAGE


@pytest.mark.parametrize("arguments", [["nobody"], ["matching", "people"], ["matching", "--partitions", "many"]])
def test_what_cannot_be_republished_is_refused(arguments: list[str]) -> None:
    assert counterpoint("republish", *arguments).returncode == USAGE
