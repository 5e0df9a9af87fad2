"""Old versions are lifted step by step to the newest model; a newer one than we know is never guessed."""

from __future__ import annotations

from types import ModuleType

import pytest

from contracts.catalog import Catalog, NewerVersion, UnknownType
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
