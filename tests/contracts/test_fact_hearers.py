"""No fact without a hearer, no hearer of a fact that does not exist, and the generated pages are the committed ones."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from cli import catalog
from cli.schemas import all_schemas
from contracts import matching, scheduling
from contracts.all import CATALOG
from contracts.fact import Fact


def test_every_published_fact_has_a_hearer_outside_its_service() -> None:
    assert catalog.unheard(catalog.hearers()) == []


def test_a_fact_without_a_hearer_is_found() -> None:
    nobody = {name: [fact.category.service] for name, fact in CATALOG.facts.items()}
    found = catalog.unheard(nobody)
    assert "PairProposed" in found
    assert "SeatTaken" not in found, "what is sealed needs no hearer"


def pretend(monkeypatch: pytest.MonkeyPatch, service: str, *facts: type[Fact]) -> None:
    module = SimpleNamespace(SERVICE=SimpleNamespace(hears=lambda: frozenset(facts)))
    monkeypatch.setitem(sys.modules, f"services.{service}.service", module)


def test_a_hearer_of_a_fact_that_does_not_exist_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    class PairAdmired(Fact, of=matching.PAIR):
        """Nobody says this."""

    pretend(monkeypatch, "insights", matching.PairFormed, PairAdmired)
    with pytest.raises(catalog.Undocumented, match="insights hears facts that nobody says: PairAdmired"):
        catalog.hears("insights")


def test_a_hearer_of_what_another_service_seals_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, "matching", matching.SeatTaken, scheduling.SlotHeld)
    with pytest.raises(catalog.Undocumented, match="matching hears facts that another service seals: SlotHeld"):
        catalog.hears("matching")


def test_a_service_that_does_not_say_what_it_hears_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "services.matching.service", SimpleNamespace())
    with pytest.raises(catalog.Undocumented, match=r"matching\.service does not say"):
        catalog.hears("matching")


@pytest.mark.guarantee("running")
def test_the_committed_schemas_are_the_generated_ones() -> None:
    assert catalog.drift({catalog.SCHEMAS / name: text for name, text in all_schemas().items()}) == []


def test_the_committed_catalogue_is_the_generated_one() -> None:
    assert catalog.drift(catalog.generated()) == []


def test_drift_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalog, "ROOT", tmp_path)
    old, same = tmp_path / "old.json", tmp_path / "same.json"
    old.write_text("{}")
    same.write_text("[]")
    wanted = {old: "[]", same: "[]", tmp_path / "new.json": "[]"}
    assert catalog.drift(wanted) == ["old.json is out of date", "new.json is missing"]


def test_a_wrong_argument_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert catalog.main(["--chekc"]) == 2
    assert "usage" in capsys.readouterr().err
