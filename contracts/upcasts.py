"""How the fields of an older version of a fact become those of the next: pure functions, by fact and old version.

A step moves and derives; it never invents. What the old fields do not say is optional in the new ones.
"""

from __future__ import annotations

from typing import Any

from contracts.catalog import Upcast


def session_held_1(fields: dict[str, Any]) -> dict[str, Any]:
    """`held` said neither whether it is the beginning, the end or the moment of recording: it is the `start`."""
    rest = dict(fields)
    start = rest.pop("held")
    return rest | {"start": start}


UPCASTS: dict[tuple[str, int], Upcast] = {("SessionHeld", 1): session_held_1}
