"""A long piece of work in a process of its own: it tells its progress in JSON lines, which are shown as they come."""

import contextlib
import json
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rich.status import Status

from cli.failure import FAILED, Failure
from cli.screen import as_json_line, err
from local.environment import PREFIX, environment
from local.files import CHECKOUT
from local.stackfile import StackFile

_END = 20.0


def watch(
    told: StackFile, service: str, role: str, settings: Mapping[str, str], *, json: bool = False
) -> dict[str, Any]:
    """Run a process of this role and show how far it is; the line with which it ended. Failure where it was refused."""
    last: dict[str, Any] = {}
    with _spinner(role, json) as status:
        for last in _lines(told, service, role, settings):
            if json:
                as_json_line(last)
            elif status and "total" in last:
                status.update(progress(last))
    if "refused" in last:
        raise Failure(f"{service}: {last['refused']}")
    return last


def progress(line: dict[str, Any]) -> str:
    """What is shown of a line of progress."""
    share = line["done"] / line["total"] if line["total"] else 1.0
    left = "" if line["left"] is None else f", {line['left']:.0f} s left"
    return f"version {line['version']}: {line['done']:,} of {line['total']:,} ({share:.0%}), {line['rate']:,}/s{left}"


@contextlib.contextmanager
def _spinner(role: str, quiet: bool) -> Iterator[Status | None]:
    if quiet or not err.is_terminal:
        yield None
    else:
        with err.status(f"Beginning to {role}") as status:
            yield status


def _lines(told: StackFile, service: str, role: str, settings: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """What the process tells; Failure where it ends without having done its work."""
    data = Path(told["data"])
    env = environment(
        data,
        service,
        process=f"{service}.{role}",
        role=role,
        port=0,
        kafka=told["kafka"],
        mongo=told["mongo_uris"][service],
        founders=(),
    )
    log = data / "logs" / f"{service}.{role}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with (
        log.open("w") as errors,
        subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-m", f"services.{service}"],
            env={**env, **{PREFIX + name: value for name, value in settings.items()}},
            cwd=CHECKOUT,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        ) as process,
    ):
        ended = False
        try:
            for text in process.stdout or ():
                line: dict[str, Any] = json.loads(text)
                ended = "total" not in line
                yield line
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(_END)
                process.kill()
    if not ended:
        raise Failure(f"To {role} {service} ended early; see {log}", FAILED)
