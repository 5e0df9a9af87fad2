"""What is to be left by those who use it, a fact or a route: since when, until when, and what to take instead."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

NOTICE_DAYS = 180
"""How long at least something goes on after it was deprecated."""


@dataclass(frozen=True)
class Retiring:
    """A version of a fact that is said no more, or a route that is gone, from its `sunset` on.

    `instead` is a whole sentence. Records that were said stay on their topic for ever.
    """

    deprecated: date
    sunset: date
    instead: str

    def __post_init__(self) -> None:
        if (self.sunset - self.deprecated).days < NOTICE_DAYS:
            raise ValueError(f"what is deprecated goes on for at least {NOTICE_DAYS} days")

    def __str__(self) -> str:
        return f"Deprecated since {self.deprecated}, and gone from {self.sunset}. {self.instead}"
