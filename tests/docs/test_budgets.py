"""The figures on the pages for operators are those of the code."""

from __future__ import annotations

import re
from importlib import import_module

import pytest

from chassis.running.settings import Settings
from tests.docs.pages import ROOT, rows

BUDGETS = ROOT / "docs" / "budgets.md"
OPERATING = ROOT / "docs" / "operating.md"
IN_CODE = [row for row in rows(BUDGETS) if len(row) == 4]
IN_SETTINGS = [row for row in rows(BUDGETS) if len(row) == 3 and row[0].strip("`").isupper()]


def test_the_page_is_read() -> None:
    assert len(IN_CODE) > 20 and len(IN_SETTINGS) > 5


@pytest.mark.parametrize("row", IN_SETTINGS, ids=lambda row: row[0])
def test_a_setting_has_the_default_that_is_told(row: list[str]) -> None:
    assert str(Settings.model_fields[row[0].strip("`").lower()].default) == row[1]


def test_every_number_among_the_settings_is_a_budget() -> None:
    numbers = {n.upper() for n, f in Settings.model_fields.items() if type(f.default) in (int, float)}
    assert numbers - {"HTTP_PORT"} == {row[0].strip("`") for row in IN_SETTINGS}


@pytest.mark.parametrize("row", IN_CODE, ids=lambda row: row[0])
def test_a_figure_is_that_of_the_code(row: list[str]) -> None:
    value, where = row[1].split(" ")[0], row[3].strip("`")
    if ": " in where:
        path, text = where.split(": ", 1)
        assert re.search(re.escape(text) + r"\b", (ROOT / path).read_text()), where
        numbers = {int(n.replace("_", "")) for n in re.findall(r"\d[\d_]*", text)}
        assert numbers & {int(value), int(value) * 1000}, where  # some are told in seconds and coded in milliseconds
    else:
        module, name = where.rsplit(".", 1)
        assert str(getattr(import_module(module), name)) == value, where


def test_every_setting_is_told_with_its_default() -> None:
    told = {row[0].strip("`"): row[1].strip("`") for row in rows(OPERATING) if len(row) == 3 and row[0].startswith("`")}
    settings = {row for row in told if row.isupper() and row.lower() in Settings.model_fields}
    assert settings == {name.upper() for name in Settings.model_fields}
    for name, field in Settings.model_fields.items():
        if field.is_required():
            assert told[name.upper()] == "required", name
        elif field.default in (None, "", frozenset()):
            assert told[name.upper()] == "–", name
        else:
            assert told[name.upper()] == str(field.default), name
