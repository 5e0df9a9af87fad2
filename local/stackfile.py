"""`stack.json`: what a running local stack tells other programs about itself, and how another terminal ends it."""

import contextlib
import json
import os
import shutil
import signal
import time
from pathlib import Path
from typing import TypedDict, cast

from local.errors import NotRunning
from local.files import CHECKOUT, write_private
from local.processes import started_at

DATA = CHECKOUT / ".local" / "stack"
"""Where the stack keeps everything unless told otherwise."""

MADE = ("mongod", "kafka", "logs", "keys", "spans", "jwks.json", "clock.json", "stack.json")
"""What a stack makes in its data directory, and `down` removes."""


class StackFile(TypedDict):
    """The content of `stack.json`. It holds passwords, so only its owner can read it."""

    kafka: str
    mongo: str
    mongo_uris: dict[str, dict[str, str]]
    services: dict[str, str]
    outlet: str
    issuer: str
    audience: str
    jwks: str
    clock_file: str
    spans_dir: str
    data: str
    pids: dict[str, int]
    started: dict[str, int]


def read(data: Path = DATA) -> StackFile:
    """What the stack that runs on this data directory tells; NotRunning where none does."""
    try:
        told = cast(StackFile, json.loads((data / "stack.json").read_text()))
    except FileNotFoundError:
        told = None
    if told is None or not alive(told):
        raise NotRunning(f"No local stack runs on {data}. Start one: counterpoint up")
    return told


def publish(data: Path, told: StackFile) -> None:
    """Write `stack.json` at once."""
    write_private(data / "stack.json", json.dumps(told, indent=2))


def alive(told: StackFile) -> list[str]:
    """Names of the recorded processes that still live; a recycled pid is not one of them."""
    return [name for name, pid in told["pids"].items() if started_at(pid) == told["started"][name]]


def down(data: Path = DATA, remove: bool = True) -> list[str]:
    """End exactly the processes that the stack on this directory recorded, and remove what it made there.

    Services end before the servers they stand on. Answers the names of those ended; none where nothing ran.
    """
    ended: list[str] = []
    with contextlib.suppress(FileNotFoundError):
        told = cast(StackFile, json.loads((data / "stack.json").read_text()))
        ended = alive(told)
        servers = [name for name in ended if name in ("mongod", "kafka")]
        for group in ([name for name in ended if name not in servers], servers):
            _end(told, group, 15)
        (data / "stack.json").unlink(missing_ok=True)
    if remove:
        for name in MADE:
            shutil.rmtree(data / name, ignore_errors=True)
            with contextlib.suppress(OSError):
                (data / name).unlink()
        with contextlib.suppress(OSError):
            data.rmdir()  # stays when it holds anything else
    return ended


def _end(told: StackFile, names: list[str], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    sent = signal.SIGTERM
    while living := [name for name in alive(told) if name in names]:
        if sent == signal.SIGTERM or time.monotonic() > deadline:
            for name in living:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(told["pids"][name], sent)
            sent = signal.SIGKILL
        time.sleep(0.05)
