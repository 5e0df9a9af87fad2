"""The story's traces go through both tiers of real collectors, four programs of it at once: what must be kept is kept
whole, the others to their share, every span is counted, and what nobody allowed is taken out."""

from __future__ import annotations

import hashlib
import json
import math
import re
import secrets
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from local.stackfile import StackFile
from local.story import Ending
from tests.deploy import collector
from tests.deploy.collector import Span, Tiers

pytestmark = pytest.mark.e2e

PROGRAM = "counterpoint.program"
COPIES, PERCENT = 4, 20
KINDS = {"internal": 1, "server": 2, "client": 3, "producer": 4, "consumer": 5}
PLANTED = {"person.name": "Ines Carvalho", "http.route": "/people/ines.carvalho@company.example"}
WORDS = "cannot mail ines.carvalho@company.example"


@dataclass(frozen=True)
class Ran:
    """What was sent, by trace, and what came of it."""

    sent: Mapping[str, list[Span]]
    tiers: Tiers
    listed: str
    hashed: str
    examples: list[str]

    def kept(self) -> dict[str, list[Span]]:
        """The spans that were kept, by trace."""
        return by_trace(span for each in self.tiers.spans_kept() for span in each)

    def wanted(self) -> set[str]:
        """The traces that a policy names, whatever share of the others is kept."""
        return {trace for trace, spans in self.sent.items() if any(self._names(span) for span in spans)}

    def _names(self, span: Span) -> bool:
        slow = int(span["endTimeUnixNano"]) - int(span["startTimeUnixNano"]) > 1_000_000_000
        failed = span["status"].get("code") == 2
        return slow or failed or span["attributes"].get(PROGRAM) in (self.listed, self.hashed)


@pytest.fixture(scope="module")
def ran(told: StackFile, ending: Ending, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ran]:
    """The story of four programs as its processes said it, sent to the balancer, and decided."""
    collector.program()
    lines = story(Path(told["spans_dir"]))
    programs = [f"pr_{secrets.token_hex(8)}" for _ in range(COPIES)]
    listed, hashed = programs[:2]
    sent = by_trace(span for program in programs for span in copied(lines, program))
    plant_an_error(sent, programs[-1])
    start = hashlib.sha256(hashed.encode()).hexdigest()[:12]
    told_so = {"PROGRAMS": f"nobody|{listed}", "PROGRAMS_BY_HASH": f"^{start}", "PERCENT": str(PERCENT)}
    with collector.tiers(tmp_path_factory.mktemp("collectors"), told_so) as tiers:
        # In the order of time, so that the spans of a trace come in several requests, mixed with those of others.
        ordered = sorted((s for spans in sent.values() for s in spans), key=lambda span: int(span["endTimeUnixNano"]))
        collector.send(tiers.endpoint, ordered)
        examples = until_examples(tiers)
        until_still(tiers)
        yield Ran(sent, tiers, listed, hashed, examples)


def story(folder: Path) -> list[Span]:
    """The lines of the local spans files, once nothing comes any more."""
    lines: list[Span] = []
    while len(found := [json.loads(x) for p in folder.glob("*.jsonl") for x in p.read_text().splitlines()]) > len(
        lines
    ):
        lines = found
        time.sleep(1)
    return lines


def copied(lines: list[Span], program: str) -> Iterator[Span]:
    """The story's spans as those of another program, in OTLP."""
    for line in lines:
        attributes = dict(line["attributes"])
        if PROGRAM in attributes:
            attributes[PROGRAM] = program
        span = {
            "traceId": hashlib.sha256(f"{program} {line['trace']}".encode()).hexdigest()[:32],
            "spanId": line["span"],
            "name": line["name"],
            "kind": KINDS[line["kind"]],
            "startTimeUnixNano": str(line["start_ns"]),
            "endTimeUnixNano": str(line["end_ns"]),
            "attributes": attributes,
            "status": {"code": 2} if line["status"] == "error" else {},
            "resource": {"service.name": line["service"], "counterpoint.role": line["role"]},
        }
        yield span | ({"parentSpanId": line["parent"]} if line["parent"] else {})


