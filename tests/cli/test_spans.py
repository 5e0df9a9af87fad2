"""Spans are read once, whatever happens to their files meanwhile, and told in the order of cause and time."""

import json
from pathlib import Path
from typing import Any

import pytest

from cli.viewer import spans as reading
from cli.viewer.shape import Scale, rows
from cli.viewer.spans import Spans, read
from cli.viewer.summary import mark, step
from tests.cli.spanfiles import TRACE, span, story, write


def looked_at(folder: Path) -> Spans:
    spans = Spans(folder)
    spans.look()
    return spans


def test_only_what_was_added_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[bytes] = []
    real = reading._parsed
    monkeypatch.setattr(reading, "_parsed", lambda line: [parsed.append(line), *real(line)][1:])
    write(tmp_path / "a.jsonl", *(span(f"{n:04}", None, "matching", "x", n, trace=f"{n:032x}") for n in range(1, 501)))
    spans = looked_at(tmp_path)
    before = spans.cursor
    assert (len(parsed), len(spans.traces)) == (500, 500)
    write(tmp_path / "a.jsonl", span("new", None, "matching", "y", 501))
    spans.look()
    spans.look()
    assert len(parsed) == 501
    assert [summary.name for summary in spans.changed(before)] == ["y"]
    assert spans.changed(spans.cursor) == []
    assert len(spans.changed()) == len(spans.changed("of-another-run")) == 501


def test_a_line_that_is_being_written_is_left_for_later(tmp_path: Path) -> None:
    late = json.dumps(span("2", "1", "matching", "second", 20))
    write(tmp_path / "a.jsonl", span("1", None, "enrollment", "first", 10), rest=late[:60])
    spans = looked_at(tmp_path)
    assert [each.name for each in spans.of(TRACE)] == ["first"] == [each.name for each in read(tmp_path, "ab")]
    write(tmp_path / "a.jsonl", rest=late[60:] + "\n")
    spans.look()
    assert [each.name for each in spans.of(TRACE)] == ["first", "second"]


