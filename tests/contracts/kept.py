"""What the kept schemas allow: facts of every version that was ever published, made at random."""

from __future__ import annotations

import json
from datetime import UTC
from typing import Any

from hypothesis import strategies as st

from cli.kept import SCHEMAS
from contracts.all import CATALOG
from contracts.types import instant_text

VERSIONS = [(name, v) for name, fact in CATALOG.facts.items() for v in range(1, fact.v + 1)]
OLD = [(name, v) for name, v in VERSIONS if v < CATALOG.facts[name].v]


def schema(name: str, v: int) -> dict[str, Any]:
    """The schema of a fact's version, as it was published."""
    found: dict[str, Any] = json.loads((SCHEMAS / f"{name}.v{v}.json").read_text())
    return found


def facts(name: str, v: int) -> st.SearchStrategy[dict[str, Any]]:
    """The fields of a fact of this version."""
    whole = schema(name, v)
    return _of(whole, whole)


def _of(node: dict[str, Any], whole: dict[str, Any]) -> st.SearchStrategy[Any]:
    match node:
        case {"$ref": ref}:
            return _of(whole["$defs"][ref.rpartition("/")[2]], whole)
        case {"enum": words}:
            return st.sampled_from(words)
        case {"const": word}:
            return st.just(word)
        case {"type": "array", "items": items}:
            return st.lists(_of(items, whole), min_size=node.get("minItems", 0), max_size=node.get("maxItems", 3))
        case {"propertyNames": keys, "additionalProperties": values}:
            return st.dictionaries(_of(keys, whole), _of(values, whole), max_size=3)
        case {"properties": fields}:
            required = {k: _of(f, whole) for k, f in fields.items() if k in node.get("required", ())}
            optional = {k: _of(f, whole) for k, f in fields.items() if k not in required}
            return st.fixed_dictionaries(required, optional=optional)
        case {"type": "integer"}:
            return st.integers(node.get("minimum", 0), node.get("maximum", 10_000))
        case {"type": "boolean"}:
            return st.booleans()
        case {"format": "date"}:
            return st.dates().map(str)
        case {"format": "date-time"}:
            return st.datetimes(timezones=st.just(UTC)).map(instant_text)
        case {"pattern": pattern}:
            return st.from_regex(pattern.replace("$", r"\Z"), fullmatch=True)
    raise TypeError(f"no facts can be made of {node}")
