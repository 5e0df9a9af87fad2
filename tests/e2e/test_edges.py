"""Every way a fact takes from one service to another is in the traces of the story, and so is what came of it there.

Which ways there are is told by the services' own tables and by the records on Kafka; the traces have to agree.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from cli.catalog import hears
from contracts.all import CATALOG
from local.stackfile import StackFile
from local.story import Ending
from tests.e2e.subscriber import Heard, read_all
from tests.e2e.traced import REQUIRED, Line, Traced, faults, kind_of

pytestmark = pytest.mark.e2e

SERVICES = ("enrollment", "matching", "scheduling", "insights")
TOPICS = [f"counterpoint.{name}.{kind}" for name in SERVICES for kind in ("events", "internal")]
UNTRACED = {"ReportPublished", "ThemePublished"}
"""What is published of answers that were given in confidence: their commits have no trace."""
Edge = tuple[str, ...]


@pytest.fixture(scope="module")
def records(told: StackFile, ending: Ending) -> list[Heard]:
    return read_all(told["kafka"], TOPICS)


def until(told: StackFile, missing: Callable[[Traced], set[Edge]]) -> Traced:
    """The spans once nothing is missing; they arrive a moment after they end. Fails with what is missing."""
    deadline = time.monotonic() + 30
    while missing(found := Traced(Path(told["spans_dir"]))):
        assert time.monotonic() < deadline, f"not in the traces: {sorted(missing(found))}"
        time.sleep(0.3)
    return found


def fact(line: Line) -> str:
    return str(line["attributes"].get("counterpoint.fact"))


def service(line: Line) -> str:
    return str(line["service"]).removeprefix("counterpoint-")


def ways(found: Traced) -> set[Edge]:
    """Who said which fact, and who heard it, by the spans: each below the one that created it, below its commit."""
    edges = set()
    for line in found.of("process"):
        created = found.by_id.get(line["parent"])
        commit = found.by_id.get(created["parent"]) if created else None
        if not created or not commit or (kind_of(created), kind_of(commit)) != ("create", "commit"):
            continue
        if fact(created) == fact(line) and service(commit) == service(created):
            edges.add((service(created), fact(line), service(line)))
    return edges


@pytest.mark.guarantee("running")
def test_every_fact_is_followed_to_every_service_that_hears_it(
    told: StackFile, ending: Ending, records: list[Heard]
) -> None:
    said = {record.type for record in records} - UNTRACED
    tables: dict[str, set[str]] = {name: {each.__name__ for each in hears(name)} for name in SERVICES}
    wanted = {
        (CATALOG.facts[name].category.service, name, hearer)
        for name in said
        for hearer in SERVICES
        if name in tables[hearer]
    }
    found = until(told, lambda spans: wanted - ways(spans))
    between = {edge for edge in wanted if edge[0] != edge[2]}
    assert ways(found) >= wanted
    assert len(between) >= 45
    assert {(a, b) for a, _, b in between} >= PAIRS


PAIRS = {
    ("enrollment", "matching"), ("enrollment", "scheduling"), ("enrollment", "insights"), ("matching", "scheduling"),
    ("matching", "insights"), ("scheduling", "insights"), ("scheduling", "matching"),
}  # fmt: skip
"""Which service hears which in the story, at least."""


@pytest.mark.guarantee("running")
def test_every_fact_that_came_of_another_hangs_on_it(told: StackFile, ending: Ending, records: list[Heard]) -> None:
    by_id = {record.headers["ce_id"]: record for record in records}
    wanted: Counter[Edge] = Counter()
    for record in by_id.values():
        cause = by_id.get(record.headers.get("ce_causation", b""))
        if cause is not None and not {record.type, cause.type} & UNTRACED:
            where = CATALOG.facts[record.type].category.service
            wanted[cause.type, where, record.type] += 1
    assert len(wanted) >= 10

    def chains(found: Traced) -> Counter[Edge]:
        seen: Counter[Edge] = Counter()
        for line in found.of("create"):
            if line["attributes"].get("counterpoint.repeat"):
                continue
            above = list(found.above(line))
            kinds = [kind_of(each) for each in above[:3]]
            if kinds == ["commit", "task", "process"] and service(above[2]) == service(line):
                seen[fact(above[2]), service(line), fact(line)] += 1
        return seen

    found = until(told, lambda spans: {edge for edge, n in wanted.items() if chains(spans)[edge] < n})
    assert chains(found) == wanted


def test_every_span_is_as_the_conventions_say(told: StackFile, ending: Ending) -> None:
    found = Traced(Path(told["spans_dir"]))
    wrong = Counter(f"{line['name']}: {fault}" for line in found.lines for fault in faults(line))
    assert not wrong
    assert {kind_of(line) for line in found.lines} == REQUIRED.keys()


def test_no_trace_is_cut(told: StackFile, ending: Ending) -> None:
    """Whatever hangs on a span finds it; only requests, batches and what waited for its time hang on none."""
    found = Traced(Path(told["spans_dir"]))
    begin = Counter(kind_of(line) for line in found.lines if line["parent"] is None)
    assert begin.keys() <= {"server", "send", "batch", "task"}
    late = [line for line in found.of("task") if line["parent"] is None]
    assert all(line["attributes"].get("counterpoint.late") and line["links"] for line in late)
