"""No place in which something can be typed about a person is unknown to the test of erasure."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pytest
from fastapi import FastAPI

from services.enrollment.api.bodies import Login, Mail
from tests.e2e.erasable import OF_PEOPLE, WORDING

SERVICES = ("enrollment", "matching", "scheduling", "insights")
FREE = {m.pattern for kind in (Login, Mail) for m in kind.__metadata__}  # type: ignore[attr-defined]
"""Patterns of texts that are as free as any: logins and addresses."""


def typed(schema: Any, place: str) -> Iterator[str]:
    """The places of free texts: strings that are no id, no word, no date."""
    if isinstance(schema, list):
        for each in schema:
            yield from typed(each, place)
    if not isinstance(schema, dict):
        return
    free = schema.get("pattern") is None or schema["pattern"] in FREE
    if schema.get("type") == "string" and free and not schema.keys() & {"enum", "format", "const"}:
        yield place
    for key, inner in schema.items():
        if key == "properties":
            for name, each in inner.items():
                yield from typed(each, f"{place}/{name}" if "/" not in place else place)
        else:
            yield from typed(inner, place)


def places() -> set[str]:
    found: set[str] = set()
    for service in SERVICES:
        app = FastAPI()
        app.include_router(import_module(f"services.{service}.service").SERVICE.router)
        schemas = app.openapi().get("components", {}).get("schemas", {})
        found |= {p for name, s in schemas.items() if "ValidationError" not in name for p in typed(s, name)}
    return found


@pytest.mark.guarantee("G8")
def test_every_place_for_a_text_is_planted_or_is_wording() -> None:
    assert places() == OF_PEOPLE | WORDING
