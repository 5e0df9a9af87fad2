"""What a fact does to the document of its stream, as a model of `chassis/receiving/folding.py`."""

from __future__ import annotations

from typing import NamedTuple

GAP, FAILED, REWRITTEN = "gap", "failed", "rewritten"


class Fact(NamedTuple):
    """A version of a stream; `other` tells the same version with other content."""

    stream: int
    version: int
    other: int = 0


class Doc(NamedTuple):
    """What is kept of a stream: the version seen, whose content that was, each effect there was, and why it waits."""

    version: int = 0
    other: int = 0
    effects: tuple[int, ...] = ()
    parked: tuple[()] | tuple[str, int] = ()


Rows = tuple[Fact, ...]
"""The facts that wait, by version; of one version the first that came is first."""


def hear(doc: Doc, rows: Rows, fact: Fact, broken: frozenset[Fact]) -> tuple[Doc, Rows]:
    """Take one fact; `broken` are those whose fold raises."""
    if fact.version <= doc.version:
        if fact.version == doc.version and fact.other != doc.other:
            return doc._replace(parked=(REWRITTEN, doc.version)), _park(rows, fact)
        return doc, rows
    if doc.parked and not (doc.parked[0] == GAP and fact.version == doc.version + 1):
        return doc, _park(rows, fact)
    if fact.version > doc.version + 1:
        return doc._replace(parked=(GAP, doc.version + 1)), _park(rows, fact)
    if fact in broken:
        return doc._replace(parked=(FAILED, fact.version)), _park(rows, fact)
    applied = apply(doc, fact)
    return drain(applied, rows, broken) if doc.parked else (applied, rows)


def drain(doc: Doc, rows: Rows, broken: frozenset[Fact]) -> tuple[Doc, Rows]:
    """Apply what waits, as far as it goes."""
    while rows:
        fact = rows[0]
        if fact.version > doc.version + 1:
            return doc._replace(parked=(GAP, doc.version + 1)), rows
        if fact.version == doc.version and fact.other != doc.other:
            return doc._replace(parked=(REWRITTEN, doc.version)), rows
        if fact.version > doc.version:
            if fact in broken:
                return doc._replace(parked=(FAILED, fact.version)), rows
            doc = apply(doc, fact)
        rows = rows[1:]
    return doc._replace(parked=()), rows


def apply(doc: Doc, fact: Fact) -> Doc:
    """Give a fact effect, whatever the document has seen."""
    return doc._replace(version=fact.version, other=fact.other, effects=(*doc.effects, fact.version))


def _park(rows: Rows, fact: Fact) -> Rows:
    return rows if fact in rows else tuple(sorted((*rows, fact), key=lambda f: f.version))
