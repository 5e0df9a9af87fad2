"""The local stack's travelling clock: one file with an offset that every service of the stack adds to real time."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from local.files import write


def offset(path: Path) -> timedelta:
    """How far the clock is ahead of real time; nothing where the file does not exist."""
    try:
        return timedelta(milliseconds=json.loads(path.read_text())["offset_ms"])
    except FileNotFoundError:
        return timedelta()


def now(path: Path) -> datetime:
    """The stack's time, in UTC."""
    return datetime.now(UTC) + offset(path)


def advance(path: Path, by: timedelta) -> datetime:
    """Move the clock forward and answer the stack's new time; ValueError for a step back."""
    if by < timedelta():
        raise ValueError(f"time never goes back, not even by {-by}")
    ahead = offset(path) + by
    write(path, json.dumps({"offset_ms": ahead // timedelta(milliseconds=1)}))
    return now(path)
