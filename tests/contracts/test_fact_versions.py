"""Old versions are lifted step by step to the newest model; a newer one than we know is never guessed."""

from __future__ import annotations

import json
from types import ModuleType
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from pydantic import create_model

from contracts.catalog import Catalog, NewerVersion, UnknownType, Upcast
from contracts.envelope import Unreadable
from contracts.fact import Fact
from contracts.streams import Audience, Category

CAT = Category("cat", "pets", Audience.public)


class CatFed(Fact, of=CAT, v=3):
    """A cat was fed so many grams."""

    grams: int
    cat: int


PETS = ModuleType(__name__)
vars(PETS).update(CAT=CAT, CatFed=CatFed)

FIRST = ("CatFed", 1)
SECOND = ("CatFed", 2)
UPCASTS = {
    FIRST: lambda f: {"cat": f["cat"], "kilograms": f["pounds"] / 2},
    SECOND: lambda f: {"cat": f["cat"], "grams": int(f["kilograms"] * 1000)},
}


@pytest.mark.guarantee("G6")
def test_every_version_reads_as_the_newest() -> None:
    catalog = Catalog([PETS], UPCASTS)
    for v, text in ((1, '{"cat":7,"pounds":1}'), (2, '{"cat":7,"kilograms":0.5}'), (3, '{"cat":7,"grams":500}')):
        assert catalog.read("CatFed", v, text) == CatFed(cat=7, grams=500)


@pytest.mark.parametrize("missing", [FIRST, SECOND])
def test_a_gap_in_the_chain_is_refused_at_once(missing: tuple[str, int]) -> None:
    with pytest.raises(ValueError, match=f"no upcast from version {missing[1]}"):
        Catalog([PETS], {k: f for k, f in UPCASTS.items() if k != missing})


def test_a_newer_version_and_an_unknown_fact_are_told_apart() -> None:
    catalog = Catalog([PETS], UPCASTS)
    with pytest.raises(NewerVersion, match="version 4 is newer than 3"):
        catalog.read("CatFed", 4, '{"cat":7,"grams":500}')
    with pytest.raises(UnknownType):
        catalog.read("DogFed", 1, "{}")


@pytest.mark.parametrize("v", [1, 3])
@pytest.mark.parametrize("text", ["", "cat", b"\xff", "{", "\ufeff{}"])
def test_what_is_not_json_is_unreadable(v: int, text: str | bytes) -> None:
    with pytest.raises(Unreadable):
        Catalog([PETS], UPCASTS).read("CatFed", v, text)


def test_a_value_of_the_wrong_kind_is_named() -> None:
    with pytest.raises(Unreadable, match="grams"):
        Catalog([PETS], UPCASTS).read("CatFed", 3, '{"cat":7,"grams":"many"}')


def test_two_facts_cannot_have_one_name() -> None:
    twin = ModuleType(__name__)
    vars(twin).update(vars(PETS))
    with pytest.raises(ValueError, match="two facts are called CatFed"):
        Catalog([PETS, twin], UPCASTS)


Fields = dict[str, int]
names = st.sampled_from("abcdef")


@st.composite
def changes(draw: st.DrawFn, fields: tuple[str, ...]) -> tuple[Upcast, tuple[str, ...]]:
    """One step of a chain, and which fields there are after it."""
    kind = draw(st.sampled_from(["rename", "scale", "drop", "derive"]))
    field, name = draw(st.sampled_from(fields)), draw(names.filter(lambda n: n not in fields))
    factor = draw(st.integers(2, 9))
    match kind:
        case "rename":
            rest = tuple(f for f in fields if f != field)
            return lambda f: {**{k: f[k] for k in rest}, name: f[field]}, (*rest, name)
        case "scale":
            return lambda f: {**f, field: f[field] * factor}, fields
        case "drop" if len(fields) > 1:
            rest = tuple(f for f in fields if f != field)
            return lambda f: {k: f[k] for k in rest}, rest
    return lambda f: {**f, name: f[field] + factor}, (*fields, name) if len(fields) < 5 else fields


@pytest.mark.guarantee("G6")
@settings(deadline=None, phases=(Phase.generate,))  # shrinking a chain takes minutes and shows no more
@given(data=st.data())
def test_a_chain_of_any_length_reads_every_version_as_if_each_step_had_been_written(data: st.DataObject) -> None:
    there: tuple[str, ...] = ("a", "b")
    first = {name: data.draw(st.integers(0, 1000)) for name in there}
    written: list[Fields] = [first]
    upcasts: dict[tuple[str, int], Upcast] = {}
    for v in range(1, data.draw(st.integers(3, 7))):
        upcasts["CatWalked", v], there = data.draw(changes(there))
        written.append({k: n for k, n in upcasts["CatWalked", v](written[-1]).items() if k in there})
    fields: dict[str, Any] = dict.fromkeys(there, (int, ...))
    module = ModuleType(__name__)
    walked = create_model(
        "CatWalked", __base__=Fact, __module__=__name__, __cls_kwargs__={"of": CAT, "v": len(written)}, **fields
    )
    vars(module).update(CatWalked=walked)
    catalog = Catalog([module], upcasts)
    assert catalog.facts["CatWalked"].v >= 3
    for v, said in enumerate(written, 1):
        assert catalog.read("CatWalked", v, json.dumps(said)) == walked(**written[-1])
        if there_is_less := dict(list(said.items())[1:]):
            try:
                assert catalog.read("CatWalked", v, json.dumps(there_is_less)) == walked(**written[-1])
            except Unreadable:
                continue  # what is missing is missed; where it was not needed, nothing changes


def test_an_upcast_that_raises_makes_its_fact_unreadable() -> None:
    catalog = Catalog([PETS], UPCASTS)
    with pytest.raises(Unreadable, match="version 1 cannot be lifted: KeyError: 'pounds'"):
        catalog.read("CatFed", 1, '{"cat":7}')
    with pytest.raises(Unreadable, match="cannot be lifted"):
        catalog.read("CatFed", 1, "[1]")
