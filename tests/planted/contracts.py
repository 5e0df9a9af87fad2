"""Faults in what is published for other systems: schemas that break subscribers, and a gate that does not see it."""

from __future__ import annotations

from dataclasses import replace

from cli import compatibility, kept
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
]
