"""What the outlet is told by its environment (prefix `COUNTERPOINT_`), checked before anything starts."""

from __future__ import annotations

import hashlib
import hmac
from functools import cached_property

from pydantic import Field, field_validator

from chassis.running.settings import Process

ALL = "*"
"""Among a subscriber's programs: every program there is, and will be."""


class Settings(Process):
    """One process. `subscribers` says which subjects of tokens may hear the facts of which programs."""

    subscribers: dict[str, frozenset[str]] = Field(default_factory=dict)
    feed_page: int = Field(default=1000, ge=1, le=10_000)
    feed_wait_seconds: float = Field(default=30.0, gt=0, le=300)
    feed_waiting: int = Field(default=1000, ge=1)
    feed_each: int = Field(default=8, ge=1)
    feed_readers: int = Field(default=4, ge=1, le=64)

    @field_validator("subscribers")
    @classmethod
    def _of_something(cls, value: dict[str, frozenset[str]]) -> dict[str, frozenset[str]]:
        for subject, programs in value.items():
            if not programs or not subject:
                raise ValueError(f"{subject!r} has no program; name some, or {ALL} for all of them")
            if ALL in programs and len(programs) > 1:
                raise ValueError(f"{subject!r} has {ALL} and more; name either all programs or some")
        return value

    @cached_property
    def cursor_key(self) -> bytes:
        """The key that cursors are sealed with: of this installation, and of nothing else in it."""
        return hmac.new(self.subject_key, b"cursors of the outlet", hashlib.sha256).digest()
