"""The demo as a newcomer without a terminal meets it, in a zone where it is tomorrow already."""

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.e2e

SHOWN = (
    "The published figures",
    "no data yet",
    "hidden: fewer than 5",
    "The pairs and their next step",
    "One command through all four services",
    "How far behind every inbox is",
    "token --as coordinator",
    "token --as mentor",
    "token --as executive",
    "token --as sponsor",
)


@pytest.mark.guarantee("running")
def test_it_shows_everything_and_stops_what_it_started(tmp_path: Path) -> None:
    file = tmp_path / "stack.json"
    ended = subprocess.run(
        [sys.executable, "-m", "cli.main", "--stack", str(file), "demo"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "TZ": "Pacific/Kiritimati"},
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert [text for text in SHOWN if text not in ended.stdout] == []
    assert not file.exists()
    assert processes_that_know(tmp_path) == []


def processes_that_know(folder: Path) -> list[str]:
    """Command lines of the processes that have the folder in their command line or environment."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            command = (process / "cmdline").read_bytes()
            if str(folder).encode() in command + (process / "environ").read_bytes():
                found.append(command.decode(errors="replace"))
    return found
