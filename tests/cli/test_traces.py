"""`counterpoint trace` lists what travelled and draws one of it, on any terminal and on none."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cli import main
from cli.failure import FAILED, NOT_RUNNING
from cli.viewer.spans import read
from cli.waterfall import waterfall
from tests.cli.spanfiles import TRACE, span, story, write

Run = Callable[..., str]
OTHER = "cd" * 16


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The spans that a stack has left."""
    write(tmp_path / "spans" / "matching.jsonl", *story())
    broken = {"status": "error", "attributes": {"counterpoint.program": "pr_z"}}
    write(
        tmp_path / "spans" / "enrollment.jsonl", span("1", None, "enrollment", "POST /roles", 9, trace=OTHER, **broken)
    )
    receive = {"kind": "consumer", "attributes": {"messaging.batch.message_count": 2}}
    write(tmp_path / "spans" / "insights.jsonl", span("1", None, "insights", "a batch", 8, trace="ef" * 16, **receive))
    return tmp_path / "spans"


@pytest.fixture
def run(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs `counterpoint trace` on them; answers what it printed, or the error it ended with."""

    def trace(*arguments: str, code: int = 0, stack: Path = folder.parent) -> str:
        monkeypatch.setattr(sys, "argv", ["counterpoint", "--stack", f"{stack}/stack.json", "trace", *arguments])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main.run()
        printed = capsys.readouterr()
        assert (ended.value.code or 0) == code, printed.out + printed.err
        return printed.out if code == 0 else printed.err

    return trace


def test_the_list_says_where_each_command_went(run: Run) -> None:
    head, *lines = run().splitlines()
    assert head.split()[:3] == ["trace", "at", "(UTC)"]
    assert [line.split()[0] for line in lines] == ["cdcdcdcd", "abababab"]
    assert "E···" in lines[0] and "1 failed" in lines[0]
    assert all(text in lines[1] for text in ("·MSI", "POST /pairs", "PairFormed", "52 ms"))


@pytest.mark.parametrize(
    ("options", "found"),
    [
        (("--errors",), [OTHER]),
        (("--program", "pr_a"), [TRACE]),
        (("--service", "scheduling"), [TRACE]),
        (("--service", "enrollment", "--program", "pr_a"), []),
        (("--all",), [TRACE, OTHER, "ef" * 16]),
        (("--last", "1"), [TRACE]),
        ((), [TRACE, OTHER]),
    ],
)
def test_it_is_narrowed(run: Run, options: tuple[str, ...], found: list[str]) -> None:
    assert [each["id"] for each in json.loads(run(*options, "--json"))] == found
    assert found or run(*options) == "None of the 3 traces fits.\n"


def test_one_trace_is_a_waterfall(run: Run) -> None:
    head, _, *lines = run("AB").splitlines()
    said = f"trace {TRACE}  7 spans, 3 services, 52 ms, 00:00:01 UTC, 1 call of the database not shown (--all)"
    assert head == said
    assert [line.split()[0] for line in lines] == [*["matching"] * 3, "insights", "scheduling", "scheduling"]
    texts = (
        "POST /pairs",
        "└ commit",
        "publish PairFormed",
        "├ hear PairFormed",
        "└ hear PairFormed",
        "└ task open",
    )
    assert all(text in line for text, line in zip(texts, lines, strict=True))
    assert [lines[0][-22:].split("ms")[0].strip() + " ms", lines[0][-10:].strip()] == ["+0.0 ms", "20.0 ms"]
    bars = [line.find("█") if "█" in line else next(n for n, c in enumerate(line) if c in "▏▎▍▌▋▊▉") for line in lines]
    assert bars == sorted(bars)
    assert "\x1b" not in "".join(lines)
    assert "insert journal" in run("AB", "--all") and "not shown" not in run("AB", "--all")


def test_spans_are_printed_as_they_are(run: Run) -> None:
    found = json.loads(run(TRACE, "--json"))
    assert [each["id"] for each in found] == ["01", "02", "03", "04", "05", "06", "07"]
    assert found[4]["links"] == [{"trace": OTHER, "span": "ba"}]
    assert found[4]["service"] == "insights"


def test_what_cannot_be_shown_is_told(run: Run, folder: Path, tmp_path: Path) -> None:
    assert "No span of trace" in run("99", code=FAILED)
    write(folder / "matching.jsonl", span("1", None, "matching", "x", 1, trace="ab" + "0" * 30))
    assert "2 traces begin with 'ab'" in run("ab", code=FAILED)
    assert "No stack is running" in run(stack=tmp_path / "elsewhere", code=NOT_RUNNING)
    for file in folder.glob("*.jsonl"):
        file.unlink()
    assert "counterpoint demo --keep" in run()


@pytest.mark.parametrize("width", [40, 64, 80, 120, 300])
@pytest.mark.parametrize("plain", [False, True])
def test_no_line_is_wider_than_the_terminal(folder: Path, width: int, plain: bool) -> None:
    deep = [span(f"d{n}", f"d{n - 1}" if n else "07", "scheduling", "x" * 90, 1_060 + n * 9_000) for n in range(30)]
    write(
        folder / "more.jsonl", *deep, span("r", "gone", "insights", "r", 1_001, attributes={"counterpoint.repeat": 1})
    )
    lines = [line.plain for line in waterfall(read(folder, TRACE), width, plain=plain)]
    assert len(lines) == 1 + 7 + 31
    assert max(map(len, lines)) <= width
    assert not plain or "".join(lines).isascii()
    assert width < 120 or "[repeat]" in "".join(lines)


def test_a_failure_a_repeat_and_a_lost_cause_are_named(folder: Path) -> None:
    again = {"attributes": {"counterpoint.repeat": True}, "kind": "consumer"}
    write(folder / "more.jsonl", span("8", "04", "insights", "process X", 1_003, status="error", **again))
    write(folder / "more.jsonl", span("9", "gone", "insights", "process Y", 1_004, kind="consumer"))
    text = "\n".join(line.plain for line in waterfall(read(folder, TRACE), 140))
    assert "process X [failed] [repeat]" in text and "process Y [cause not recorded]" in text
