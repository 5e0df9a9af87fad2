"""After the whole story every service's journal is as it must be, and the command says so."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from local import story
from local.stackfile import StackFile
from local.topics import SERVICES

pytestmark = pytest.mark.e2e


@pytest.mark.parametrize("service", SERVICES)
def test_every_journal_is_whole_after_the_story(told: StackFile, ending: story.Ending, service: str) -> None:
    stack = str(Path(told["data"]) / "stack.json")
    command = [sys.executable, "-m", "cli.main", "--stack", stack, "audit", service, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    assert found["findings"] == []
    assert found["streams"] > 10 and found["records"] > 0, "there was something to look at"
