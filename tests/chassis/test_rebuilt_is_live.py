"""Rebuilt is live: whatever the order in which streams meet, the folding code makes the same documents and tasks."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from chassis.receiving.folding import Folding
from chassis.receiving.records import Heard, Latest
from chassis.receiving.views import Views
from chassis.running.mongo import Document
from chassis.running.service import Service
from cli.schemas import STATES
from contracts.envelope import Envelope
from contracts.fact import Fact

SERVICES: dict[str, Service] = {
    name: import_module(f"services.{name}.service").SERVICE
    for name in ("enrollment", "matching", "scheduling", "insights")
}
SAMPLES = Path(__file__).parents[2] / "contracts" / "samples"
NOW = datetime(2027, 3, 1, tzinfo=UTC)
REACHED: Counter[str] = Counter()
"""How often the hard cases came up."""
QUICK = settings(
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],  # a failing example is shown as it is: shrinking takes a quarter minute
    suppress_health_check=list(HealthCheck),
)

Arrival = Heard | Latest


class Nowhere:
    """In place of a database: folding asks for none."""

    def collection(self, name: str) -> None: ...


@dataclass
class Memory:
    """What the inbox keeps between batches, in dictionaries."""

    service: Service
    documents: dict[str, Document] = field(default_factory=dict)
    parked: dict[str, Document] = field(default_factory=dict)
    tasks: Counter[str] = field(default_factory=Counter)

    def take(self, batch: Sequence[Arrival]) -> None:
        """Fold one batch as the inbox does."""
        views = Views(cast(Any, Nowhere()), "views", [*self.service.views, *self.service.states])
        ids = {a.envelope.stream if isinstance(a, Heard) else a.view.id_of(a.key) for a in batch}
        documents = {id: json.loads(json.dumps(self.documents[id])) for id in ids if id in self.documents}
        waiting: dict[str, list[Document]] = {}
        for row in sorted(self.parked.values(), key=lambda row: row["version"]):
            if documents.get(row["stream"], {}).get("parked"):
                waiting.setdefault(row["stream"], []).append(row)
        folding = Folding(
            documents, waiting, views, self.service.tasks, {}, self.service.catalog, "inbox", NOW
        )  # fmt: skip
        for arrival in batch:
            if isinstance(arrival, Heard):
                folding.hear(arrival)
            else:
                folding.keep(arrival)
        self.documents |= {id: folding.documents[id] for id in folding.changed}
        self.tasks.update(row["_id"] for row in folding.rows)
        for row in folding.parked:
            self.parked.setdefault(row["_id"], row)
        for id in folding.drained:
            del self.parked[id]
        REACHED.update(repeats=folding.repeats, drained=len(folding.drained), parked=len(folding.parked))

    def bytes(self) -> str:
        """All of it, for comparing."""
        return json.dumps([self.documents, self.tasks, sorted(self.parked)], sort_keys=True)


def heard(service: Service, kind: type[Fact], stream: str, version: int) -> Heard:
    """A fact of a kind, its fields those of its golden sample."""
    data = json.loads((SAMPLES / f"{kind.__name__}.v{kind.v}.json").read_text())["data"]
    raw = json.dumps(data).encode()
    fact = service.catalog.read(kind.__name__, kind.v, raw)
    digest = hashlib.sha256(f"{stream}@{version}".encode()).hexdigest()
    at = datetime(2027, 1, 1, tzinfo=UTC) + timedelta(hours=version)
    category = kind.category
    envelope = Envelope(
        category.service, kind.__name__, kind.v, stream, version, at, digest, "c", version, version, "x", "test"
    )
    return Heard(envelope, raw, fact)


@st.composite
def histories(draw: st.DrawFn, service: Service) -> list[list[Arrival]]:
    """Streams of the categories that the service hears, and the documents of state topics."""
    facts = sorted(service.catalog.facts.values(), key=lambda f: f.__name__)
    found: list[list[Arrival]] = []
    for n, view in enumerate(draw(st.lists(st.sampled_from(service.views), min_size=1, max_size=4))):
        kinds = draw(st.lists(st.sampled_from([f for f in facts if f.category == view.category]), max_size=6))
        if kinds:
            sample = json.loads((SAMPLES / f"{kinds[0].__name__}.v{kinds[0].v}.json").read_text())["stream"]
            stream = f"{sample.rpartition('/')[0]}/thing{n}"
            found.append([heard(service, kind, stream, v) for v, kind in enumerate(kinds, 1)])
    for state in draw(st.lists(st.sampled_from(service.states), max_size=2)):
        said = next(model for model, (topic, _) in STATES.items() if topic == state.topic)
        data = json.loads((SAMPLES / f"{said.__name__}.v1.json").read_text())["data"]
        doc = state.model.model_validate({k: v for k, v in data.items() if k in state.model.model_fields})
        found.append(
            [Latest(state, "pr_a/pe_b", rev, doc if rev < 4 else None) for rev in range(1, draw(st.integers(2, 5)))]
        )
    return found


@st.composite
def orders(draw: st.DrawFn, streams: list[list[Arrival]]) -> list[list[Arrival]]:
    """Any interleaving that keeps each stream's order, with repeats and late facts, in batches of any size."""
    which = draw(st.permutations([n for n, s in enumerate(streams) for _ in s]))
    left = [iter(s) for s in streams]
    log = [next(left[n]) for n in which]
    for _ in range(draw(st.integers(0, 3))):
        here = draw(st.integers(0, len(log) - 1))
        there = draw(st.integers(here + 1, len(log)))
        log.insert(there, log[here])
    for _ in range(draw(st.integers(0, 2))):
        late = draw(st.integers(0, len(log) - 1))
        log.insert(draw(st.integers(late, len(log) - 1)), log.pop(late))
    batches = []
    while log:
        size = draw(st.integers(1, 6))
        batches.append(log[:size])
        log = log[size:]
    return batches


