"""What the outlet is told by its environment (prefix `COUNTERPOINT_`), checked before anything starts."""

from __future__ import annotations

import hashlib
import hmac
from functools import cached_property
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, field_validator, model_validator
from pydantic_settings import NoDecode

from chassis.running.settings import Process

Network = IPv4Network | IPv6Network
ALL = "*"
"""Among a subscriber's programs: every program there is, and will be."""


class Settings(Process):
    """One process. `subscribers` says which subjects of tokens may hear the facts of which programs."""

    subscribers: dict[str, frozenset[str]] = Field(default_factory=dict)
    mongo_uri: str = ""
    mongo_uri_file: Path | None = None
    mongo_database: str = "counterpoint_outlet"
    webhook_networks: Annotated[tuple[Network, ...], NoDecode] = ()
    webhook_plain: bool = False
    feed_page: int = Field(default=1000, ge=1, le=10_000)
    feed_wait_seconds: float = Field(default=30.0, gt=0, le=300)
    feed_waiting: int = Field(default=1000, ge=1)
    feed_each: int = Field(default=8, ge=1)
    feed_readers: int = Field(default=4, ge=1, le=64)

    @field_validator("webhook_networks", mode="before")
    @classmethod
    def _networks(cls, value: object) -> object:
        return tuple(net for net in value.split(",") if net) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _webhooks_have_a_key(self) -> Self:
        if self.mongo_uri and self.mongo_uri_file:
            raise ValueError("set one of MONGO_URI and MONGO_URI_FILE, or neither: then there are no webhooks")
        if self.has_webhooks and self.content_key_file is None:
            raise ValueError("set CONTENT_KEY_FILE: the secrets of webhooks are encrypted with it")
        return self

    @property
    def has_webhooks(self) -> bool:
        """Whether there is a database for webhooks."""
        return bool(self.mongo_uri or self.mongo_uri_file)

    @cached_property
    def mongo(self) -> str:
        """The address of the database, with credentials."""
        return self.mongo_uri_file.read_text().strip() if self.mongo_uri_file else self.mongo_uri

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
