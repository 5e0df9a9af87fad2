"""Reporting lines: who is above whom, whether the chain is whole, and where it bites its tail. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Line:
    """The employee numbers above somebody, nearest first. Not `complete`: somebody above is unknown."""

    above: tuple[str, ...]
    complete: bool


def circular(managers: Mapping[str, str | None]) -> frozenset[str]:
    """Those whose reporting line comes back to themselves. `managers` gives each employee's manager."""
    found: set[str] = set()
    settled: set[str] = set()
    for start in managers:
        path: dict[str, None] = {}
        at: str | None = start
        while at is not None and at in managers and at not in settled and at not in path:
            path[at] = None
            at = managers[at]
        if at is not None and at in path:
            walked = list(path)
            found.update(walked[walked.index(at) :])
        settled.update(path)
    return frozenset(found)


def line(employee: str, managers: Mapping[str, str | None], levels: Mapping[str, int], top: int) -> Line:
    """The line above one employee. `top` is the highest of all `levels`; `managers` has no circles.

    It is complete where it ends at somebody of that level without a manager: a manager left out by mistake must never
    look like the top of the organisation.
    """
    above: list[str] = []
    at, manager = employee, managers.get(employee)
    while manager is not None:
        if manager not in managers:
            return Line(tuple(above), complete=False)
        above.append(manager)
        at, manager = manager, managers[manager]
    return Line(tuple(above), complete=levels[at] >= top)
