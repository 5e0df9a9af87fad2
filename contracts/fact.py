"""The base of every fact, and its reading and writing: writers are closed, readers open."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict

from contracts.streams import ORG, Category
from contracts.types import Word


class Unsayable(ValueError):
    """A writer tried to say something that only a reader may see (the word `unknown`)."""


class Value(BaseModel):
    """A group of fields inside a fact."""

    model_config = ConfigDict(frozen=True, extra="ignore", use_enum_values=False, hide_input_in_errors=True)


class Fact(Value):
    """Something that happened. Declared as `class PairFormed(Fact, of=PAIR)`; the docstring is its meaning.

    `of` is the category of stream it belongs to, `v` the version of its fields. Fields the reader does not know are
    ignored; a word it does not know reads as `unknown`.
    """

    category: ClassVar[Category]
    v: ClassVar[int] = 1

    def __init_subclass__(cls, *, of: Category | None = None, v: int = 1, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if of is not None:
            cls.category = of
            cls.v = v

    @property
    def scope(self) -> str:
        """The program this fact belongs to, or `org`."""
        return str(getattr(self, "program", ORG))

    def encode(self) -> str:
        """The JSON text that is stored and published: fields in the order of their declaration, nothing optional unset.

        Raises `Unsayable` where a word is `unknown`.
        """
        for name in type(self).model_fields:
            _refuse_unknown(getattr(self, name), name)
        return self.model_dump_json(exclude_none=True)


def _refuse_unknown(value: object, where: str) -> None:
    if isinstance(value, Word):
        if value.value == "unknown":
            raise Unsayable(f"{where}: 'unknown' is what a reader sees, not what a writer may say")
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            _refuse_unknown(getattr(value, name), f"{where}.{name}")
    elif isinstance(value, dict):
        for key, item in value.items():
            _refuse_unknown(key, where)
            _refuse_unknown(item, where)
    elif isinstance(value, list | tuple):
        for item in value:
            _refuse_unknown(item, where)
