"""A trace is drawn as a tree from the spans of several services, whatever order their files are in."""

import json
from pathlib import Path

from rich.console import Console

from cli import traces

TRACE = "ab" * 16


def span(id: str, parent: str | None, service: str, name: str, start_ms: int) -> dict[str, object]:
    return {
        "trace": TRACE,
        "span": id,
        "parent": parent,
        "service": f"counterpoint-{service}",
        "name": name,
        "kind": "server",
        "start_ns": start_ms * 1_000_000,
        "end_ns": (start_ms + 2) * 1_000_000,
        "status": "unset",
        "attributes": {},
    }


def write(file: Path, *spans: dict[str, object], rest: str = "") -> None:
    file.write_text("".join(json.dumps(each) + "\n" for each in spans) + rest)


def test_spans_of_several_files_become_one_tree(tmp_path: Path) -> None:
    write(
        tmp_path / "a.jsonl",
        span("3", "2", "insights", "third", 30),
        {**span("9", None, "x", "y", 0), "trace": "0" * 32},
    )
    write(tmp_path / "b.jsonl", span("2", "1", "matching", "second", 20), span("1", "gone", "enrollment", "first", 10))
    found = traces.read(tmp_path, "abab")
    assert [each.name for each in found] == ["first", "second", "third"]
    assert traces.services(found) == {"enrollment", "matching", "insights"}
    console = Console(width=100, record=True, file=(tmp_path / "screen").open("w"))
    console.print(traces.draw(found))
    lines = console.export_text().splitlines()
    assert [line.index(word) for line, word in zip(lines[1:], ("enrollment", "matching", "insights"), strict=True)] == [
        4,
        8,
        12,
    ]
    assert "+20 ms, 2.0 ms" in lines[3]


def test_a_line_that_is_being_written_is_left_for_later(tmp_path: Path) -> None:
    whole = span("1", None, "enrollment", "first", 10)
    write(tmp_path / "a.jsonl", whole, rest=json.dumps(span("2", "1", "matching", "second", 20))[:60])
    assert [each.name for each in traces.read(tmp_path, TRACE)] == ["first"]
