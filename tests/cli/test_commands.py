"""What commands do without any stack: decode records, sum lag, and end with the documented codes."""

import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from cli.events import decode
from cli.failure import FAILED, NOT_RUNNING, USAGE, Failure
from cli.health import lag_rows
from cli.parked import rows as parked_rows
from cli.stack import duration
from contracts.envelope import Envelope, to_headers


def counterpoint(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "cli.main", *arguments], capture_output=True, text=True, check=False)


def record(topic: str, value: bytes | None, headers: list[tuple[str, bytes]], key: bytes = b"k") -> SimpleNamespace:
    return SimpleNamespace(
        topic=topic, partition=0, offset=7, timestamp=1_700_000_000_000, key=key, value=value, headers=headers
    )


@pytest.mark.parametrize(
    "command",
    [
        "lag",
        "parked",
        "parked --dropped",
        "parked show a/b/c",
        "parked retry --all",
        "parked drop --task x --reason y",
        "trace abc",
        "token --as mentor",
        "clock now",
        "import pom.xml",
        "round feasibility",
        "round open",
        "round watch ro_x",
        "round show ro_x",
        "round explain ro_x pe_x",
        "round compare ro_x ro_y",
        "round swap ro_x pp_x pp_y",
        "round pick ro_x pe_x pe_y",
        "round places ro_x",
        "ask for pe_x pe_y",
        "ask list",
        "ask withdraw pp_x",
    ],
)
def test_without_a_stack_every_command_says_so_and_ends_with_3(tmp_path: Path, command: str) -> None:
    file = str(Path(__file__))
    arguments = command.replace("pom.xml", file).split()
    ended = counterpoint("--stack", str(tmp_path / "stack.json"), *arguments)
    assert (ended.returncode, ended.stdout) == (NOT_RUNNING, "")
    assert "counterpoint up" in ended.stderr


def test_a_stack_file_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "stack.json").write_text("{")
    assert counterpoint("--stack", str(tmp_path / "stack.json"), "lag").returncode == FAILED


def test_wrong_usage_ends_with_2(tmp_path: Path) -> None:
    assert counterpoint("token").returncode == USAGE
    assert counterpoint("import", str(tmp_path / "missing.csv")).returncode == USAGE


@pytest.mark.parametrize(
    "arguments",
    [
        "retry",
        "retry a/b/c --all",
        "retry a/b/c --task x",
        "drop a/b/c --reason y",
        "drop --version 3 --reason y",
        "drop --task x --version 3 --reason y",
        "drop --task x --record t/0@1 --reason y",
        "drop --task x",
    ],
)
def test_what_to_retry_or_drop_must_be_named_exactly(arguments: str) -> None:
    assert counterpoint("parked", *arguments.split()).returncode == USAGE


def test_what_is_parked_is_listed_with_its_reason() -> None:
    stream = {"stream": "a/b/c", "seen": 1, "reason": "failed", "version": 2, "detail": "E: x", "since": "s"}
    task = {"task": "t:a/b/c@1", "key": "k", "attempts": 12, "error": "Refused: no", "since": "s"}
    record = {"record": "topic/0@7", "reason": "no id", "since": "s"}
    found = {"matching": {"streams": [{**stream, "waiting": 3}], "records": [record], "tasks": [task]}}
    assert parked_rows(found) == [
        ("matching", "stream", "a/b/c", "failed: version 2: E: x", "s", 3),
        ("matching", "record", "topic/0@7", "no id", "s", None),
        ("matching", "task", "t:a/b/c@1", "Refused: no", "s", None),
    ]


def test_down_where_nothing_runs_is_no_error(tmp_path: Path) -> None:
    ended = counterpoint("--stack", str(tmp_path / "stack.json"), "down", "--json")
    assert (ended.returncode, ended.stdout.split()) == (0, ["{", '"ended":', "[]", "}"])


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("90m", timedelta(minutes=90)),
        ("36h", timedelta(hours=36)),
        ("7d", timedelta(days=7)),
        ("4w", timedelta(weeks=4)),
    ],
)
def test_a_length_of_time(text: str, length: timedelta) -> None:
    assert duration(text) == length


@pytest.mark.parametrize("text", ["", "7", "d", "-1d", "7 d", "1y", "1d1h"])
def test_no_length_of_time(text: str) -> None:
    with pytest.raises(Failure) as raised:
        duration(text)
    assert raised.value.code == USAGE


def test_a_fact_is_decoded_with_its_envelope() -> None:
    from datetime import UTC, datetime

    envelope = Envelope(
        service="matching",
        type="PairFormed",
        v=1,
        stream="pr_a/pair/pa_b",
        version=3,
        at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        digest="d",
        commit="c",
        first=3,
        last=3,
        command="x",
        correlation="y",
    )
    found = decode(record("counterpoint.matching.events", b'{"pair": "pa_b"}', to_headers(envelope)))
    assert (found["type"], found["stream"], found["version"]) == ("PairFormed", "pr_a/pair/pa_b", 3)
    assert (found["time"], found["data"]) == ("2026-01-02T03:04:05.000+00:00", {"pair": "pa_b"})


@pytest.mark.parametrize(("value", "headers"), [(b"{}", []), (b"{", [("ce_specversion", b"1.0")])])
def test_a_foreign_record_is_shown_as_one(value: bytes, headers: list[tuple[str, bytes]]) -> None:
    found = decode(record("counterpoint.matching.events", value, headers))
    assert found["type"] == "foreign" and found["trouble"] and found["offset"] == 7


def test_a_state_record_and_a_tombstone_are_named_by_their_key() -> None:
    people = "counterpoint.enrollment.people"
    assert decode(record(people, b'{"rev": 2}', [], b"pe_x")) | {"topic": "", "time": ""} == {
        "topic": "",
        "partition": 0,
        "offset": 7,
        "time": "",
        "type": "people",
        "stream": "pe_x",
        "version": None,
        "data": {"rev": 2},
    }
    assert decode(record(people, None, [], b"pe_x"))["type"] == "tombstone"


def test_lag_is_summed_over_partitions_and_as_slow_as_the_slowest() -> None:
    def item(partition: int, behind: int, seconds: float) -> dict[str, object]:
        return {"inbox": "matching", "topic": "t", "partition": partition, "behind": behind, "seconds": seconds}

    assert lag_rows({"matching": {"items": [item(0, 2, 1.5), item(1, 3, 0.25)]}}) == [("matching", "t", 5, "1.5")]
