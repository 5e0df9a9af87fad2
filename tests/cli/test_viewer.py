"""The page is served to this machine only, brings all it needs, and its data are those of the spans."""

import json
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from cli import ui
from cli.failure import Failure
from cli.viewer import server
from cli.viewer.server import HEADERS, PAGE, serving
from tests.cli.spanfiles import TRACE, span, story, write

FILES = sorted(PAGE.iterdir())
NAMESPACE = "http://www.w3.org/2000/svg"
READS_MARKUP = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|srcdoc|\beval\(|new Function"
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path / "matching.jsonl", *story())
    return tmp_path


@pytest.fixture
def page(folder: Path) -> Iterator[httpx.Client]:
    """Asks the page of these spans."""
    with serving(folder, 0) as url, httpx.Client(base_url=url, trust_env=False, timeout=20) as http:
        yield http


@pytest.mark.guarantee("running")
def test_every_answer_says_what_a_browser_may_do_with_it(page: httpx.Client) -> None:
    for path in ("/", "/api/traces", f"/api/traces/{TRACE}", "/api/stack", "/nothing", *(f"/{f.name}" for f in FILES)):
        answer = page.get(path)
        assert answer.status_code == (404 if path == "/nothing" else 200), path
        assert {name: answer.headers[name] for name in HEADERS} == HEADERS, path
        assert "access-control-allow-origin" not in answer.headers, path
    assert HEADERS["content-security-policy"].startswith("default-src 'self'; ")
    assert "unsafe" not in HEADERS["content-security-policy"]


@pytest.mark.guarantee("running")
@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "", "192.168.0.7"])
def test_a_name_of_somebody_else_that_leads_here_is_refused(page: httpx.Client, host: str) -> None:
    for path in ("/", "/api/traces", f"/api/traces/{TRACE}"):
        answer = page.get(path, headers={"host": host})
        assert answer.status_code == 400
        assert "matching" not in answer.text
    assert page.get("/api/traces", headers={"host": f"localhost:{page.base_url.port}"}).status_code == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_it_only_answers(page: httpx.Client, method: str) -> None:
    assert {page.request(method, path).status_code for path in ("/", "/api/traces", f"/api/traces/{TRACE}")} == {405}


@pytest.mark.guarantee("running")
def test_it_listens_on_loopback_only(page: httpx.Client) -> None:
    port = page.base_url.port or 0
    listening = [line.split()[1:4] for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    assert [local for local, _, state in listening if state == "0A" and local.endswith(f":{port:04X}")] == [
        f"0100007F:{port:04X}"
    ]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_the_page_brings_all_it_needs_and_reads_no_markup(file: Path) -> None:
    text = file.read_text().replace(NAMESPACE, "")
    assert re.findall(r"https?://|//\w+\.\w+|@import|url\(", text) == []
    assert READS_MARKUP.findall(text) == []
    if file.suffix == ".html":
        assert re.findall(r"<style|\sstyle=|\son\w+=|<script(?![^>]* src=)|<iframe|<form", text) == []


def test_what_changed_is_told_once(page: httpx.Client, folder: Path) -> None:
    first = page.get("/api/traces").json()
    assert [trace["id"] for trace in first["traces"]] == [TRACE]
    again = page.get("/api/traces", params={"after": first["cursor"]}).json()
    assert again == {"cursor": first["cursor"], "traces": []}
    write(folder / "insights.jsonl", span("9", None, "insights", "GET /x", 5, trace="cd" * 16))
    more = page.get("/api/traces", params={"after": first["cursor"]}).json()
    assert [trace["id"] for trace in more["traces"]] == ["cd" * 16]
    assert len(page.get("/api/traces", params={"after": "unheard-of"}).json()["traces"]) == 2


def test_a_trace_is_told_in_the_order_in_which_it_is_drawn(page: httpx.Client, folder: Path) -> None:
    found = page.get("/api/traces/ABAB").json()
    assert [(row["id"], row["depth"], row["start"], row["took"], row["step"]) for row in found["rows"]] == [
        ("01", 0, 0.0, 20.0, "request"),
        ("02", 1, 5.0, 10.0, "commit"),
        ("03", 2, 7.0, 2.0, "database"),
        ("04", 2, 30.0, 2.0, "publish"),
        ("05", 3, 40.0, 2.0, "hear"),
        ("06", 3, 42.0, 2.0, "hear"),
        ("07", 4, 50.0, 2.0, "task"),
    ]
    assert found["timeline"] == [{"from": 0.0, "to": 52.0, "left": 0.0, "right": 1.0}]
    assert found["rows"][4]["carrier"] == "04" and found["rows"][4]["topic"] == "counterpoint.matching.events"
    assert page.get("/api/traces/ff").json() == {"detail": "No span of trace 'ff' is here"}
    write(folder / "x.jsonl", span("1", None, "x", "y", 1, trace="abac" + "0" * 28))
    assert page.get("/api/traces/aba").status_code == 404


def test_spans_that_went_away_meanwhile_are_no_error(page: httpx.Client, folder: Path) -> None:
    assert page.get(f"/api/traces/{TRACE}").status_code == 200
    (folder / "matching.jsonl").unlink()
    assert page.get(f"/api/traces/{TRACE}").status_code == 404
    assert page.get("/api/traces").json()["traces"] == []


def test_a_port_that_is_taken_is_told_and_the_usual_one_gives_way() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(Failure, match="--ui-port"):
        ui.free_port(taken.getsockname()[1])
    with socket.socket() as usual:
        usual.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            usual.bind(("127.0.0.1", server.PORT))
            usual.listen()
        except OSError:
            pass  # somebody else has it, which serves as well
        assert ui.free_port(None) != server.PORT


@contextmanager
def _interruptible() -> Iterator[None]:
    """A child may be interrupted even where these tests themselves run in the background, and so ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.fixture
def counterpoint(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts the command line on what a stack has left, and ends it as Ctrl-C does."""
    write(tmp_path / "spans" / "matching.jsonl", *story())
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "cli.main", "--stack", str(tmp_path / "stack.json"), *arguments]
        with _interruptible():
            started.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True))
        return started[-1]

    yield start
    for process in started:
        process.send_signal(signal.SIGINT)
        try:
            assert process.wait(60) == 0
        finally:
            process.kill()


def test_the_page_is_there_until_it_is_interrupted(counterpoint: Callable[..., subprocess.Popen[str]]) -> None:
    process = counterpoint("ui")
    assert process.stdout is not None
    address = process.stdout.readline().rpartition(" ")[2].strip()
    found = httpx.get(f"{address}/api/traces", trust_env=False, timeout=20).json()
    assert [trace["id"] for trace in found["traces"]] == [TRACE]
    assert httpx.get(f"{address}/api/stack", trust_env=False, timeout=20).json() == {}


def test_the_list_goes_on_until_it_is_interrupted(
    counterpoint: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    process = counterpoint("trace", "--follow", "--json", "--service", "matching")
    assert process.stdout is not None
    assert json.loads(process.stdout.readline())["id"] == TRACE
    write(tmp_path / "spans" / "other.jsonl", span("1", None, "insights", "GET /x", 5, trace="ef" * 16))
    write(tmp_path / "spans" / "matching.jsonl", *story("cd" * 16))
    told = json.loads(process.stdout.readline())
    assert (told["id"], told["spans"]) == ("cd" * 16, 7)
