"""A name that somebody puts wherever a caller can put one is in nothing that a process tells of itself.

Everything is looked through: spans and figures as they leave the process by OTLP, and the log with every logger at its
most talkative; of the story's own processes spans and logs as well.
"""

from __future__ import annotations

import json
import re
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from local import processes, tokens
from local.environment import environment
from local.processes import Child, free_ports
from local.stack import CHECKOUT, Stack
from local.stackfile import StackFile
from local.story import Ending
from local.story.cast import FOUNDER

pytestmark = pytest.mark.e2e

NAME = "Wilhelmina"
"""Nobody in the story is called so; it is looked for whatever its case."""
ROSTER = f"""employee_id,login,name,mail,language,side,level,function,site,zone,manager_id,languages
1,{NAME},{NAME} Harker,{NAME}@example.org,{NAME},mentor,{NAME},{NAME},{NAME},{NAME},{NAME},{NAME}
"""


class Receiver:
    """Takes what a process sends by OTLP over HTTP; a text in it is there as it is."""

    def __init__(self) -> None:
        self.bodies: dict[str, list[bytes]] = {"/v1/traces": [], "/v1/metrics": []}
        bodies = self.bodies

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                bodies.setdefault(self.path, []).append(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(200)
                self.send_header("Content-Type", "application/x-protobuf")
                self.end_headers()

            def log_message(self, *_: Any) -> None: ...

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def all(self, path: str) -> bytes:
        return b"".join(self.bodies[path])


@contextmanager
def process(stack: Stack, told: StackFile, receiver: Receiver, log: Path, spans: Path) -> Iterator[str]:
    """One more process of enrollment that answers HTTP, at its most talkative; stopped at the end."""
    (port,) = free_ports(1)
    env = environment(
        Path(told["data"]), "enrollment", process="enrollment.told", role="api", port=port, kafka=told["kafka"],
        mongo=stack.mongo_uris["enrollment"], founders=[FOUNDER],
    )  # fmt: skip
    env |= {
        "COUNTERPOINT_LOG_LEVEL": "DEBUG", "COUNTERPOINT_LIBRARY_LOG_LEVEL": "DEBUG", "COUNTERPOINT_LOG_FORMAT": "json",
        "COUNTERPOINT_SPANS_FILE": str(spans), "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.address,
        "OTEL_METRIC_EXPORT_INTERVAL": "1000",
    }  # fmt: skip
    command = [sys.executable, "-m", "tests.e2e.telling_service", "services.enrollment"]
    child = Child("enrollment.told", command, log, env, CHECKOUT)
    url = f"http://127.0.0.1:{port}"
    try:
        child.wait_until(lambda: _ready(url), 60, "ready")
        yield url
    finally:
        processes.stop([child], 20)


def _ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health/ready", trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


def ask_everything(url: str, told: StackFile, program: str) -> list[int]:
    """Put the name wherever there is room for one; the status of each answer."""
    data = Path(told["data"])
    founder = {"Authorization": f"Bearer {tokens.mint(data, FOUNDER)}"}
    named = {"Authorization": f"Bearer {tokens.mint(data, NAME)}"}
    programs = f"{url}/enrollment/v1/programs"
    one = f"{programs}/{program}"
    sent: list[tuple[str, str, dict[str, Any]]] = [
        ("GET", f"{one}/{NAME}", {"headers": founder}),
        ("GET", f"{programs}/{NAME}/invitations", {"headers": founder}),
        ("GET", f"{one}/invitations?after={NAME}&{NAME}={NAME}", {"headers": founder}),
        ("GET", f"{url}/{NAME}?{NAME}", {}),
        (NAME.upper(), f"{one}/invitations", {"headers": founder}),
        ("GET", f"{one}/invitations", {"headers": named}),
        ("GET", f"{one}/invitations", {"headers": {"Authorization": f"Bearer {NAME}"}}),
        ("GET", f"{one}/invitations", {"headers": {"Authorization": NAME}}),
        ("POST", programs, {"headers": founder, "json": {NAME: NAME}}),
        ("POST", programs, {"headers": founder, "content": f'{{"{NAME}": '.encode()}),
        ("POST", programs, {"headers": founder, "json": {"rules": {"languages": [NAME]}, "opens": NAME}}),
        ("POST", f"{one}/roster?dry_run=true", {"headers": founder | {"Content-Type": "text/csv"}, "content": ROSTER}),
        ("POST", f"{one}/roster?dry_run={NAME}", {"headers": founder | {"Content-Type": NAME}, "content": NAME}),
    ]
    for header in ("If-Match", "Idempotency-Key", "Counterpoint-After", "User-Agent", "Host", "X-Request-Id", "Baggage",
                   "Traceparent", "Tracestate", "Forwarded", "X-Forwarded-For", "X-Forwarded-Proto"):  # fmt: skip
        sent.append(("PUT", f"{one}/rules", {"headers": founder | {header: NAME}, "json": {"x": NAME}}))
        sent.append(("GET", f"{one}/invitations", {"headers": founder | {header: NAME}}))
    ours = {"traceparent": f"00-{'ab' * 16}-{'cd' * 8}-01", "tracestate": f"{NAME.lower()}={NAME}"}
    sent.append(("GET", f"{one}/invitations", {"headers": founder | ours}))
    fails = founder | {"X-Fail": f"{NAME} Harker"}
    sent += [("GET", f"{one}/invitations", {"headers": fails | {"X-By": by}}) for by in ("handler", "database")]
    with httpx.Client(timeout=20, trust_env=False) as http:
        return [http.request(method, to, **more).status_code for method, to, more in sent]


@pytest.mark.guarantee("people")
def test_a_name_put_anywhere_is_in_no_span_no_figure_and_no_line_of_the_log(
    stack: Stack, told: StackFile, ending: Ending, tmp_path: Path
) -> None:
    receiver, log, spans = Receiver(), tmp_path / "told.log", tmp_path / "told.jsonl"
    with process(stack, told, receiver, log, spans) as url:
        answers = ask_everything(url, told, ending.program)
    assert {200, 401, 404, 422, 500, 503} <= set(answers), answers
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    said = {line["logger"].partition(".")[0] for line in lines}
    assert {"counterpoint", "pymongo", "aiokafka", "uvicorn", "some"} <= said, said
    failed = [line for line in lines if line["message"] == "a request failed"]
    assert failed and all(line.keys() >= {"trace_id", "span_id"} for line in failed)
    assert {line["attributes"]["exception.type"] for line in failed} == {"builtins.ValueError"}
    traces, figures = receiver.all("/v1/traces"), receiver.all("/v1/metrics")
    assert traces.count(b"http.request.method") >= len(answers) and b"http.server.request.duration" in figures
    for what, told_of_itself in (
        ("log", log.read_bytes()), ("spans", traces), ("figures", figures), ("file", spans.read_bytes())
    ):  # fmt: skip
        found = re.search(rb".{0,200}" + NAME.encode() + rb".{0,100}", told_of_itself, re.IGNORECASE)
        assert found is None, f"{what}: {found and found[0]!r}"


@pytest.mark.guarantee("people")
def test_nobody_of_the_story_is_in_its_spans_and_logs(told: StackFile, ending: Ending) -> None:
    data = Path(told["data"])
    files = [*Path(told["spans_dir"]).glob("*.jsonl"), *(data / "logs").glob("*.*.log"), *(data / "logs").glob("*.log")]
    ours = [file for file in files if file.name not in ("mongod.log", "kafka.log")]
    everything = "\n".join(file.read_text(errors="replace") for file in ours)
    assert len(ours) >= 8 and len(everything) > 1_000_000 and len(ending.private) > 150
    assert [text for text in ending.private if text in everything] == []