def run(service: Service, batches: list[list[Arrival]]) -> str:
    memory = Memory(service)
    for batch in batches:
        memory.take(batch)
    return memory.bytes()


def prove(service: Service, examples: int) -> None:
    @settings(QUICK, max_examples=examples)
    @given(st.data())
    def rebuilt_is_live(data: st.DataObject) -> None:
        streams = data.draw(histories(service).filter(bool))
        live, rebuilt = data.draw(orders(streams)), data.draw(orders(streams))
        assert run(service, live) == run(service, rebuilt)

    rebuilt_is_live()


@pytest.mark.guarantee("G5")
@pytest.mark.parametrize("name", SERVICES)
def test_any_order_that_keeps_each_streams_order_gives_the_same_bytes(name: str) -> None:
    REACHED.clear()
    prove(SERVICES[name], 300)
    assert min(REACHED["repeats"], REACHED["drained"], REACHED["parked"]) > 20, REACHED


def a_repeat_takes_effect_again(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Folding, "_repeat", lambda self, heard, doc: self._apply(heard, doc))


def a_gap_is_passed_over(patch: pytest.MonkeyPatch) -> None:
    hear = Folding.hear

    def passing(self: Folding, heard: Heard) -> None:
        doc = self.documents.get(heard.envelope.stream)
        if doc is not None and heard.envelope.version > doc["v"]:
            self._apply(heard, doc)
        else:
            hear(self, heard)

    patch.setattr(Folding, "hear", passing)


def the_last_that_comes_wins(patch: pytest.MonkeyPatch) -> None:
    keep = Folding.keep

    def forgetful(self: Folding, latest: Latest) -> None:
        self.documents.pop(latest.view.id_of(latest.key), None)
        keep(self, latest)

    patch.setattr(Folding, "keep", forgetful)


def a_fold_counts_what_others_said(patch: pytest.MonkeyPatch) -> None:
    folded = Folding._folded
    said = Counter[int]()

    def counting(view: Any, doc: Document, heard: Heard) -> Any:
        said["all"] += 1  # type: ignore[index]
        row = folded(view, doc, heard)
        return row | {"seen_before": said["all"]} if isinstance(row, dict) else row  # type: ignore[index]

    patch.setattr(Folding, "_folded", staticmethod(counting))


def what_waited_is_left(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Folding, "_drain", lambda self, doc: doc.pop("parked"))


FAULTS = (
    a_repeat_takes_effect_again,
    a_gap_is_passed_over,
    the_last_that_comes_wins,
    a_fold_counts_what_others_said,
    what_waited_is_left,
)


@pytest.mark.guarantee("G5")
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_a_planted_fault_is_found(monkeypatch: pytest.MonkeyPatch, fault: Callable[[pytest.MonkeyPatch], None]) -> None:
    with monkeypatch.context() as patch, pytest.raises(AssertionError, match="assert"):
        fault(patch)
        prove(SERVICES["scheduling"], 300)
