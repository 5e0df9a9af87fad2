"""Many JSON Schemas in one document, with what several of them share said once."""

from __future__ import annotations

from typing import Any

from cli.schemas import Schema


class SharedSchemas:
    """The schemas of all values, with what several of them share said once."""

    def __init__(self) -> None:
        self.all: dict[str, Schema] = {}

    def add(self, id: str, schema: Schema) -> None:
        """Take in the schema of one kind of value under its name."""
        names = {name: self._name(name, body, id) for name, body in schema.get("$defs", {}).items()}
        for name, body in schema.get("$defs", {}).items():
            self.all[names[name]] = _with_references(body, names)
        body = {k: v for k, v in schema.items() if not k.startswith("$")} | {"x-schema-id": schema["$id"]}
        self.all[id] = _with_references(body, names)

    def _name(self, name: str, body: Schema, id: str) -> str:
        """A name of its own for a part that has another's name and is another thing."""
        there = self.all.get(name)
        return name if there in (None, body) else f"{id}.{name}"


def _with_references(node: Any, names: dict[str, str]) -> Any:
    if isinstance(node, list):
        return [_with_references(item, names) for item in node]
    if not isinstance(node, dict):
        return node
    if isinstance(reference := node.get("$ref"), str):
        node = node | {"$ref": f"#/components/schemas/{names[reference.rpartition('/')[2]]}"}
    return {k: _with_references(v, names) if k != "$ref" else v for k, v in node.items()}
