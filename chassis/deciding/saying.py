"""Streams on which one thing is said, once."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from chassis.deciding.decider import Aggregate, Command, State
from contracts.fact import Fact
from contracts.streams import Category


class Say(Command):
    """Say the fact, unless something was said already."""

    fact: Any


class Said(State):
    """Whether it was said."""

    said: bool = False


def once(category: Category) -> Aggregate[Said]:
    """The aggregate of a category whose streams hold a single fact each."""
    return Aggregate(category, Said(), _decide, _evolve)


def _decide(command: Say, said: Said, now: datetime) -> list[Fact]:
    return [] if said.said else [command.fact]


def _evolve(said: Said, fact: Fact) -> Said:
    return Said(said=True)
