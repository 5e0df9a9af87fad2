"""Faults in what is published for other systems: schemas that break subscribers, and a gate that does not see it."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

from chassis.running import retiring
from cli import catalog, compatibility, kept
from cli.kept import Release
from tests.planted import Fault

_TODAY, _GATE = kept.today, compatibility.gate
_TESTS = "tests/contracts/test_compatibility.py"


def _without_a_field() -> Release:
    """Publish a fact without a field that every release had."""
    new = _TODAY()
    schema = new.schemas["SessionMoved.v1"]
    less = {k: v for k, v in schema["properties"].items() if k != "notice_hours"}
    required = [name for name in schema["required"] if name in less]
    return replace(new, schemas=new.schemas | {"SessionMoved.v1": {**schema, "properties": less, "required": required}})


def _with_an_operation_on_nothing() -> Path:
    """A document that speaks of a message which it does not describe."""
    text = catalog.ASYNCAPI.read_text().replace("    PairFormed:\n      name:", "    PairMade:\n      name:")
    path = Path(tempfile.mkdtemp()) / "asyncapi.yaml"
    path.write_text(text)
    return path


FAULTS = [
    Fault(
        "a-published-field-disappears",
        "G6",
        "contracts/schemas/SessionMoved.v1.json",
        lambda: setattr(kept, "today", _without_a_field),
        (f"{_TESTS}::test_nothing_that_was_ever_released_is_broken",),
    ),
    Fault(
        "only-the-last-release-is-compared",
        "G6",
        "cli/compatibility.py",
        lambda: setattr(compatibility, "gate", lambda old, new: _GATE(old[-1:], new)),
        (f"{_TESTS}::test_every_release_is_compared_and_not_only_the_last",),
    ),
    Fault(
        "what-was-said-is-not-compared",
        "G6",
        "cli/compatibility.py",
        lambda: setattr(compatibility, "_replay", lambda old, new: True),
        (f"{_TESTS}::test_each_kind_of_breaking_change_is_caught_and_named[narrowed]",),
    ),
    Fault(
        "what-is-said-now-is-not-compared",
        "G6",
        "cli/compatibility.py",
        lambda: setattr(compatibility, "_live", lambda old, new: True),
        (f"{_TESTS}::test_each_kind_of_breaking_change_is_caught_and_named[word added]",),
    ),
    Fault(
        "an-answer-hides-that-its-route-is-retiring",
        "running",
        "chassis/running/retiring.py",
        lambda: setattr(retiring, "told", lambda row, described_at: {}),
        ("tests/contracts/test_retiring.py::test_every_answer_of_a_route_that_is_being_retired_says_so",),
    ),
    Fault(
        "the-document-leaves-a-message-out",
        "running",
        "cli/asyncapi.py",
        lambda: setattr(catalog, "ASYNCAPI", _with_an_operation_on_nothing()),
        ("tests/contracts/test_asyncapi.py::test_the_official_parser_reads_all_of_it_and_has_nothing_against_it",),
    ),
]
