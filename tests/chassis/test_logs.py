"""A line of the log says what the code says and tells what is on the list: nothing that anybody wrote gets into it."""

import ast
import json
import logging
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pymongo.errors import BulkWriteError, ServerSelectionTimeoutError

from chassis.distributing.topics import WrongTopic
from chassis.running import allowed
from chassis.running.logs import Lines, Words, about
from tests.integration.spans import SAMPLED, TRACE, recorded

ROOT = Path(__file__).parents[2]
NAME = "Wilhelmina Harker"
CALLS = {"debug", "info", "warning", "error", "exception", "critical", "log"}


def line(logger: str = "counterpoint.test", **given: Any) -> dict[str, Any]:
    record = logging.makeLogRecord({"name": logger, "levelno": 30, "levelname": "WARNING", **given})
    text = Lines("tally", "worker").format(record)
    assert "\n" not in text and NAME not in text and "Harker" not in Words().format(record)
    found: dict[str, Any] = json.loads(text)
    return found


def raised() -> BaseException:
    def fold(name: str) -> None:
        try:
            int(name)
        except ValueError as wrong:
            raise KeyError(name) from wrong

    try:
        fold(NAME)
    except KeyError as error:
        return error
    raise AssertionError


def test_a_line_tells_who_says_it_and_what_is_on_the_list() -> None:
    found = line(msg="a task goes back", **{"counterpoint.task": "echo", "counterpoint.count": 3, "name_of": NAME})
    assert found.pop("time").endswith("+00:00")
    assert found == {
        "level": "WARNING", "logger": "counterpoint.test", "message": "a task goes back", "role": "worker",
        "service": "counterpoint-tally", "attributes": {"counterpoint.count": 3, "counterpoint.task": "echo"},
    }  # fmt: skip


def test_a_line_has_the_ids_of_the_trace_it_belongs_to(monkeypatch: pytest.MonkeyPatch) -> None:
    from chassis.running import spans

    with recorded(monkeypatch):
        span = spans.begin("commit", spans.SpanKind.INTERNAL, {}, below=SAMPLED)
        with spans.entered(span):
            found = line(msg="a request failed")
    assert found["trace_id"] == TRACE
    assert found["span_id"] == format(span.get_span_context().span_id, "016x")


@pytest.mark.guarantee("people")
def test_of_an_exception_kinds_and_places_are_told() -> None:
    error = raised()
    found = line(msg="a request failed", exc_info=(type(error), error, error.__traceback__))["attributes"]
    assert found["exception.type"] == "builtins.KeyError"
    shown = found["exception.stacktrace"].splitlines()
    assert [s for s in shown if not s.startswith(" ")] == ["KeyError", "ValueError"]
    assert all("tests/chassis/test_logs.py:" in s for s in shown if s.startswith(" "))
    assert shown[-1].endswith(" fold")


@pytest.mark.guarantee("people")
@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"msg": "%s failed %d times in %.1f s", "args": (NAME, 3, 2.5)}, "* failed 3 times in 2.5 s"),
        ({"msg": "%d failed", "args": (NAME,)}, "%d failed"),
        ({"msg": "%(who)s failed", "args": {"who": NAME}}, "* failed"),
        ({"msg": "not sent: %r", "args": (KeyError(NAME),)}, "not sent: 'KeyError'"),
        ({"msg": f"Task exception was never retrieved\nfuture: <{NAME}>"}, "Task exception was never retrieved"),
        ({"msg": {"command": NAME}}, "dict"),
    ],
)
def test_what_a_library_says_is_told_without_the_texts_it_was_handed(given: dict[str, Any], said: str) -> None:
    assert line("aiokafka.client", **given)["message"] == said


@pytest.mark.guarantee("people")
def test_words_of_an_error_are_told_where_they_are_ours_alone() -> None:
    written = BulkWriteError({"writeErrors": [{"errmsg": NAME}], "code": 11000, "codeName": "DuplicateKey"})
    assert about(written) == {"error.type": "BulkWriteError", "counterpoint.reason": "BulkWriteError: 65 DuplicateKey"}
    assert about(ValueError(NAME), part="relay") == {"error.type": "ValueError", "counterpoint.part": "relay"}
    assert about(WrongTopic("t does not exist"))["counterpoint.reason"] == "t does not exist"
    assert "db:27017" in str(about(ServerSelectionTimeoutError("db:27017: refused"))["counterpoint.reason"])
    assert about(ConnectionRefusedError(111, NAME))["counterpoint.reason"] == "Connection refused"


@pytest.mark.guarantee("people")
@pytest.mark.parametrize("path", sorted([*ROOT.glob("chassis/*/*.py"), *ROOT.glob("services/**/*.py")]), ids=str)
def test_every_line_of_ours_says_a_constant(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in CALLS):
            continue
        if isinstance(node.func.value, ast.Name) and node.func.value.id == "_log":
            texts = node.args[1:] if node.func.attr == "log" else node.args
            assert len(texts) == 1 and isinstance(texts[0], ast.Constant), f"{path}:{node.lineno}"
            assert {k.arg for k in node.keywords} <= {"extra", "exc_info"}, f"{path}:{node.lineno}"


@pytest.mark.guarantee("people")
def test_what_nobody_caught_is_a_line_as_well() -> None:
    code = (
        "import warnings, threading\n"
        "from chassis.running import logs\n"
        "logs.setup('tally', 'all', 'json')\n"
        f"t = threading.Thread(target=lambda: [].remove('{NAME}')); t.start(); t.join()\n"
        f"warnings.warn('{NAME}')\n"
        f"raise KeyError('{NAME}')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and NAME not in done.stderr
    lines = [json.loads(each) for each in done.stderr.splitlines()]
    assert [each["attributes"]["exception.type"] for each in lines] == ["builtins.ValueError", "builtins.KeyError"]


def test_no_attribute_of_ours_can_hold_a_text_that_somebody_wrote() -> None:
    assert allowed.LOGS.isdisjoint({"message", "exception.message", "error.message", "url.path", "url.query"})
