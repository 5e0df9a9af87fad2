"""mongod and Kafka together, without any service: what integration tests and benchmarks stand on."""

import secrets
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from local import processes
from local.broker import Kafka
from local.mongod import PARTS, Mongod, put_user, put_users, uri
from local.processes import Child, free_ports


class Servers:
    """Both server processes on one data directory; a context manager that starts and stops them.

    `start` raises Missing, Refused or Failed (`local.errors`) and leaves nothing running.
    """

    def __init__(self, data: Path, say: Callable[[str], None] = lambda text: None) -> None:
        self.data = data.resolve()
        self._say = say
        ports = free_ports(3)
        logs = self.data / "logs"
        self._mongod = Mongod(self.data / "mongod", logs / "mongod.log", ports[0])
        self._kafka = Kafka(self.data / "kafka", logs / "kafka.log", ports[1], ports[2])

    @property
    def kafka(self) -> str:
        """Kafka's bootstrap address."""
        return self._kafka.bootstrap

    @property
    def mongo(self) -> str:
        """The root user's address of MongoDB."""
        return self._mongod.uri

    @property
    def children(self) -> dict[str, Child]:
        """The processes by name."""
        found = {"mongod": self._mongod.child, "kafka": self._kafka.child}
        return {name: child for name, child in found.items() if child is not None}

    def start(self) -> None:
        """Start both side by side and wait until both serve."""
        try:
            self._mongod.spawn()  # first: it makes its replica set while Kafka's JVM warms up
            self._kafka.spawn(self._say)
            self._mongod.wait()
            self._kafka.wait()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End both; again does nothing."""
        processes.stop(self.children.values(), 15)
        self._mongod.child = self._kafka.child = None

    def database(self, name: str, user: str, password: str | None = None) -> str:
        """The address of the database for a user who may read and write that one only; made where missing."""
        password = password or secrets.token_urlsafe(24)
        with self._mongod.client() as client:
            put_user(client, name, user, password)
        return uri(user, password, self._mongod.port, name)

    def users(self, database: str) -> dict[str, str]:
        """The address of the database for each of its three users (`local.mongod.PARTS`); made where missing."""
        passwords = {part: secrets.token_urlsafe(24) for part in PARTS}
        with self._mongod.client() as client:
            put_users(client, database, passwords)
        return {part: uri(part, password, self._mongod.port, database) for part, password in passwords.items()}

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
