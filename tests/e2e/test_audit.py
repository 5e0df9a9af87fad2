"""After the whole story every service's journal is as it must be, and the command says so."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from local import story
from local.stackfile import StackFile
from local.topics import SERVICES

pytestmark = pytest.mark.e2e


def asked(told: StackFile, *arguments: str) -> dict[str, Any]:
    """What a command prints that ends well."""
    stack = str(Path(told["data"]) / "stack.json")
    command = [sys.executable, "-m", "cli.main", "--stack", stack, *arguments, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return dict(json.loads(done.stdout))


@pytest.mark.guarantee("G12")
@pytest.mark.parametrize("service", SERVICES)
def test_every_journal_is_whole_after_the_story(told: StackFile, ending: story.Ending, service: str) -> None:
    found = asked(told, "audit", service)
    assert found["findings"] == []
    assert found["streams"] > 10 and found["records"] > 0, "there was something to look at"


def test_there_is_nothing_to_heal_after_the_story(told: StackFile, ending: story.Ending) -> None:
    healed = {"service": "matching", "commits": 0, "streams": 0, "troubles": []}
    assert asked(told, "heal", "matching") == healed
