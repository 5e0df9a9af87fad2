"""The log: lines of JSON, or words for people; what a line says is a constant, what it tells is on the allow-list."""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from chassis.running import allowed, spans
from chassis.running.mongo import PyMongoError, in_short

OURS = "counterpoint"
HOUSE = Path(__file__).parents[2]
MOST_FRAMES = 30
HIDDEN = "*"
Form = Literal["json", "text"]
_log = logging.getLogger(OURS)


def setup(service: str, role: str, form: Form) -> None:
    """Send everything that is logged in this process to stderr, in one form, also what nobody caught.

    `COUNTERPOINT_LOG_LEVEL` is the level of ours, `COUNTERPOINT_LIBRARY_LOG_LEVEL` that of all other loggers.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Lines(service, role) if form == "json" else Words())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(os.environ.get("COUNTERPOINT_LIBRARY_LOG_LEVEL", "ERROR").upper())
    level = os.environ.get("COUNTERPOINT_LOG_LEVEL", "INFO").upper()
    for name in (OURS, "uvicorn"):
        logging.getLogger(name).setLevel(level)
    logging.captureWarnings(True)
    sys.excepthook = _uncaught
    threading.excepthook = lambda args: _uncaught(args.exc_type, args.exc_value, args.exc_traceback)


def about(error: BaseException, **more: str | int | float) -> dict[str, str | int | float]:
    """What may be told of an error (`extra=`): its kind, and its words where they hold nothing that anybody wrote.

    `more` is told beside it, by names without `counterpoint.`.
    """
    told: dict[str, str | int | float] = {f"counterpoint.{name}": value for name, value in more.items()}
    told["error.type"] = spans.kind_of(error)
    if isinstance(error, PyMongoError):
        told["counterpoint.reason"] = in_short(error)
    elif isinstance(error, OSError) and error.errno:
        told["counterpoint.reason"] = os.strerror(error.errno)
    elif isinstance(error, spans.Told) or type(error).__module__.startswith("aiokafka."):
        told["counterpoint.reason"] = str(error)[:500]
    return told


def _uncaught(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
    _log.critical("nobody caught an error", exc_info=(kind, error, trace) if error else None)


class Lines(logging.Formatter):
    """One JSON object a line: when, how bad, who says it and what, its attributes, and the trace it belongs to."""

    def __init__(self, service: str, role: str) -> None:
        super().__init__()
        self._who = {"service": f"counterpoint-{service}", "role": role}

    def format(self, record: logging.LogRecord) -> str:
        context = spans.current().get_span_context()
        ids = {"trace_id": format(context.trace_id, "032x"), "span_id": format(context.span_id, "016x")}
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": message(record),
            **self._who,
            **(ids if context.is_valid else {}),
        }
        if told := attributes(record):
            line["attributes"] = told
        return json.dumps(line, ensure_ascii=False)


class Words(logging.Formatter):
    """The same for people: one line, and below it where an exception came from."""

    def format(self, record: logging.LogRecord) -> str:
        told = attributes(record)
        frames = told.pop("exception.stacktrace", None)
        at = datetime.fromtimestamp(record.created).astimezone().strftime("%H:%M:%S.%f")[:-3]
        line = f"{at} {record.levelname:<7} {record.name}: {message(record)}"
        if told:
            line += " (" + ", ".join(f"{name.removeprefix('counterpoint.')} {v}" for name, v in told.items()) + ")"
        return line if frames is None else f"{line}\n    " + str(frames).replace("\n", "\n    ")


def message(record: logging.LogRecord) -> str:
    """What a line says. Ours are constants; of what a library says, texts that it was handed are hidden."""
    said = record.msg
    if not isinstance(said, str):
        return type(said).__name__  # it would be made into words only now, out of whatever it holds
    if record.args and record.name.partition(".")[0] != OURS:
        with suppress(TypeError, ValueError, KeyError):  # a number may be wanted where a text is hidden
            said = said % _shown(record.args)
    return said.partition("\n")[0][:300]


def _shown(given: Any) -> Any:
    if isinstance(given, dict):
        return {name: _shown((value,))[0] for name, value in given.items()}
    return tuple(
        value
        if isinstance(value, int | float)
        else spans.kind_of(value)
        if isinstance(value, BaseException)
        else HIDDEN
        for value in given
    )


def attributes(record: logging.LogRecord) -> dict[str, Any]:
    """What a line tells: those of its `extra` that are on the allow-list, and the kind and place of an exception."""
    told = {name: record.__dict__[name] for name in sorted(allowed.LOGS & record.__dict__.keys())}
    if record.exc_info and record.exc_info[1] is not None:
        chain = list(_chain(record.exc_info[1]))
        told["exception.type"] = f"{type(chain[0]).__module__}.{spans.kind_of(chain[0])}"
        told["exception.stacktrace"] = "\n".join(line for error in chain for line in _place(error))
    return told


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _place(error: BaseException) -> Iterator[str]:
    """The kind of an error and the files and lines it went through, ours and the last one. Neither texts nor values."""
    yield spans.kind_of(error)
    frames = traceback.extract_tb(error.__traceback__)
    for n, frame in enumerate(frames[-MOST_FRAMES:], max(0, len(frames) - MOST_FRAMES)):
        path = Path(frame.filename)
        ours = path.is_relative_to(HOUSE) and "site-packages" not in path.parts
        if ours or n == len(frames) - 1:
            yield f"  {path.relative_to(HOUSE) if ours else '/'.join(path.parts[-2:])}:{frame.lineno} {frame.name}"
