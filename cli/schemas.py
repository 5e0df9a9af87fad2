"""The published JSON Schemas: what a record of each fact, and of each state topic, looks like to any program."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

from contracts.all import CATALOG
from contracts.envelope import SCHEMA_URN
from contracts.fact import Fact
from contracts.profiles import PEOPLE, PROFILES, REFERENCE, Person, Profile, Reference, State

DIALECT = "https://json-schema.org/draft/2020-12/schema"

STATES: dict[type[State], tuple[str, str]] = {
    Person: (PEOPLE, "<person>"),
    Profile: (PROFILES, "<program>/<person>"),
    Reference: (REFERENCE, "<program>/<kind>/<id>"),
}
"""The state records, each with its topic and the form of its keys."""

Schema = dict[str, Any]


def meaning(model: type) -> str:
    """The docstring of a model in one line a paragraph."""
    paragraphs = inspect.cleandoc(model.__doc__ or "").split("\n\n")
    return "\n\n".join(" ".join(p.split()) for p in paragraphs)


def file_name(model: type[Fact] | type[State]) -> str:
    """Where the schema of a model's newest version is kept, and its sample."""
    return f"{model.__name__}.v{_version(model)}.json"


def all_schemas() -> dict[str, str]:
    """The text of every schema file, by file name."""
    models: list[type[Fact] | type[State]] = [*CATALOG.facts.values(), *STATES]
    return {file_name(m): json.dumps(schema(m), indent=2, ensure_ascii=False) + "\n" for m in models}


def schema(model: type[Fact] | type[State]) -> Schema:
    """The schema of a record's value as it is written: no `unknown`, nothing null."""
    body = _published(model.model_json_schema())
    head: Schema = {
        "$schema": DIALECT,
        "$id": f"{SCHEMA_URN}{model.__name__}:{_version(model)}",
        "title": model.__name__,
        "description": meaning(model),
    }
    if issubclass(model, Fact):
        head |= {"x-service": model.category.service, "x-category": model.category.name}
        head["x-audience"] = model.category.audience.value
        if model.category.topic:
            head["x-topic"] = model.category.topic
    else:
        topic, key = STATES[model]
        head |= {"x-service": "enrollment", "x-topic": topic, "x-key": key}
    defs = body.pop("$defs", None)
    body = {k: v for k, v in body.items() if k not in head}
    return head | body | ({"$defs": defs} if defs else {})


def _version(model: type[BaseModel]) -> int:
    return model.v if issubclass(model, Fact) else 1


def _published(node: Any, naming: bool = False) -> Any:
    """A node of pydantic's schema without what only our own readers need. `naming`: its keys are names of fields."""
    if isinstance(node, list):
        return [_published(item) for item in node]
    if not isinstance(node, dict):
        return node
    if naming:
        return {name: _published(item) for name, item in node.items()}
    node = {k: v for k, v in node.items() if k != "title" and not (k == "default" and v is None)}
    options = [o for o in node.get("anyOf", ()) if o != {"type": "null"}]
    if len(options) == 1:
        node = options[0] | {k: v for k, v in node.items() if k != "anyOf"}
        node.pop("title", None)
    if "enum" in node:
        node["enum"] = [word for word in node["enum"] if word != "unknown"]
    if "description" in node:
        node["description"] = " ".join(node["description"].split())
    return {k: _published(v, naming=k in ("properties", "$defs")) for k, v in node.items() if k != "default"} | (
        {"default": node["default"]} if "default" in node else {}
    )


_PATTERNS = {
    "^[a-z0-9-]{2,40}$": "tag",
    "^[0-9a-f]{64}$": "SHA-256, hexadecimal",
    "^[a-z]{2,3}(-[A-Z]{2})?$": "language",
    "^[A-Za-z0-9_+/-]{1,40}$": "time zone",
    "^[a-z0-9_-]{1,40}$": "id",
    "^[a-z0-9_]+/[a-z-]+/[a-z0-9_-]+@[1-9][0-9]*$": "`<stream>@<version>`",
}
_FORMATS = {"date": "date", "date-time": "instant (UTC)"}


def resolve(field: Schema, whole: Schema) -> Schema:
    """What a reference of the schema `whole` refers to; anything else is itself."""
    if "$ref" not in field:
        return field
    target: Schema = whole["$defs"][field["$ref"].rpartition("/")[2]]
    return target


def rows(whole: Schema) -> list[tuple[str, str, str]]:
    """Every field of a schema and of each group of fields in it, for people to read: its path, its type, a note."""
    return list(_rows(whole, whole, ""))


def _rows(node: Schema, whole: Schema, within: str) -> Iterator[tuple[str, str, str]]:
    required = node.get("required", ())
    for name, field in node["properties"].items():
        default = field.get("default")
        notes = [
            "" if name in required else f"Default {json.dumps(default)}." if default is not None else "Optional.",
            field.get("description") or resolve(field, whole).get("description", ""),
        ]
        group = resolve(field.get("items", field), whole)
        yield f"{within}{name}", in_words(field, whole), " ".join(filter(None, notes))
        if "properties" in group:
            yield from _rows(group, whole, f"{within}{name}{'[]' if 'items' in field else ''}.")


def in_words(field: Schema, whole: Schema) -> str:
    """The type of a field of the schema `whole`, for people to read."""
    match resolve(field, whole):
        case {"enum": words}:
            return " · ".join(f"`{word}`" for word in words)
        case {"type": "array", "items": items}:
            return f"list of {in_words(items, whole)}"
        case {"propertyNames": keys, "additionalProperties": values}:
            return f"map from {in_words(keys, whole)} to {in_words(values, whole)}"
        case {"patternProperties": one}:
            ((pattern, values),) = one.items()
            return f"map from {_PATTERNS[pattern]} to {in_words(values, whole)}"
        case {"properties": _}:
            return "group"
        case {"type": "integer"}:
            return "integer" + _bounds(field)
        case {"format": form}:
            return _FORMATS[form]
        case {"pattern": pattern}:
            prefix = re.match(r"\^([a-z]{2}_)\[", pattern)
            return f"id `{prefix[1]}…`" if prefix else _PATTERNS[pattern]
    return str(field["type"])


def _bounds(field: Schema) -> str:
    low, high = field.get("minimum"), field.get("maximum")
    if high is not None:
        return f" {low} to {high}"
    return "" if low is None else f" ≥ {low}"
