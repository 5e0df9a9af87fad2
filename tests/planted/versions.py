"""Faults in how old and new versions of a fact are read, and in who may rebuild."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from chassis.receiving.resuming import Resuming
from chassis.running import job
from contracts.catalog import Catalog
from contracts.fact import Fact
from contracts.upcasts import UPCASTS
from tests.planted import Fault

_READ = Catalog.read
_RELEASES = "tests/integration/test_releases.py"
_OLD = "tests/contracts/test_old_versions.py"


def _guess(self: Catalog, type_: str, v: int, data: str | bytes) -> Fact:
    """Read a version that is newer than any this release knows as if it were the newest it knows."""
    known = self.facts.get(type_)
    return _READ(self, type_, min(v, known.v) if known else v, data)


def _raise(self: Catalog, type_: str, v: int, to: int, data: str | bytes) -> dict[str, Any]:
    """Let whatever a step raises out of the catalogue."""
    fields = json.loads(data)
    for step in range(v, to):
        fields = self.upcasts[type_, step](fields)
    return dict(fields)


def _skip(self: Catalog, type_: str, v: int, to: int, data: str | bytes) -> dict[str, Any]:
    """Leave the steps between the first and the last out."""
    fields = json.loads(data)
    for step in sorted({v, to - 1}):
        fields = self.upcasts[type_, step](fields)
    return dict(fields)


def _invent() -> None:
    """Fill in a beginning for a session that does not say when it began."""
    step = UPCASTS["SessionHeld", 1]
    UPCASTS["SessionHeld", 1] = lambda fields: step({"held": "2027-01-01T00:00:00.000Z"} | fields)


async def _never_again(self: Resuming) -> int:
    """Leave what an older release has parked to operators."""
    return 0


@asynccontextmanager
async def _anybody(*_: object) -> AsyncIterator[None]:
    """Ask for no lease."""
    yield


FAULTS = [
    Fault(
        "a-newer-version-is-guessed",
        "G6",
        "contracts/catalog.py",
        lambda: setattr(Catalog, "read", _guess),
        (
            "tests/integration/test_hard_cases.py::test_a_newer_version_of_a_known_fact_parks_and_never_guesses",
            f"{_RELEASES}::test_writer_first_only_that_stream_waits_and_goes_on_by_itself_once_a_reader_comes",
        ),
    ),
    Fault(
        "an-upcast-raises-out-of-the-catalogue",
        "G6",
        "contracts/catalog.py",
        lambda: setattr(Catalog, "_upcast", _raise),
        (f"{_RELEASES}::test_an_upcast_that_raises_parks_its_own_stream_only",),
    ),
    Fault(
        "a-chain-skips-a-step",
        "G6",
        "contracts/catalog.py",
        lambda: setattr(Catalog, "_upcast", _skip),
        (
            "tests/contracts/test_fact_versions.py"
            "::test_a_chain_of_any_length_reads_every_version_as_if_each_step_had_been_written",
        ),
    ),
    Fault(
        "an-upcast-invents-a-required-field",
        "G6",
        "contracts/upcasts.py",
        _invent,
        (
            f"{_OLD}::test_a_step_makes_no_required_field_of_nothing",
            f"{_OLD}::test_a_field_that_is_missing_is_missed_and_never_filled_in",
        ),
    ),
    Fault(
        "what-an-older-release-parked-stays-parked",
        "G6",
        "chassis/receiving/resuming.py",
        lambda: setattr(Resuming, "read_again", _never_again),
        (f"{_RELEASES}::test_writer_first_only_that_stream_waits_and_goes_on_by_itself_once_a_reader_comes",),
    ),
    Fault(
        "two-rebuilds-at-once",
        "G5",
        "chassis/running/job.py",
        lambda: setattr(job, "lease", _anybody),
        (
            "tests/integration/test_rebuild_alone.py"
            "::test_a_second_rebuild_is_refused_and_told_who_is_at_it_since_when_and_what_to_do",
        ),
    ),
]
