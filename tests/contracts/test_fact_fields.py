"""What a fact may carry: typed ids, words, numbers and dates; never a text, a name or an address."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from contracts import enrollment, insights, matching, profiles, scheduling, types
from contracts.all import CATALOG
from contracts.fact import Fact
from contracts.types import Word

FACTS = list(CATALOG.facts.values())
WORDS = {
    thing
    for module in (enrollment, insights, matching, profiles, scheduling, types)
    for thing in vars(module).values()
    if isinstance(thing, type) and issubclass(thing, Word) and thing is not Word
}
PERSONAL = {
    "name",
    "mail",
    "email",
    "title",
    "text",
    "words",
    "note",
    "comment",
    "label",
    "labels",
    "subject",
    "address",
}
IDS = {
    "program": "pr",
    "person": "pe",
    "for_person": "pe",
    "other": "pe",
    "mentor": "pe",
    "executive": "pe",
    "invitation": "iv",
    "roster": "im",
    "round": "ro",
    "proposal": "pp",
    "pair": "pa",
    "pause": "pz",
    "session": "se",
    "idea": "id",
    "action": "ac",
    "insight": "in",
    "pulse": "pu",
    "report": "re",
    "content": "co",
}


def nodes(schema: Any) -> Iterator[dict[str, Any]]:
    """Every object inside a JSON Schema."""
    if isinstance(schema, dict):
        yield schema
        for inner in schema.values():
            yield from nodes(inner)
    elif isinstance(schema, list):
        for inner in schema:
            yield from nodes(inner)


def plain_strings(schema: Any) -> list[dict[str, Any]]:
    return [n for n in nodes(schema) if n.get("type") == "string" and not n.keys() & {"pattern", "format", "enum"}]


def properties(schema: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    for node in nodes(schema):
        if isinstance(node.get("properties"), dict):
            yield from node["properties"].items()


@pytest.mark.guarantee("people")
@pytest.mark.parametrize("fact", FACTS, ids=lambda f: f.__name__)
def test_no_fact_has_a_plain_string(fact: type[Fact]) -> None:
    assert plain_strings(fact.model_json_schema()) == []


def test_a_plain_string_would_be_found() -> None:
    class Gossip(Fact, of=matching.PAIR):
        """Not in the catalogue."""

        whispered: list[str | None]

    assert len(plain_strings(Gossip.model_json_schema())) == 1


@pytest.mark.parametrize("fact", FACTS, ids=lambda f: f.__name__)
def test_no_property_is_called_like_personal_data(fact: type[Fact]) -> None:
    assert {name for name, _ in properties(fact.model_json_schema())} & PERSONAL == set()


@pytest.mark.parametrize("fact", FACTS, ids=lambda f: f.__name__)
def test_an_id_has_the_prefix_of_its_kind(fact: type[Fact]) -> None:
    for name, field in properties(fact.model_json_schema()):
        if name in IDS:
            patterns = [n["pattern"] for n in nodes(field) if "pattern" in n]
            assert [p[1:4] for p in patterns] == [f"{IDS[name]}_"], name


@pytest.mark.parametrize("fact", FACTS, ids=lambda f: f.__name__)
def test_a_fact_names_its_program_unless_it_spans_programs(fact: type[Fact]) -> None:
    first = next(iter(fact.model_fields))
    assert ("program" in fact.model_fields) is not fact.category.orgwide
    assert first == "program" or fact.category.orgwide


@pytest.mark.parametrize("fact", FACTS, ids=lambda f: f.__name__)
def test_a_fact_says_what_it_means(fact: type[Fact]) -> None:
    meaning = vars(fact).get("__doc__")
    assert meaning and meaning.strip().endswith(".") and len(meaning.split()) >= 4


@pytest.mark.parametrize("word", sorted(WORDS, key=str), ids=str)
def test_every_list_of_words_ends_with_unknown(word: type[Word]) -> None:
    assert [w.value for w in word][-1] == "unknown"


def test_nobody_on_the_bus_says_leader_mentee_or_hr() -> None:
    said = {name for fact in FACTS for name, _ in properties(fact.model_json_schema())} | {w for e in WORDS for w in e}
    assert said & {"leader", "mentee", "hr", "HR", "junior", "senior"} == set()


@pytest.mark.guarantee("people")
def test_what_must_stay_untold_has_no_field() -> None:
    assert set(matching.PairDeclined.model_fields) == {"program", "proposal", "cause"}
    assert set(matching.PairReleased.model_fields) == {"program", "pair", "cause"}
    assert set(enrollment.ParticipantWithdrawn.model_fields) == {"program", "person", "effective"}
    assert not {"pair", "person", "side", "session"} & set(insights.InsightRaised.model_fields)
    assert not {"pair", "person"} & set(insights.PulseGiven.model_fields)
    assert not {"theme", "themes", "tag", "content"} & set(scheduling.SessionHeld.model_fields)
