"""The catalogue: every fact by name, every category, and how a stored fact of any age becomes the newest model."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from types import ModuleType
from typing import Any

from pydantic import ValidationError

from contracts.envelope import Unreadable
from contracts.fact import Fact
from contracts.streams import Category

Upcast = Callable[[dict[str, Any]], dict[str, Any]]
"""From the fields of one version to those of the next; pure."""


class UnknownType(ValueError):
    """A fact this release has never heard of: count it and go on."""


class NewerVersion(Unreadable):
    """A fact we know, in a version that is newer than this release: wait for the release, never guess.

    `needs` is what that release reads: `<fact>:<version>`.
    """

    def __init__(self, type_: str, v: int, newest: int) -> None:
        super().__init__(f"{type_} version {v} is newer than {newest}, the newest this release reads")
        self.needs = f"{type_}:{v}"


class Catalog:
    """All facts of the given modules.

    Raises at construction where two claim one name or a chain of upcasts has a gap.
    """

    def __init__(self, modules: Iterable[ModuleType], upcasts: Mapping[tuple[str, int], Upcast] | None = None) -> None:
        self.facts: dict[str, type[Fact]] = {}
        self.categories: dict[str, Category] = {}
        self.upcasts = dict(upcasts or {})
        for module in modules:
            for thing in vars(module).values():
                if isinstance(thing, Category):
                    self._add_category(thing)
                elif isinstance(thing, type) and issubclass(thing, Fact) and thing.__module__ == module.__name__:
                    if thing.__name__ in self.facts:
                        raise ValueError(f"two facts are called {thing.__name__}")
                    self.facts[thing.__name__] = thing
        for fact in self.facts.values():
            self._add_category(fact.category)
            for v in range(1, fact.v):
                if (fact.__name__, v) not in self.upcasts:
                    raise ValueError(f"{fact.__name__} has no upcast from version {v}")

    def _add_category(self, category: Category) -> None:
        if self.categories.setdefault(category.name, category) != category:
            raise ValueError(f"two services claim the category {category.name}")

    @property
    def reads(self) -> list[str]:
        """Every fact in every version that this release reads, as `<fact>:<version>`."""
        return [f"{name}:{v}" for name, fact in self.facts.items() for v in range(1, fact.v + 1)]

    def read(self, type_: str, v: int, data: str | bytes) -> Fact:
        """The fact in its newest model.

        Raises `UnknownType`, `NewerVersion`, or `Unreadable` where the data do not fit.
        """
        model = self.facts.get(type_)
        if model is None:
            raise UnknownType(type_)
        if v > model.v:
            raise NewerVersion(type_, v, model.v)
        try:
            if v == model.v:
                return model.model_validate_json(data)
            return model.model_validate(self._upcast(type_, v, model.v, data), strict=False)
        except ValidationError as wrong:
            where = "; ".join(".".join(map(str, e["loc"])) + ": " + e["msg"] for e in wrong.errors(include_input=False))
            raise Unreadable(f"{type_} version {v}: {where}") from None

    def _upcast(self, type_: str, v: int, to: int, data: str | bytes) -> dict[str, Any]:
        try:
            fields = json.loads(data)
        except ValueError as wrong:
            raise Unreadable(f"{type_} version {v}: {wrong}") from None
        try:
            for step in range(v, to):
                fields = self.upcasts[type_, step](fields)
            return dict(fields)
        except Exception as wrong:  # any step may raise: only the fact's own stream waits
            raise Unreadable(f"{type_} version {v} cannot be lifted: {type(wrong).__name__}: {wrong}") from None
