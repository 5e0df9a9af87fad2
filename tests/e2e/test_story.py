"""The whole program lives through its story; what it leaves on Kafka is complete, in order, and names nobody."""

import json
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from cli import traces
from local.stackfile import StackFile
from local.story import Ending, months, pairing
from tests.e2e.subscriber import Heard, read_all

pytestmark = pytest.mark.e2e

PUBLIC = [f"counterpoint.{name}.events" for name in ("enrollment", "matching", "scheduling", "insights")]
INTERNAL = [name.replace(".events", ".internal") for name in PUBLIC]


@pytest.fixture(scope="module")
def public(told: StackFile, ending: Ending) -> list[Heard]:
    return [
        heard for heard in read_all(told["kafka"], PUBLIC) if heard.headers["ce_program"] == ending.program.encode()
    ]


def test_the_figures_show_all_three_kinds_of_cell(ending: Ending) -> None:
    cells = [cell for table in ending.report["tables"] for row in table["rows"] for cell in row["cells"]]
    states = Counter(cell["state"] for cell in cells)
    assert states["figure"] > 0 and states["no_data"] > 0 and states["hidden"] > 0
    hidden = {cell["shown"] for cell in cells if cell["state"] == "hidden"}
    assert hidden == {"hidden: fewer than 5", "hidden: fewer than 10"}  # numbers, and themes
    assert {cell["shown"] for cell in cells if cell["state"] == "no_data"} == {"no data yet"}


@pytest.mark.guarantee("running")
def test_a_foreign_subscriber_sees_what_happened(public: list[Heard], ending: Ending) -> None:
    once = {heard.headers["ce_id"]: heard for heard in public}
    seen = Counter(heard.type for heard in once.values())
    assert seen["PairFormed"] == pairing.PAIRS == len(ending.journeys)
    assert seen["SessionHeld"] == sum(journey["held"] for journey in ending.journeys) > 0
    assert seen["ActionCommitted"] == months.COMMITTED
    assert seen["ActionConfirmed"] == months.CONFIRMED
    assert seen["SessionMoved"] == 1
    assert seen["JourneyCompleted"] == sum(journey["state"] == "completed" for journey in ending.journeys) > 0


@pytest.mark.guarantee("G2")
def test_every_stream_is_whole_and_in_order(public: list[Heard]) -> None:
    versions: dict[bytes, list[int]] = defaultdict(list)
    for heard in public:
        assert heard.key == heard.headers["ce_subject"]
        json.loads(heard.value)
        version = int(heard.headers["ce_sequence"])
        if version not in versions[heard.key]:  # a record may be repeated; its first occurrence is in order
            versions[heard.key].append(version)
    assert len(versions) > 50
    assert all(found == list(range(1, len(found) + 1)) for found in versions.values())


@pytest.mark.guarantee("people")
def test_no_fact_has_a_name_an_address_or_a_text_in_it(told: StackFile, ending: Ending) -> None:
    facts = read_all(told["kafka"], PUBLIC + INTERNAL)
    everything = b"\n".join(heard.everything() for heard in facts).decode()
    assert len(ending.private) > 150
    assert [text for text in ending.private if text in everything] == []


def test_names_are_on_the_erasable_topic_that_is_for_them(told: StackFile, ending: Ending) -> None:
    records = read_all(told["kafka"], ["counterpoint.enrollment.people"])
    everything = b"\n".join(heard.value for heard in records).decode()
    assert any(text in everything for text in ending.private)


@pytest.mark.guarantee("running")
def test_one_command_is_one_trace_through_all_four_services(told: StackFile, ending: Ending) -> None:
    spans = traces.read(Path(told["spans_dir"]), ending.trace)
    assert traces.services(spans) == {"enrollment", "matching", "scheduling", "insights"}
    known = {span.id for span in spans}
    assert [span.service for span in spans if span.parent not in known] == ["enrollment"]


def test_no_inbox_is_behind(ending: Ending) -> None:
    assert set(ending.lag) == {"enrollment", "matching", "scheduling", "insights"}
    assert all(item["behind"] == 0 for items in ending.lag.values() for item in items)
