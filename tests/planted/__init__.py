"""Faults that can be planted in the real code, by name, and the tests that must then fail."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

_NAMED = "COUNTERPOINT_TEST_PLANT"


@dataclass(frozen=True)
class Fault:
    """One way to break a guarantee.

    `plant` changes the imported code for the rest of the process; `harms` is the file it stands for; `found_by` are the
    node ids of tests, every one of which must fail once it is planted.
    """

    name: str
    row: str
    harms: str
    plant: Callable[[], None]
    found_by: tuple[str, ...]


def faults(naming: str | None = None) -> dict[str, Fault]:
    """All faults by name, in the order of their files; of those files only that have this name in them."""
    found: dict[str, Fault] = {}
    for path in sorted(Path(__file__).parent.glob("[a-z]*.py")):
        if naming and f'"{naming}"' not in path.read_text():
            continue
        for fault in import_module(f"{__name__}.{path.stem}").FAULTS:
            if fault.name in found:
                raise ValueError(f"two faults are named {fault.name}")
            found[fault.name] = fault
    return found


def plant(name: str) -> None:
    """Plant a fault here and in the child processes that ask for it. Raises KeyError for a name nobody knows."""
    fault = faults(name).get(name)  # a child process has no time to import them all
    (fault or faults()[name]).plant()  # but a file may make its names
    os.environ[_NAMED] = name


def plant_from_environment() -> None:
    """Plant what the test run that started this process has planted."""
    if name := os.environ.get(_NAMED):
        plant(name)
