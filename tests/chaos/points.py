"""Named points of the real code at which a process can be told to kill or to stop itself, in the very middle of it."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

from chassis.deciding.journal import Journal
from chassis.distributing.producer import Producer
from chassis.receiving.inbox import Inbox
from chassis.running.mongo import Database

KILL, STOP = "kill", "stop"
OUTCOMES = "outcomes"
"""The file in a process's folder with one line for each batch that its inbox tried: `written`, or the error's name."""

API = ("inserting", "inserted", "committing", "committed")
RELAY = ("sending", "acknowledged")
WORKER = ("holding", "advanced", "committing", "committed")
"""The points by role: around a commit's insert, a transaction's commit, a batch's way to Kafka; and within the inbox,
with a batch in hand and with its checkpoint moved in the open transaction."""


def arm(folder: Path, point: str, action: str) -> None:
    """Tell the process of this folder what to do to itself when it reaches the point next; once."""
    (folder / f"{point}.new").write_text(action)
    (folder / f"{point}.new").rename(folder / point)


def armed(folder: Path, point: str) -> bool:
    """Whether the point has not been reached yet."""
    return (folder / point).exists()


def install(folder: Path) -> None:
    """Let this process look at every point whether it is told anything there."""

    def reach(point: str) -> None:
        try:
            action = (folder / point).read_text()
            (folder / point).unlink()
        except FileNotFoundError:
            return
        os.kill(os.getpid(), signal.SIGKILL if action == KILL else signal.SIGSTOP)

    _around(Journal, "append", reach, "inserting", "inserted")
    _around(Producer, "send", reach, "sending", "acknowledged")
    _around(Inbox, "_advance", reach, None, "advanced")
    _around(Database, "_commit", reach, "committing", "committed")
    _after_reading(reach)
    _note_outcomes(folder / OUTCOMES)


def _around(owner: type, method: str, reach: Callable[[str], None], before: str | None, after: str | None) -> None:
    static = isinstance(owner.__dict__[method], staticmethod)
    real: Callable[..., Any] = getattr(owner, method)

    @wraps(real)
    async def wrapped(*args: Any, **more: Any) -> Any:
        if before:
            reach(before)
        answer = await real(*args, **more)
        if after:
            reach(after)
        return answer

    setattr(owner, method, staticmethod(wrapped) if static else wrapped)


def _after_reading(reach: Callable[[str], None]) -> None:
    real: Callable[..., Any] = Inbox._read

    def wrapped(*args: Any) -> Any:
        answer = real(*args)
        reach("holding")
        return answer

    setattr(Inbox, "_read", wrapped)  # noqa: B010


def _note_outcomes(file: Path) -> None:
    real: Callable[..., Any] = Inbox._apply

    async def wrapped(*args: Any, **more: Any) -> Any:
        outcome = "written"
        try:
            return await real(*args, **more)
        except BaseException as error:
            outcome = type(error).__name__
            raise
        finally:
            with file.open("a") as notes:
                notes.write(outcome + "\n")

    setattr(Inbox, "_apply", wrapped)  # noqa: B010
