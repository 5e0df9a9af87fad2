"""Everything that is told of one fact or state record, gathered once for AsyncAPI, the pages and the changelog."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cli import kept
from cli.kept import Release, Sample, samples
from cli.schemas import STATES, Schema, meaning, schema
from contracts.all import CATALOG
from contracts.fact import Fact
from contracts.profiles import State
from contracts.published import NOT, RETIRING
from contracts.retiring import Retiring
from contracts.streams import ORG, Audience, parts
from contracts.upcasts import UPCASTS

UNRELEASED = "unreleased"
STATE_AUDIENCE = "internal"
"""The compacted topics are for the four services: they hold personal data."""


class Undocumented(Exception):
    """The catalogue cannot be made: a service or a sample is missing, a fact is heard by nobody or by the wrong one."""


@dataclass(frozen=True)
class Entry:
    """One version of one fact, or one kind of state record.

    `key` is the form of the record's key, `since` the release that first published it, `instead` why and by what it
    was replaced.
    """

    name: str
    v: int
    owner: str
    audience: str
    category: str
    topic: str | None
    key: str
    meaning: str
    isnt: str
    ordering: str
    retention: str
    since: str
    status: str
    schema: Schema
    samples: list[Sample]
    hearers: list[str] = field(default_factory=list)
    retiring: Retiring | None = None
    instead: str = ""

    @property
    def stem(self) -> str:
        """`<name>.v<version>`."""
        return f"{self.name}.v{self.v}"

    @property
    def newest(self) -> bool:
        return self.status != "superseded"

    @property
    def is_state(self) -> bool:
        return not self.category


def entries(heard: Mapping[str, list[str]]) -> list[Entry]:
    """Every version of every fact, service by service, then the state records. Raises `Undocumented`."""
    old = kept.releases()
    facts = [_fact(f, v, heard[f.__name__], old) for f in CATALOG.facts.values() for v in range(f.v, 0, -1)]
    return facts + [_state(state, old) for state in STATES]


def _fact(fact: type[Fact], v: int, hearers: list[str], old: list[Release]) -> Entry:
    c, stem, newest = fact.category, f"{fact.__name__}.v{v}", v == fact.v
    said = _samples(stem)
    retiring = RETIRING.get((fact.__name__, v)) if newest else None
    sealed = c.audience is Audience.sealed
    return Entry(
        name=fact.__name__,
        v=v,
        owner=c.service,
        audience=c.audience.value,
        category=c.name,
        topic=c.topic,
        key=_form(said[0]),
        meaning=meaning(fact),
        isnt=NOT.get(fact.__name__, ""),
        ordering="within its stream, whose versions count from 1 without gaps; none between streams",
        retention="in the journal of its service" if sealed else "for ever",
        since=_since(stem, old),
        status="deprecated" if retiring else "current" if newest else "superseded",
        schema=schema(fact) if newest else kept.today_schema(stem),
        samples=said,
        hearers=hearers,
        retiring=retiring,
        instead="" if newest else _replaced(fact.__name__, v),
    )


def _state(state: type[State], old: list[Release]) -> Entry:
    topic, key = STATES[state]
    stem = f"{state.__name__}.v1"
    return Entry(
        name=state.__name__,
        v=1,
        owner="enrollment",
        audience=STATE_AUDIENCE,
        category="",
        topic=topic,
        key=key,
        meaning=meaning(state),
        isnt=NOT[state.__name__],
        ordering="within its key: the record with the highest `rev` counts",
        retention="the newest record of each key, until a record without a value deletes it",
        since=_since(stem, old),
        status="current",
        schema=schema(state),
        samples=_samples(stem),
    )


def _samples(stem: str) -> list[Sample]:
    if not (found := samples(stem)):
        raise Undocumented(f"{stem} has no sample contracts/samples/{stem}.json")
    return found


def _since(stem: str, old: list[Release]) -> str:
    return next((release.version for release in old if stem in release.schemas), UNRELEASED)


def _replaced(name: str, v: int) -> str:
    """By what a version was replaced, and why: what the step from it says of itself."""
    why = " ".join((UPCASTS[name, v].__doc__ or "").split())
    return f"Said no more since version {v + 1}: {why}"


def _form(sample: dict[str, Any]) -> str:
    """The form of a stream's name, with the field that its id is."""
    scope, category, id = parts(sample["stream"])
    name = next(name for name, value in reversed(sample["data"].items()) if value == id)
    return f"{ORG if scope == ORG else '<program>'}/{category}/<{name}>"


def example(sample: Sample) -> str:
    """What a record's value looks like, in one line."""
    return json.dumps(sample["data"], ensure_ascii=False)
