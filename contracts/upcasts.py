"""How the fields of an older version of a fact become those of the next: pure functions, by fact and old version."""

from __future__ import annotations

from contracts.catalog import Upcast

UPCASTS: dict[tuple[str, int], Upcast] = {}
