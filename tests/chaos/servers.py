"""The servers that chaos runs on: a replica set of three mongod, and a Kafka that can be killed and comes back."""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pymongo import MongoClient
from pymongo.errors import PyMongoError

from local.broker import Kafka
from local.mongod import PARTS, ROOT, Mongod, new_key, put_users, uri
from local.processes import free_ports, stop
from local.topics import create_topics

Client = MongoClient[dict[str, Any]]
MEMBERS = 3


class Servers:
    """Both, on one data directory. Every method waits, so an event loop calls it in a thread."""

    def __init__(self, data: Path) -> None:
        ports = free_ports(MEMBERS + 2)
        key = new_key()
        logs = data / "logs"
        self.members = [
            Mongod(data / f"mongod-{n}", logs / f"mongod-{n}.log", port, key) for n, port in enumerate(ports[:MEMBERS])
        ]
        self.broker = Kafka(data / "kafka", logs / "kafka.log", ports[-2], ports[-1])

    @property
    def kafka(self) -> str:
        """Kafka's bootstrap address."""
        return self.broker.bootstrap

    @property
    def ports(self) -> list[int]:
        """Where clients connect to: the members of the set, then Kafka."""
        return [*self._mongo_ports, self.broker.port]

    @property
    def _mongo_ports(self) -> list[int]:
        return [m.port for m in self.members]

    def start(self) -> None:
        """Start all of them side by side and wait until they serve."""
        self.broker.spawn()
        for member in self.members:
            member.spawn()
        first, *others = self.members
        first.wait()
        for member in others:
            member.join(first)
        self.broker.wait()
        with self.client() as client:  # of the set: every member knows the root user by now
            client.admin.command("ping")

    def stop(self) -> None:
        """End them all at once: nobody needs their data any more."""
        for child in (self.broker.child, *(m.child for m in self.members)):
            if child is not None:
                child.kill()

    def client(self, **more: Any) -> Client:
        """The root user's client of the whole set."""
        return MongoClient(uri(ROOT, self.members[0].password, self._mongo_ports), tz_aware=True, **more)

    def direct(self, member: Mongod) -> Client:
        """The root user's client of one member."""
        return MongoClient(
            "127.0.0.1",
            member.port,
            username=ROOT,
            password=self.members[0].password,
            directConnection=True,
            serverSelectionTimeoutMS=2000,
        )

    def users(self, database: str) -> dict[str, str]:
        """The address of a database for each of its three users (`local.mongod.PARTS`), made here."""
        passwords = {part: secrets.token_urlsafe(12) for part in PARTS}
        with self.client() as client:
            put_users(client, database, passwords)
        return {part: uri(part, word, self._mongo_ports, database) for part, word in passwords.items()}

    def topics(self, names: Mapping[str, Mapping[str, str]], partitions: int) -> None:
        """Make topics."""
        create_topics(self.kafka, names, partitions)

    # -- what happens to them ---------------------------------------------------------------------------------------

    def primary(self, seconds: float = 60) -> Mongod:
        """The member that is primary now, once there is one."""
        return _until(self._primary, seconds, "primary")

    def _primary(self) -> Mongod | None:
        for member in self.members:
            if member.child is not None and member.child.running:
                with contextlib.suppress(PyMongoError), self.direct(member) as client:
                    if client.admin.command("hello").get("isWritablePrimary"):
                        return member
        return None

    def step_down(self) -> bool:
        """Let the primary give its place to another; whether it did."""
        with contextlib.suppress(PyMongoError), self.direct(self.primary()) as client:
            client.admin.command("replSetStepDown", 5, secondaryCatchUpPeriodSecs=3)
            return True
        return False

    def kill(self, primary: Mongod) -> None:
        """Kill -9 it, and let another one take its place soon; `restart` brings it back."""
        assert primary.child is not None
        primary.child.kill()
        self._elect()

    def kill_alone(self, primary: Mongod, others: Sequence[Mongod]) -> None:
        """Kill -9 a primary after all the others; they come back without it, and one of them takes its place."""
        assert primary.child is not None
        primary.child.kill()
        for member in others:
            self.restart(member)
        self._elect()

    def _elect(self, seconds: float = 20) -> None:
        """Ask the living for a new primary, so that nobody has to wait until they miss the old one."""
        deadline = time.monotonic() + seconds
        while self._primary() is None and time.monotonic() < deadline:
            for member in self.members:
                if member.child is not None and member.child.running:
                    with contextlib.suppress(PyMongoError), self.direct(member) as client:
                        client.admin.command("replSetStepUp")
                        return
            time.sleep(0.1)

    def restart(self, member: Mongod) -> None:
        """Start a killed member on its data again."""
        member.spawn()
        member.wait_listening()

    def restart_kafka(self) -> None:
        """Stop Kafka and start it again on the same data and port."""
        assert self.broker.child is not None
        stop([self.broker.child], 15)
        self.broker.spawn()
        self.broker.wait()

    def heal(self) -> None:
        """Everything runs, there is a primary, and Kafka listens."""
        for member in self.members:
            if member.child is None or not member.child.running:
                self.restart(member)
        if self.broker.child is None or not self.broker.child.running:
            self.broker.spawn()
            self.broker.wait()
        self.primary()


@contextmanager
def servers(data: Path) -> Iterator[Servers]:
    """The servers for as long as the block lasts."""
    made = Servers(data)
    try:
        made.start()
        yield made
    finally:
        made.stop()


def _until(look: Callable[[], Mongod | None], seconds: float, what: str) -> Mongod:
    deadline = time.monotonic() + seconds
    while (found := look()) is None:
        assert time.monotonic() < deadline, f"no {what} after {seconds} s"
        time.sleep(0.05)
    return found