def test_a_line_that_is_no_span_is_skipped(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", {"trace": TRACE}, span("1", None, "x", "first", 1), rest="\x00\x00[]\n7\n{}\n")
    write(tmp_path / "a.jsonl", span("2", "1", "x", "second", 2))
    assert [each.name for each in looked_at(tmp_path).of(TRACE)] == ["first", "second"]


def test_files_are_rotated_replaced_and_shortened(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    write(file, span("1", None, "matching", "old", 1), span("2", "1", "matching", "older", 2))
    spans = looked_at(tmp_path)
    file.rename(tmp_path / "a.jsonl.1")
    write(file, span("3", "1", "matching", "after", 3))
    spans.look()
    assert [each.name for each in spans.of(TRACE)] == ["old", "older", "after"]
    assert spans.traces[TRACE].spans == 3

    before = spans.cursor
    (tmp_path / "a.jsonl.1").unlink()
    file.unlink()
    write(file, *(span(f"n{n}", None, "insights", f"new {n}", n) for n in range(5)))  # longer than it was
    spans.look()
    assert len(spans.changed(before)) == 1
    assert spans.cursor.partition("-")[0] != before.partition("-")[0]
    assert [each.name for each in spans.of(TRACE)] == [f"new {n}" for n in range(5)]

    file.write_text(json.dumps(span("n0", None, "insights", "new 0", 0)) + "\n")
    spans.look()
    assert [each.name for each in spans.of(TRACE)] == ["new 0"]


def test_what_a_trace_is_in_short(tmp_path: Path) -> None:
    failed = span("08", "07", "scheduling", "send", 1_060, status="error", kind="producer")
    again = span("09", "04", "insights", "process", 1_070, kind="consumer", attributes={"counterpoint.repeat": True})
    write(tmp_path / "b.jsonl", *reversed(story()), failed, again)  # children come before what caused them
    write(tmp_path / "a.jsonl", span("b", None, "insights", "batch", 1, trace="cd" * 16, **BATCH))
    spans = looked_at(tmp_path)
    told = spans.traces[TRACE].told()
    assert {name: told[name] for name in ("name", "service", "start", "took", "spans", "errors", "marked")} == {
        "name": "POST /programs/{program}/pairs",
        "service": "matching",
        "start": 1_000.0,
        "took": 72.0,
        "spans": 9,
        "errors": 1,
        "marked": 1,
    }
    assert set(told["services"]) == {"matching", "insights", "scheduling"}
    assert (told["facts"], told["program"], told["behind_the_scenes"]) == (["PairFormed"], "pr_a", False)
    assert spans.traces["cd" * 16].behind_the_scenes
    assert {link.span for link in spans.linked("cd" * 16)} == {"05", "06"}
    assert spans.named("a") == [TRACE] == spans.named(TRACE) and spans.named("ff") == []


BATCH = {"kind": "consumer", "attributes": {"messaging.batch.message_count": 2}}


def test_each_span_comes_after_its_cause_and_knows_the_record_it_heard(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", *reversed(story()), span("99", "gone", "insights", "lost", 1_005))
    told = rows(looked_at(tmp_path).of(TRACE))
    assert [(row.span.id, row.depth, row.detached) for row in told] == [
        ("01", 0, False),
        ("02", 1, False),
        ("03", 2, False),
        ("04", 2, False),
        ("05", 3, False),
        ("06", 3, False),
        ("07", 4, False),
        ("99", 0, True),
    ]
    assert [row.last for row in told][2:6] == [(True, False), (True, True), (True, True, False), (True, True, True)]
    assert {row.span.id: row.carrier for row in told if row.carrier} == {"05": "04", "06": "04"}
    assert {row.topic for row in told if row.carrier} == {"counterpoint.matching.events"}
    steps = ["request", "commit", "database", "publish", "hear", "hear", "task", "request"]
    assert [step(row.span) for row in told] == steps


@pytest.mark.parametrize(
    ("kind", "attributes", "expected"),
    [
        ("consumer", {"messaging.batch.message_count": 3}, "batch"),
        ("client", {"messaging.batch.message_count": 3}, "batch"),
        ("client", {"db.namespace": "x"}, "database"),
        ("client", {}, "call"),
        ("internal", {"counterpoint.task": "x"}, "task"),
        ("internal", {}, "work"),
    ],
)
def test_a_span_is_known_by_what_it_says(tmp_path: Path, kind: str, attributes: dict[str, Any], expected: str) -> None:
    write(tmp_path / "a.jsonl", span("1", None, "x", "y", 1, kind=kind, attributes=attributes))
    assert step(looked_at(tmp_path).of(TRACE)[0]) == expected


def test_circles_and_endless_chains_are_told_once(tmp_path: Path) -> None:
    deep = [span(str(n), str(n - 1) if n else None, "x", "y", n) for n in range(5_000)]
    circle = [span("a", "b", "x", "y", 1), span("b", "a", "x", "y", 2), span("s", "s", "x", "y", 3)]
    write(tmp_path / "a.jsonl", *deep, *circle)
    told = rows(looked_at(tmp_path).of(TRACE))
    assert len(told) == len({row.span.id for row in told}) == 5_003
    assert max(row.depth for row in told) == 4_999


def test_what_is_not_the_first_of_its_kind_says_why(tmp_path: Path) -> None:
    said = [{"counterpoint.repeat": True}, {"counterpoint.replay": "republished"}, {"counterpoint.replay": True}, {}]
    write(tmp_path / "a.jsonl", *(span(str(n), None, "x", "y", n, attributes=each) for n, each in enumerate(said)))
    assert [mark(each) for each in looked_at(tmp_path).of(TRACE)] == ["repeat", "republished", "replay", None]


def test_long_waiting_is_folded_and_order_is_kept(tmp_path: Path) -> None:
    day = 86_400_000
    write(tmp_path / "a.jsonl", span("1", None, "x", "y", 0, took_ms=30), span("2", "1", "x", "y", day, took_ms=10))
    found = looked_at(tmp_path).of(TRACE)
    scale = Scale.of(found)
    assert len(scale.parts) == 2
    places = [scale.at(each) for each in sorted(t for s in found for t in (s.start, s.end))]
    assert places == sorted(places) and places[0] == 0 and places[-1] == pytest.approx(1)
    assert places[1] > 0.6 and places[2] - places[1] == pytest.approx(0.04)
    write(tmp_path / "b.jsonl", span("3", "1", "x", "y", 30, took_ms=day))
    assert len(Scale.of(looked_at(tmp_path).of(TRACE)).parts) == 1
