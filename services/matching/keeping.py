"""What is larger than one document may be: the long lists of a document are kept in parts, compressed, behind its head.

The head is the document without its long lists. A document that has none is its head, as it is; so whatever was kept
whole stays readable.
"""

from __future__ import annotations

import asyncio
import json
import zlib
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from chassis.deciding.commands import Conflict, Write, random_id
from chassis.deciding.documents import Documents

ROWS = 2_000
"""Items of a list that are kept together: of people or pairs some hundred kilobytes, as long as they are compressed."""
TRIES = 5
PARTS = "parts"
Doc = Mapping[str, Any]


class Reading(Protocol):
    """Who reads."""

    @property
    def documents(self) -> Documents: ...


class Packed(NamedTuple):
    """A document as it is kept: the head, and the parts of its long lists by their names."""

    head: dict[str, Any]
    parts: dict[str, dict[str, Any]]


def pack(doc: Doc) -> Packed:
    """Take the long lists out of a document. `parts` of the head says for each the first person of each of its parts,
    or None where its items are no people; and a `stamp`, which its parts have too."""
    stamp, lists = random_id("st"), {}
    parts: dict[str, dict[str, Any]] = {}
    for field, value in doc.items():
        if isinstance(value, list) and len(value) > ROWS:
            split = [value[at : at + ROWS] for at in range(0, len(value), ROWS)]
            lists[field] = [_person(rows[0]) for rows in split]
            parts |= {_name(field, n): {"stamp": stamp, "rows": _packed(rows)} for n, rows in enumerate(split)}
    if not lists:
        return Packed(dict(doc), {})
    head = {field: value for field, value in doc.items() if field not in lists}
    return Packed(head | {PARTS: {"stamp": stamp, "lists": lists}}, parts)


async def puts(keeps: Reading, kind: str, scope: str, id: str, doc: Doc) -> list[Write]:
    """Insert or replace a document, in the transaction of a commit. Parts that it has no more stay, and nobody reads
    them."""
    packed = await asyncio.to_thread(pack, doc)
    writes = [keeps.documents.put(part_of(kind), scope, f"{id}/{name}", part) for name, part in packed.parts.items()]
    return [*writes, keeps.documents.put(kind, scope, id, packed.head)]


async def whole(keeps: Reading, kind: str, scope: str, id: str) -> dict[str, Any] | None:
    """A document, or None."""
    return await _read(keeps, kind, scope, id, None)


async def some(keeps: Reading, kind: str, scope: str, id: str, people: Iterable[str]) -> dict[str, Any] | None:
    """A document with only these people in its long lists of people, which are in the order of their ids; parts without
    any of them are not read."""
    return await _read(keeps, kind, scope, id, set(people))


async def strike(keeps: Reading, kind: str, scope: str, id: str, stays: Callable[[Any], bool]) -> bool:
    """Take rows out of all lists of a document for good, part by part, at once; whether there were any."""
    head, struck = await keeps.documents.get(kind, scope, id), False
    for name in _names(head) if head else ():
        part = await keeps.documents.get(part_of(kind), scope, f"{id}/{name}")
        rows = _unpacked(part["rows"]) if part else []
        left = [row for row in rows if stays(row)]
        if part and len(left) < len(rows):
            await keeps.documents.save(part_of(kind), scope, f"{id}/{name}", {**part, "rows": _packed(left)})
            struck = True
    shorter = head and {field: value if field == PARTS else _without(value, stays) for field, value in head.items()}
    if shorter != head:
        await keeps.documents.save(kind, scope, id, shorter or {})
        struck = True
    return struck


def part_of(kind: str) -> str:
    """The kind of document that the parts of a kind are."""
    return f"{kind}-part"


async def _read(keeps: Reading, kind: str, scope: str, id: str, people: set[str] | None) -> dict[str, Any] | None:
    for _ in range(TRIES):
        head = await keeps.documents.get(kind, scope, id)
        if head is None or PARTS not in head:
            return head
        names = _names(head, people)
        found = await keeps.documents.among(part_of(kind), scope, [f"{id}/{name}" for name in names])
        parts = [found.get(f"{id}/{name}", {}) for name in names]
        if all(part.get("stamp") == head[PARTS]["stamp"] for part in parts):  # else it was replaced in between
            return await asyncio.to_thread(_joined, head, list(zip(names, parts, strict=True)), people)
    raise Conflict(f"the {kind} is being replaced; try again")


def _names(head: Doc, people: set[str] | None = None) -> list[str]:
    """The parts behind a head; only those in which these people are, if they are there."""
    lists = head.get(PARTS, {}).get("lists", {})
    return [
        _name(field, n)
        for field, firsts in lists.items()
        for n in range(len(firsts))
        if people is None or firsts[n] is None or n in {max(0, bisect_right(firsts, p) - 1) for p in people}
    ]


def _joined(head: Doc, parts: Sequence[tuple[str, Doc]], people: set[str] | None) -> dict[str, Any]:
    lists: dict[str, list[Any]] = {field: [] for field in head[PARTS]["lists"]}
    for name, part in parts:
        rows = _unpacked(part["rows"])
        lists[name.partition("/")[0]] += [r for r in rows if people is None or _person(r) in (None, *people)]
    return {field: value for field, value in head.items() if field != PARTS} | lists


def _without(value: Any, stays: Callable[[Any], bool]) -> Any:
    if isinstance(value, dict):
        return {name: _without(inner, stays) for name, inner in value.items()}
    return [row for row in value if stays(row)] if isinstance(value, list) else value


def _person(row: Any) -> str | None:
    return row.get("person") if isinstance(row, dict) else None


def _name(field: str, n: int) -> str:
    return f"{field}/{n:04}"


def _packed(rows: list[Any]) -> bytes:
    return zlib.compress(json.dumps(rows, separators=(",", ":")).encode(), 1)


def _unpacked(data: bytes) -> list[Any]:
    rows: list[Any] = json.loads(zlib.decompress(data))
    return rows
