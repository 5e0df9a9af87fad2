"""Faults in how old and new versions of a fact are read."""

from __future__ import annotations

from contracts.catalog import Catalog
from contracts.fact import Fact
from tests.planted import Fault

_READ = Catalog.read


def _guess(self: Catalog, type_: str, v: int, data: str | bytes) -> Fact:
    """Read a version that is newer than any this release knows as if it were the newest it knows."""
    known = self.facts.get(type_)
    return _READ(self, type_, min(v, known.v) if known else v, data)


FAULTS = [
    Fault(
        "a-newer-version-is-guessed",
        "G6",
        "contracts/catalog.py",
        lambda: setattr(Catalog, "read", _guess),
        ("tests/integration/test_hard_cases.py::test_a_newer_version_of_a_known_fact_parks_and_never_guesses",),
    ),
]
