"""The stack starts, kills and restarts service processes; a stand-in that tells its environment plays the service."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

import local.stack
from local import clock, stackfile
from local.errors import Failed
from local.mongod import DECIDER, RELAY
from local.processes import started_at
from local.stack import Stack

pytestmark = pytest.mark.integration

STAND_IN = """
import http.server, json, os, sys
if sys.argv[1:] == ["--prepare"]:
    sys.exit()
if os.environ.get("BROKEN"):
    sys.exit("the reason it cannot start")
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(dict(os.environ)).encode())
address = os.environ["COUNTERPOINT_HTTP_HOST"], int(os.environ["COUNTERPOINT_HTTP_PORT"])
http.server.HTTPServer(address, Answer).serve_forever()
"""


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("stack"), founders=["ada", "omar"]) as stack:
        stack.start_servers()
        yield stack


@pytest.fixture
def stack(servers: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    (tmp_path / "services").mkdir()
    (tmp_path / "services" / "__init__.py").touch()
    for service in ("enrollment", "matching"):
        (tmp_path / "services" / f"{service}.py").write_text(STAND_IN)
    monkeypatch.setattr(local.stack, "CHECKOUT", tmp_path)
    yield servers
    for name in stackfile.read(servers.data)["pids"].keys() - {"mongod", "kafka"}:
        servers.kill_service(name)


def told(stack: Stack, name: str) -> dict[str, str]:
    return {
        key.removeprefix("COUNTERPOINT_"): value
        for key, value in json.loads(httpx.get(stack.urls[name]).text).items()
        if key.startswith("COUNTERPOINT_")
    }


def test_a_killed_service_comes_back_at_its_url(stack: Stack) -> None:
    stack.start_services(["enrollment", "matching"])
    stack.wait_ready(20)
    before = stackfile.read(stack.data)
    stack.kill_service("matching")
    assert started_at(before["pids"]["matching"]) is None
    assert stackfile.read(stack.data)["pids"].keys() == {"mongod", "kafka", "enrollment", "matching.solver"}
    stack.start_service("matching")
    stack.wait_ready(20)
    after = stackfile.read(stack.data)
    assert after["services"] == before["services"]
    assert after["pids"]["matching"] != before["pids"]["matching"]
    assert after["pids"]["enrollment"] == before["pids"]["enrollment"]
    with pytest.raises(ValueError, match="runs already"):
        stack.start_service("matching")


def test_a_service_gets_its_settings_and_nobody_elses(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COUNTERPOINT_STRAY", "from the shell")
    stack.start_services(["enrollment", "matching"])
    stack.start_service("matching", role="relay")
    stack.wait_ready(20)
    enrollment, matching = told(stack, "enrollment"), told(stack, "matching")
    assert enrollment["FOUNDERS"] == "ada,omar"
    assert "FOUNDERS" not in matching
    assert enrollment["OPERATORS"] == matching["OPERATORS"] == "operator"
    assert "STRAY" not in matching
    roles = [told(stack, name)["ROLE"] for name in ("enrollment", "matching", "matching.solver", "matching.relay")]
    assert roles == ["all", "main", "solver", "relay"]
    assert "RELAY_MONGO_URI" not in told(stack, "matching.solver")
    assert matching["SUBJECT_KEY_FILE"] == enrollment["SUBJECT_KEY_FILE"]
    assert Path(matching["CONTENT_KEY_FILE"]).read_text() != Path(enrollment["CONTENT_KEY_FILE"]).read_text()
    assert Path(matching["CONTENT_KEY_FILE"]).stat().st_mode & 0o077 == 0
    assert matching["MONGO_URI"] == stack.mongo_uris["matching"][DECIDER] != enrollment["MONGO_URI"]
    assert matching["RELAY_MONGO_URI"] == stack.mongo_uris["matching"][RELAY]
    assert "MONGO_URI" not in told(stack, "matching.relay")
    clock.advance(Path(matching["CLOCK_FILE"]), timedelta(days=1))
    assert clock.offset(Path(enrollment["CLOCK_FILE"])) == timedelta(days=1)


def test_a_service_that_cannot_start_is_told_with_its_reason(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BROKEN", "1")
    stack.start_service("enrollment")
    with pytest.raises(Failed, match=r"(?s)enrollment ended with code 1.*the reason it cannot start"):
        stack.wait_ready(20)
