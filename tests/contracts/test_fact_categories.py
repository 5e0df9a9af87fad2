"""A category of streams belongs to one service and one audience; a sealed one has no topic."""

from __future__ import annotations

from types import ModuleType

import pytest

from contracts import enrollment, insights, matching, scheduling
from contracts.all import CATALOG, WANTED_BY_OTHERS
from contracts.catalog import Catalog
from contracts.streams import ORG, Audience, Category, parts

MODULES = (enrollment, matching, scheduling, insights)
PROGRAM = "pr_" + "a" * 26


@pytest.mark.parametrize("module", MODULES, ids=lambda m: m.__name__)
def test_a_module_declares_only_categories_of_its_own_service(module: ModuleType) -> None:
    service = module.__name__.rpartition(".")[2]
    declared = [c for c in vars(module).values() if isinstance(c, Category)]
    assert declared and {c.service for c in declared} == {service}


def test_every_category_is_used() -> None:
    assert set(CATALOG.categories.values()) == {fact.category for fact in CATALOG.facts.values()}


def test_two_services_cannot_claim_one_category() -> None:
    thief = ModuleType("thief")
    vars(thief)["PAIR"] = Category("pair", "scheduling", Audience.public)
    with pytest.raises(ValueError, match="claim the category pair"):
        Catalog([matching, thief])


def test_one_category_cannot_have_two_audiences() -> None:
    leak = ModuleType("leak")
    vars(leak)["SEAT"] = Category("seat", "matching", Audience.public)
    with pytest.raises(ValueError, match="claim the category seat"):
        Catalog([matching, leak])


def test_only_what_is_sealed_has_no_topic() -> None:
    for category in CATALOG.categories.values():
        assert (category.topic is None) == (category.audience is Audience.sealed)
        if category.topic:
            _, service, kind = category.topic.split(".")
            assert service == category.service
            assert kind == {Audience.public: "events", Audience.internal: "internal"}[category.audience]


@pytest.mark.guarantee("people")
def test_what_people_say_in_confidence_is_sealed() -> None:
    sealed = {name for name, c in CATALOG.categories.items() if c.audience is Audience.sealed}
    assert sealed == {"import", "person", "seat", "partners", "diary", "insight", "pulse"}


def test_only_public_facts_are_wanted_by_others() -> None:
    assert {fact.category.audience for fact in WANTED_BY_OTHERS} == {Audience.public}


@pytest.mark.parametrize("category", CATALOG.categories.values(), ids=lambda c: c.name)
def test_a_stream_name_says_its_scope_and_category(category: Category) -> None:
    scope = ORG if category.orgwide else PROGRAM
    assert parts(category.stream(scope, "x_1")) == (scope, category.name, "x_1")


@pytest.mark.parametrize("category", CATALOG.categories.values(), ids=lambda c: c.name)
@pytest.mark.parametrize("scope", ["", "pr/other"])
def test_a_wrong_scope_gives_no_stream(category: Category, scope: str) -> None:
    for wrong in (scope, PROGRAM if category.orgwide else ORG):
        with pytest.raises(ValueError, match="scope"):
            category.stream(wrong, "x_1")


@pytest.mark.parametrize("name", ["", "a/b", "a//c", "/b/c", "a/b/", "a/b/c/d"])
def test_what_is_no_stream_name_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="not a stream name"):
        parts(name)
