"""The pages people read, and what they refer to."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
TOP = (
    "contracts",
    "chassis",
    "services",
    "outlet",
    "cli",
    "local",
    "deploy",
    "tests",
    "bench",
    "docs",
    "examples",
    "requirements",
)


def pages() -> list[Path]:
    """Every page of the project."""
    found = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "chassis").glob("*.md")]
    return sorted(found)


def name(path: Path) -> str:
    """A page's path from the root of the project."""
    return path.relative_to(ROOT).as_posix()


def prose(page: Path) -> str:
    """A page without its blocks of code."""
    return re.sub(r"^```.*?^```", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)


def links(page: Path) -> list[str]:
    """The targets of a page's links and images."""
    return re.findall(r"\]\(([^)\s]+)\)", prose(page))


def anchors(page: Path) -> set[str]:
    """The anchors that a page's headings get: lower case, punctuation dropped, spaces as hyphens, repeats numbered."""
    found: set[str] = set()
    for heading in re.findall(r"^#{1,6} (.+)$", prose(page), re.MULTILINE):
        text = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading.strip())
        slug = re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")
        n = 0
        while (anchor := f"{slug}-{n}" if n else slug) in found:
            n += 1
        found.add(anchor)
    return found


def rows(page: Path) -> Iterator[list[str]]:
    """The cells of every row of a page's tables, headings and rules left out."""
    lines = prose(page).splitlines()
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        if line.startswith("|") and not re.match(r"^\|[\s|:-]+$", line) and not re.match(r"^\|[\s|:-]+$", following):
            yield [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def spoken_of(page: Path) -> list[tuple[str, str | None]]:
    """Files of the project that a page names in code marks, with the test after `::` where it names one."""
    folders = "|".join(TOP)
    found = re.findall(rf"`((?:{folders})/[\w./-]+)(?:::(\w+))?`", prose(page))
    return [(path, test or None) for path, test in found]
