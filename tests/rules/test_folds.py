"""A changed fold has a new number: else documents made before and after the change would stand side by side."""

from __future__ import annotations

import json

import pytest

from tests.rules.folds import KNOWN, SERVICES, digest, now, source


@pytest.mark.guarantee("G5")
@pytest.mark.parametrize("service", SERVICES)
def test_folds_change_with_their_number_only(service: str) -> None:
    was, is_ = json.loads(KNOWN.read_text())[service], now()[service]
    if is_["digest"] != was["digest"]:
        assert is_["folds"] > was["folds"], (
            f"rows or folds of {service} have changed. Raise `folds` in services/{service}/service.py by one, so that"
            " its views are rebuilt, and run: python -m tests.rules.folds. Where every document is made as before,"
            " say so: python -m tests.rules.folds --same"
        )
    assert is_ == was, "run: python -m tests.rules.folds"


CHANGES = {
    "another default in a row": ("floor_numbers: int = 0", "floor_numbers: int = 1", "services.insights.rows"),
    "another value in a fold": ("floor_words=fact.floor_words", "floor_words=0", "services.insights.rows"),
    "another fold of a view": ("rows.fold_idea", "rows.fold_action", "services.insights.views"),
}


@pytest.mark.guarantee("G5")
@pytest.mark.parametrize("change", CHANGES)
def test_a_change_of_what_documents_are_made_of_is_seen(change: str) -> None:
    before, after, where = CHANGES[change]

    def changed(module: str) -> str:
        text = source(module)
        if module != where:
            return text
        assert before in text
        return text.replace(before, after, 1)

    assert digest("insights", changed) != digest("insights")


def test_a_change_of_words_is_none() -> None:
    def changed(module: str) -> str:
        text = source(module).replace("def fold_program(", "# a remark\ndef fold_program(")
        return "\n" + text.replace("The floors of a program", "What a program says of floors") + "\nUNUSED = 1\n"

    assert changed("services.insights.rows") != source("services.insights.rows")
    assert digest("insights", changed) == digest("insights")