def plant_an_error(sent: Mapping[str, list[Span]], program: str) -> None:
    """A step in the middle of the longest trace of a program fails, and says what it must not."""
    longest = max((s for s in sent.values() if any(x["attributes"].get(PROGRAM) == program for x in s)), key=len)
    middle = longest[len(longest) // 2]
    middle["status"] = {"code": 2, "message": WORDS}
    middle["attributes"] |= PLANTED
    middle["events"] = [
        {"name": "exception", "attributes": [{"key": "exception.message", "value": {"stringValue": WORDS}}]}
    ]


def by_trace(spans: Iterator[Span]) -> dict[str, list[Span]]:
    found = defaultdict(list)
    for span in spans:
        found[span["traceId"]].append(span)
    return dict(found)


def counted(tiers: Tiers) -> list[str]:
    """How many spans there were, a line for each kind of them."""
    text = httpx.get(tiers.metrics, headers={"accept": "application/openmetrics-text"}, trust_env=False).text
    return [line for line in text.splitlines() if line.startswith("spans_calls_total{")]


def until_examples(tiers: Tiers, seconds: float = 60) -> list[str]:
    """The traces that the counts name as examples; a collector names each for one interval only."""
    deadline = time.monotonic() + seconds
    while not (found := re.findall(r'# \{.*?trace_id="(\w+)"', "\n".join(counted(tiers)))):
        assert time.monotonic() < deadline, "no count names a trace"
        time.sleep(0.2)
    return found


def until_still(tiers: Tiers, seconds: float = 60) -> None:
    """Wait until every trace is decided: nothing more was written for three seconds, longer than a decision takes."""
    deadline, size, since = time.monotonic() + seconds, -1, time.monotonic()
    while time.monotonic() - since < 3 or not sum(size_of(tiers)):
        assert time.monotonic() < deadline, "the samplers never came to an end"
        if (now := sum(size_of(tiers))) != size:
            size, since = now, time.monotonic()
        time.sleep(0.2)


def size_of(tiers: Tiers) -> list[int]:
    return [path.stat().st_size if path.exists() else 0 for path in tiers.kept]


def ids(spans: list[Span]) -> set[str]:
    return {span["spanId"] for span in spans}


def test_whatever_errs_and_every_trace_of_a_kept_program_is_kept_whole(ran: Ran) -> None:
    kept = ran.kept()
    programs = {s["attributes"].get(PROGRAM): t for t in ran.wanted() for s in ran.sent[t]}
    assert {ran.listed, ran.hashed} <= programs.keys()
    broken = [trace for trace in ran.wanted() if ids(kept.get(trace, [])) != ids(ran.sent[trace])]
    assert not broken, f"{len(broken)} of {len(ran.wanted())} are not whole"


def test_the_others_are_kept_to_their_share_and_whole_as_well(ran: Ran) -> None:
    kept, others = ran.kept(), ran.sent.keys() - ran.wanted()
    chosen = others & kept.keys()
    assert all(ids(kept[trace]) == ids(ran.sent[trace]) for trace in chosen)
    share, spread = PERCENT / 100, math.sqrt(PERCENT / 100 * (1 - PERCENT / 100) / len(others))
    assert len(others) > 500
    assert abs(len(chosen) / len(others) - share) < 5 * spread, f"{len(chosen)} of {len(others)}"


def test_every_trace_is_decided_in_one_place_and_both_places_decide(ran: Ran) -> None:
    first, second = ({span["traceId"] for span in spans} for spans in ran.tiers.spans_kept())
    assert first and second and not first & second


def test_every_span_is_counted_whether_it_is_kept_or_not(ran: Ran) -> None:
    lines = counted(ran.tiers)
    count = sum(float(line.partition("} ")[2].split()[0]) for line in lines)
    assert count == sum(len(spans) for spans in ran.sent.values())
    assert set(ran.examples) <= ran.sent.keys()
    assert any('service_name="counterpoint-matching"' in line for line in lines)
    assert not any("arvalho" in line for line in lines)


def test_nothing_goes_on_that_is_not_on_the_list(ran: Ran) -> None:
    for path in (ran.tiers.heard, *ran.tiers.kept):
        text = path.read_text()
        assert text and not re.search(r"carvalho|exception\.message|person\.name", text, re.IGNORECASE), path
