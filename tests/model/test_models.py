"""The protocol of relay and inbox is right in every interleaving of small models, and wrong ones are found out."""

from __future__ import annotations

import ast
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chassis.receiving.folding import Folding
from tests.model import inbox as inbox_model
from tests.model.cases import INBOXES, MISTAKES, RELAYS
from tests.model.explore import Explored, explore
from tests.model.folded import Doc, Fact, Rows, drain, hear
from tests.model.real_folding import Asked, RealFolding

ROOT = Path(__file__).parents[2]
STEPS_OF_RELAYS = {"append", "read", "send", "arrive", "answer", "mark", "lose", "crash", "give-up", "late"}
STEPS_OF_INBOXES = {"end-session", "take", "revoke", "fetch", "begin", "commit", "lost", "refused", "abort", "look"}
STEPS_OF_INBOXES |= {"unanswered", "unfit", "crash", "late-commit", "mend", "retry", "retried", "retry-refused"}
FOUND = {
    "mark before the answer": "a commit is marked that is not on the topic",
    "two batches in flight": "a version is on the topic before the one it follows",
    "page by wall clock": "what is left can never be done",
    "mark by a range of keys": "a commit is marked that is not on the topic",
    "offset only": "the effects are 1, 2, 3, 1",
    "fence by the offset alone": "who has lost the partition writes on",
    "trust the position": "the checkpoint is ahead of the effects",
    "go on with what is held": "the checkpoint goes back",
    "park without conflict": "facts wait on a stream that is not parked",
}


class Everything:
    """What the whole exploration came to, and every question that the model's folding was asked in it."""

    def __init__(self) -> None:
        self.asked: set[Asked] = set()
        began = time.monotonic()
        self.relays = {name: explore(model) for name, model in RELAYS.items()}
        self.inboxes = {
            f"{name} ({n})": explore(model) for name, models in INBOXES.items() for n, model in enumerate(models)
        }
        self.seconds = time.monotonic() - began

    @property
    def all(self) -> dict[str, Explored]:
        return self.relays | self.inboxes


@pytest.fixture(scope="module")
def everything() -> Iterator[Everything]:
    asked: set[Asked] = set()

    def hearing(doc: Doc, rows: Rows, fact: Fact, broken: frozenset[Fact]) -> tuple[Doc, Rows]:
        asked.add(Asked(doc, rows, fact, broken))
        return hear(doc, rows, fact, broken)

    def draining(doc: Doc, rows: Rows, broken: frozenset[Fact]) -> tuple[Doc, Rows]:
        asked.add(Asked(doc, rows, None, broken))
        return drain(doc, rows, broken)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inbox_model, "hear", hearing)
        patch.setattr(inbox_model, "drain", draining)
        found = Everything()
    found.asked = asked
    yield found


@pytest.mark.guarantee("G1", "G2", "G3")
def test_no_interleaving_loses_reorders_or_repeats(everything: Everything) -> None:
    for name, explored in everything.all.items():
        assert explored.broken is None, f"{name}: {explored.broken}"
    states = sum(e.states for e in everything.all.values())
    sys.stdout.write(f"{states} states in {everything.seconds:.0f} s\n")
    assert states > 600_000


@pytest.mark.guarantee("G1", "G2", "G3")
def test_every_kind_of_step_was_taken(everything: Everything) -> None:
    relays: Counter[str] = sum((e.kinds for e in everything.relays.values()), Counter())
    inboxes: Counter[str] = sum((e.kinds for e in everything.inboxes.values()), Counter())
    assert relays.keys() >= STEPS_OF_RELAYS and min(relays[kind] for kind in STEPS_OF_RELAYS) > 1000
    assert inboxes.keys() >= STEPS_OF_INBOXES and min(inboxes[kind] for kind in STEPS_OF_INBOXES) > 100


@pytest.mark.guarantee("G1", "G2", "G3")
@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_wrong_design_is_found_with_the_shortest_way_to_its_harm(mistake: str) -> None:
    broken = explore(MISTAKES[mistake]).broken
    assert broken is not None and broken.what == FOUND[mistake]
    assert len(str(broken).splitlines()) == len(broken.way) + 1
    sys.stdout.write(f"{mistake}: {broken}\n")


@pytest.mark.guarantee("G3")
def test_the_real_folding_answers_as_the_model_does(everything: Everything) -> None:
    assert len(everything.asked) > 300
    assert _differing(everything.asked) == []


def _repeats_are_applied(self: Folding, heard: Any) -> None:
    doc = self.documents.get(heard.envelope.stream)
    if doc and heard.envelope.version <= doc["v"]:
        self._apply(heard, doc)
    else:
        HEAR(self, heard)


def _a_gap_is_skipped(self: Folding, heard: Any) -> None:
    doc = self.documents.get(heard.envelope.stream)
    if doc and heard.envelope.version > doc["v"] + 1:
        self._apply(heard, doc)
    else:
        HEAR(self, heard)


def _parking_writes_no_document(self: Folding, heard: Any, doc: Any) -> None:
    changed = dict(self.changed)
    PARK(self, heard, doc)
    self.changed = changed


def _draining_forgets(self: Folding, doc: Any) -> None:
    doc.pop("parked")


HEAR, PARK = Folding.hear, Folding._park
FAULTS = {
    "repeats are applied": ("hear", _repeats_are_applied),
    "a gap is skipped": ("hear", _a_gap_is_skipped),
    "parking writes no document": ("_park", _parking_writes_no_document),
    "draining forgets": ("_drain", _draining_forgets),
}


@pytest.mark.guarantee("G3")
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_planted_in_the_real_folding_is_told_from_the_model(
    everything: Everything, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Folding, *FAULTS[fault])
    assert _differing(everything.asked)


def _differing(asked: set[Asked]) -> list[str]:
    real, found = RealFolding(), []
    for each in asked:
        try:
            answer: Any = real.answer(each)
        except AssertionError as refused:
            answer = str(refused)
        if answer != each.answer():
            found.append(f"{each}: {answer}, not {each.answer()}")
    return found


@pytest.mark.parametrize("model", ["relay.py", "inbox.py", "folded.py"])
def test_a_model_names_the_code_it_stands_for(model: str) -> None:
    says = ast.get_docstring(ast.parse((Path(__file__).parent / model).read_text())) or ""
    named = re.findall(r"`(chassis/[\w/]+\.py)`", says)
    assert named and all((ROOT / path).exists() for path in named)
