"""Every guarantee has tests that name it, every such test has its row, and each can be broken by a planted fault."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from pathlib import Path

from tests.planted import faults

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "guarantees.md"
GUARANTEES = [f"G{n}" for n in range(1, 13)]
OTHERS = ["people", "running"]
NOT_PROMISED_YET: set[str] = set()
"""Rows without a proof, said so on the page; to be empty."""
WITHOUT_A_FAULT: set[str] = set()
"""Rows whose tests no planted fault has shown to fail; to be empty."""


def told() -> dict[str, set[str]]:
    """The tests that each row of the page names."""
    found: dict[str, set[str]] = {}
    for section in re.split(r"^## ", PAGE.read_text(), flags=re.MULTILINE)[1:]:
        row = section.partition(":")[0].lower()
        row = row.upper() if row.upper() in GUARANTEES else row
        if row in (*GUARANTEES, *OTHERS):
            found[row] = {"::".join(t) for t in re.findall(r"`(tests/[\w./]+)::(\w+)`", section)}
    return found


def _rows(marks: list[ast.expr]) -> list[str]:
    """The rows that decorators or a module's `pytestmark` name."""
    calls = [m for m in marks if isinstance(m, ast.Call) and ast.unparse(m.func) == "pytest.mark.guarantee"]
    return [str(ast.literal_eval(arg)) for call in calls for arg in call.args]


def marked() -> dict[str, set[str]]:
    """The tests that name a row by their mark."""
    found: dict[str, set[str]] = defaultdict(set)
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        module = ast.parse(path.read_text())
        everywhere: list[str] = []
        for node in module.body:
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "pytestmark":
                everywhere = _rows(node.value.elts if isinstance(node.value, ast.List) else [node.value])
        for node in module.body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                for row in {*everywhere, *_rows(node.decorator_list)}:
                    found[row].add(f"{path.relative_to(ROOT).as_posix()}::{node.name}")
    return found


def test_every_row_is_on_the_page_and_has_a_test_or_says_that_it_has_none() -> None:
    rows = told()
    assert list(rows) == [*GUARANTEES, *OTHERS]
    assert {row for row, tests in rows.items() if not tests} == NOT_PROMISED_YET


def test_a_row_names_exactly_the_tests_that_are_marked_with_it() -> None:
    rows, marks = told(), marked()
    assert set(marks) <= set(rows), "a test names a row that does not exist"
    for row, tests in rows.items():
        assert marks.get(row, set()) == tests, row


def test_every_guarantee_has_a_fault_that_its_own_tests_find() -> None:
    rows = told()
    for fault in faults().values():
        assert (ROOT / fault.harms).exists(), fault.name
        assert fault.row in rows and fault.found_by, fault.name
        for test in fault.found_by:
            assert test.partition("[")[0] in rows[fault.row], f"{fault.name}: {test} is not in row {fault.row}"
    without = set(GUARANTEES) - {fault.row for fault in faults().values()}
    assert without == NOT_PROMISED_YET | WITHOUT_A_FAULT
