"""Pages lead to what exists: files, headings, tests; and each decision is what its title says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, anchors, links, name, pages, prose, rows, spoken_of

DECISIONS = ROOT / "docs" / "decisions"


@pytest.mark.parametrize("page", pages(), ids=name)
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in links(page):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        found = (page.parent / path).resolve() if path else page
        assert found.exists(), f"{target} leads nowhere"
        assert found.is_relative_to(ROOT), f"{target} leads out of the project"
        if anchor and found.suffix == ".md":
            assert anchor in anchors(found), f"{target}: the page has no such heading"


@pytest.mark.parametrize("page", pages(), ids=name)
def test_every_file_and_test_that_is_named_exists(page: Path) -> None:
    for path, test in spoken_of(page):
        assert (ROOT / path).exists(), path
        if test:
            assert re.search(rf"^(async )?def {test}\(", (ROOT / path).read_text(), re.MULTILINE), f"{path}::{test}"


def decisions() -> list[Path]:
    return sorted(DECISIONS.glob("[0-9]*.md"))


def test_decisions_are_numbered_without_gaps_and_listed() -> None:
    assert [int(d.name[:4]) for d in decisions()] == list(range(1, len(decisions()) + 1))
    assert [t for t in links(DECISIONS / "README.md") if t[0].isdigit()] == [d.name for d in decisions()]


@pytest.mark.parametrize("decision", decisions(), ids=name)
def test_a_decision_is_named_by_the_sentence_it_decides(decision: Path) -> None:
    title = decision.read_text().splitlines()[0].removeprefix("# ")
    slug = re.sub(r"[^a-z0-9]+", "-", title.lower().replace("'", "").replace("’", "")).strip("-")
    assert decision.name == f"{decision.name[:4]}-{slug}.md"
    listed = (DECISIONS / "README.md").read_text()
    assert f"[{title}]({decision.name})" in listed
    assert spoken_of(decision), "it does not say where in the code it is"


def test_every_promise_names_a_test_and_the_file_that_keeps_it() -> None:
    page = ROOT / "docs" / "guarantees.md"
    promised = [row for row in rows(page) if len(row) == 4]
    assert len(promised) > 10
    for promise, mechanism, _, tests in promised:
        assert re.search(r"`\w+/[\w./]+`", mechanism), promise
        assert re.search(r"`tests/[\w./]+::\w+`", tests), promise


def test_the_rules_see_what_they_forbid(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# A: *b* `c`\n## A\n## A\n[x](y.md#z) `chassis/no.py::test_it`\n```\n[not](this)\n```\n| a |\n|---|\n| b |\n"
    )
    assert anchors(page) == {"a-b-c", "a", "a-1"}
    assert links(page) == ["y.md#z"]
    assert spoken_of(page) == [("chassis/no.py", "test_it")]
    assert list(rows(page)) == [["b"]]
    assert "not" not in prose(page)
