"""The part of MongoDB's language that the chassis uses, on plain documents: does one match, and what does it become."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

Document = dict[str, Any]
Matches = Callable[[Document], bool]

_KINDS: tuple[tuple[type | tuple[type, ...], int], ...] = (
    (bool, 8),
    ((int, float), 2),
    (str, 3),
    (dict, 4),
    (list, 5),
    (bytes, 6),
    (datetime, 9),
)


def matcher(query: Mapping[str, Any], now: datetime) -> Matches:
    """Whether a document matches. Raises `NotImplementedError` for what is not known here."""
    tests = [_clause(field, wanted, now) for field, wanted in query.items()]
    if len(tests) == 1:
        return tests[0]
    return lambda doc: all(test(doc) for test in tests)


def _clause(field: str, wanted: Any, now: datetime) -> Matches:
    if field == "$or":
        ways = [matcher(way, now) for way in wanted]
        return lambda doc: any(way(doc) for way in ways)
    if field == "$expr":
        ((name, (left, right)),) = wanted.items()
        compare = _COMPARE[name]
        return lambda doc: compare(_key(evaluate(left, doc, now)), _key(evaluate(right, doc, now)))
    if field.startswith("$"):
        raise NotImplementedError(field)
    if _is_operators(wanted):
        tests = [_test(name, value) for name, value in wanted.items()]
        return lambda doc: all(test(reach(doc, field)) for test in tests)
    if "." not in field and wanted is not None and not isinstance(wanted, list | dict):
        return lambda doc: (found := doc.get(field)) == wanted or (isinstance(found, list) and wanted in found)
    return lambda doc: _equals(reach(doc, field), wanted)


def _is_operators(wanted: Any) -> bool:
    return isinstance(wanted, dict) and bool(wanted) and next(iter(wanted)).startswith("$")


def _test(name: str, value: Any) -> Callable[[list[Any]], bool]:
    match name:
        case "$in":
            return lambda found: any(_equals(found, v) for v in value)
        case "$nin":
            return lambda found: not any(_equals(found, v) for v in value)
        case "$exists":
            return lambda found: bool(found) == bool(value)
    compare, rank = _COMPARE[name], _rank(value)
    return lambda found: any(_rank(v) == rank and compare(v, value) for v in _with_elements(found))


def _equals(found: list[Any], wanted: Any) -> bool:
    return wanted in _with_elements(found) if found else wanted is None


def _with_elements(found: list[Any]) -> Iterator[Any]:
    for value in found:
        yield value
        if isinstance(value, list):
            yield from value


def reach(doc: Any, path: str) -> list[Any]:
    """Every value at a dotted path; through lists of documents there may be several, and none where it is missing."""
    head, _, rest = path.partition(".")
    if isinstance(doc, list):
        return [value for element in doc if isinstance(element, dict) for value in reach(element, path)]
    if not isinstance(doc, dict) or head not in doc:
        return []
    return reach(doc[head], rest) if rest else [doc[head]]


def evaluate(expression: Any, doc: Document, now: datetime) -> Any:
    """An aggregation expression: a literal, a field's path, the server's time, or a date plus milliseconds."""
    if isinstance(expression, str) and expression.startswith("$"):
        return now if expression == "$$NOW" else next(iter(reach(doc, expression[1:])), None)
    if isinstance(expression, dict) and "$dateAdd" in expression:
        asked = expression["$dateAdd"]
        if asked["unit"] != "millisecond":
            raise NotImplementedError(asked["unit"])
        return evaluate(asked["startDate"], doc, now) + timedelta(milliseconds=asked["amount"])
    if _is_operators(expression):
        raise NotImplementedError(next(iter(expression)))
    return expression


def changed(doc: Document, update: Mapping[str, Any] | Sequence[Document], now: datetime, *, new: bool) -> Document:
    """What an update makes of a document, which stays as it was; `new` where it is being upserted."""
    if isinstance(update, Sequence):
        ((name, fields),) = [item for stage in update for item in stage.items()]
        if name != "$set":
            raise NotImplementedError(name)
        made: Document = _copy(doc)
        return made | {field: evaluate(value, doc, now) for field, value in fields.items()}
    if not update or not next(iter(update)).startswith("$"):
        return {"_id": doc["_id"]} | dict(update) if "_id" in doc else dict(update)
    made = _copy(doc)
    for name, fields in update.items():
        if name == "$setOnInsert" and not new:
            continue
        for path, value in fields.items():
            _CHANGES[name](made, path, value)
    return made


def _copy(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _copy(v) for k, v in value.items()}
    return [_copy(v) for v in value] if isinstance(value, list) else value


def _holder(doc: Document, path: str) -> tuple[Document, str]:
    *way, last = path.split(".")
    for name in way:
        doc = doc.setdefault(name, {})
    return doc, last


def _set(doc: Document, path: str, value: Any) -> None:
    holder, name = _holder(doc, path)
    holder[name] = value


def _unset(doc: Document, path: str, value: Any) -> None:
    if reach(doc, path):
        holder, name = _holder(doc, path)
        holder.pop(name, None)


def _inc(doc: Document, path: str, value: Any) -> None:
    holder, name = _holder(doc, path)
    holder[name] = holder.get(name, 0) + value


def _push(doc: Document, path: str, value: Any) -> None:
    holder, name = _holder(doc, path)
    holder[name] = [*holder.get(name, []), value]


_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "$gt": operator.gt,
    "$gte": operator.ge,
    "$lt": operator.lt,
    "$lte": operator.le,
}
_CHANGES = {"$set": _set, "$setOnInsert": _set, "$unset": _unset, "$inc": _inc, "$push": _push}


def seed(query: Mapping[str, Any]) -> Document:
    """What an upsert begins with: the fields that the query names by their value."""
    return {k: v for k, v in query.items() if not k.startswith("$") and not _is_operators(v)}


def ordered(docs: list[Document], by: Sequence[tuple[str, int]]) -> list[Document]:
    """Sorted by fields, 1 for rising and -1 for falling; documents without a field are first."""
    for field, direction in reversed(by):
        docs = sorted(docs, key=lambda doc: _key(next(iter(reach(doc, field)), None)), reverse=direction < 0)
    return docs


def projected(doc: Document, fields: Mapping[str, Any]) -> Document:
    """Only these fields (of the first level) and the `_id`."""
    if not all(value == 1 and "." not in field for field, value in fields.items()):
        raise NotImplementedError(f"a projection {fields}")
    return {name: value for name, value in doc.items() if name in fields or name == "_id"}


def _rank(value: Any) -> int:
    for kind, rank in _KINDS:
        if isinstance(value, kind):
            return rank
    return 0


def _key(value: Any) -> tuple[int, Any]:
    rank = _rank(value)
    return rank, value if rank else 0
