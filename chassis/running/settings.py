"""What a service process is told by its environment (prefix `COUNTERPOINT_`), checked before anything starts."""

from __future__ import annotations

import base64
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from chassis.distributing.access import Access


class Role(StrEnum):
    """Which part of a service this process is. `main` is all but the solver, whose work keeps a processor busy for long
    and has a process of its own."""

    all = "all"
    main = "main"
    api = "api"
    relay = "relay"
    worker = "worker"
    solver = "solver"
    rebuild = "rebuild"
    republish = "republish"

    def does(self, part: Role) -> bool:
        """Whether a process of this role does that part."""
        return self in (Role.all, part) or (self is Role.main and part in (Role.api, Role.relay, Role.worker))


class Process(BaseSettings):
    """What every process is told. Times in seconds unless the name says otherwise; `docs/budgets.md` says why."""

    model_config = SettingsConfigDict(env_prefix="COUNTERPOINT_", extra="ignore", frozen=True)

    environment: Literal["local", "production"] = "production"
    kafka_bootstrap: str
    kafka_user: str | None = None
    kafka_password_file: Path | None = None
    kafka_ca_file: Path | None = None
    http_host: str = "127.0.0.1"
    http_port: int = Field(default=8080, ge=0, le=65535)
    issuer: str
    audience: str = "counterpoint"
    jwks: str
    subject_key_file: Path
    content_key_file: Path | None = None
    operators: Annotated[frozenset[str], NoDecode] = frozenset()
    clock_file: Path | None = None
    spans_file: Path | None = None
    traced_programs: Annotated[frozenset[str], NoDecode] = frozenset()
    traced_share: float = Field(default=0.0, ge=0, le=1)
    log_format: Literal["json", "text"] | None = None
    answer_seconds: float = Field(default=5.0, gt=0)
    stop_seconds: float = Field(default=8.0, gt=0)

    @field_validator("operators", "traced_programs", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return _words(value)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.environment != "local" and (self.clock_file or self.spans_file):
            raise ValueError("CLOCK_FILE and SPANS_FILE are for the local stack only; unset them")
        if (self.kafka_user is None) != (self.kafka_password_file is None):
            raise ValueError("set KAFKA_USER and KAFKA_PASSWORD_FILE (a file that holds it) together, or neither")
        return self

    @cached_property
    def kafka(self) -> Access:
        """The address of the brokers, and who this process is to them."""
        password = self.kafka_password_file.read_text().strip() if self.kafka_password_file else ""
        return Access(self.kafka_bootstrap, self.kafka_user, password, self.kafka_ca_file)

    @cached_property
    def subject_key(self) -> bytes:
        """The key under which issuer and subject of a token are hashed; the same for all services."""
        return _key(self.subject_key_file)

    @cached_property
    def content_key(self) -> bytes:
        """The key that encrypts what this service keeps. Raises where none is configured."""
        if self.content_key_file is None:
            raise ValueError("COUNTERPOINT_CONTENT_KEY_FILE is not set")
        return _key(self.content_key_file)


class Settings(Process):
    """One process of a service."""

    role: Role = Role.all
    mongo_uri: str = ""
    mongo_uri_file: Path | None = None
    relay_mongo_uri: str = ""
    relay_mongo_uri_file: Path | None = None
    mongo_ca_file: Path | None = None
    users: Path | None = None
    mongo_database: str | None = None
    mongo_driver: Literal["motor", "pymongo"] = "motor"
    founders: Annotated[frozenset[str], NoDecode] = frozenset()
    member: str | None = None
    partitions: int = Field(default=4, ge=1, le=1024)
    command_concurrency: int = Field(default=16, ge=1)
    batch_records: int = Field(default=500, ge=1, le=5000)
    rebuild: Literal["forward", "back", "drop-old"] = "forward"
    rebuild_records: int = Field(default=2000, ge=1, le=5000)
    republish: Literal["events", "internal"] = "events"
    republish_partitions: int | None = Field(default=None, ge=1, le=1024)
    sweep_seconds: float = Field(default=0.25, gt=0)
    lease_seconds: float = Field(default=10.0, gt=0)
    beat_seconds: float = Field(default=3600.0, gt=0)
    own_write_seconds: float = Field(default=2.0, gt=0)
    all_heard_seconds: float = Field(default=10.0, gt=0)

    @field_validator("founders", mode="before")
    @classmethod
    def _split_founders(cls, value: object) -> object:
        return _words(value)

    @model_validator(mode="after")
    def _reaches_its_database(self) -> Self:
        if bool(self.mongo_uri) == bool(self.mongo_uri_file) and not (self.role is Role.relay and self._has_relays):
            raise ValueError("set one of MONGO_URI and MONGO_URI_FILE (a file that holds it, for mounted secrets)")
        if self.relay_mongo_uri and self.relay_mongo_uri_file:
            raise ValueError("set one of RELAY_MONGO_URI and RELAY_MONGO_URI_FILE, not both")
        if self.environment != "local" and self.role.does(Role.relay) and not self._has_relays:
            raise ValueError("set RELAY_MONGO_URI or RELAY_MONGO_URI_FILE: whoever inserts facts must not change them")
        if self.partitions & (self.partitions - 1):
            raise ValueError(f"PARTITIONS must be a power of two, not {self.partitions}")
        return self

    @property
    def _has_relays(self) -> bool:
        return bool(self.relay_mongo_uri or self.relay_mongo_uri_file)

    @cached_property
    def mongo(self) -> str:
        """The address of the database, with credentials of the user who decides; in a relay alone, of the relay's."""
        if self.role is Role.relay and self._has_relays:
            return self.relay_mongo
        return self.mongo_uri_file.read_text().strip() if self.mongo_uri_file else self.mongo_uri

    @cached_property
    def relay_mongo(self) -> str:
        """The address with credentials of the relay's user; the same as `mongo` where there is no such user."""
        if not self._has_relays:
            return self.mongo
        return self.relay_mongo_uri_file.read_text().strip() if self.relay_mongo_uri_file else self.relay_mongo_uri


def _words(value: object) -> object:
    return frozenset(s for s in value.split(",") if s) if isinstance(value, str) else value


def _key(path: Path) -> bytes:
    key = base64.b64decode(path.read_text().strip())
    if len(key) < 32:
        raise ValueError(f"the key in {path} has {len(key)} bytes; it needs 32")
    return key
