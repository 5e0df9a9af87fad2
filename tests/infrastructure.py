"""A real Kafka and a real MongoDB for tests: containers where a Docker engine answers, child processes elsewhere."""

import secrets
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pymongo import MongoClient
from pymongo.errors import PyMongoError

from local.mongod import PARTS, REPLICA_SET, ROOT, put_user, put_users, uri
from local.processes import free_ports
from local.servers import Servers
from local.topics import create_topics

KAFKA_IMAGE = "apache/kafka:4.1.2"
MONGO_IMAGE = "mongo:8.0"


@dataclass(frozen=True)
class Database:
    """A fresh database and the address of a user who may read and write it, and no other."""

    name: str
    uri: str


@dataclass(frozen=True)
class Infra:
    """Where both servers are, and how a test gets things of its own on them."""

    kafka: str
    mongo: str
    by: str  # "containers" or "processes"

    def database(self, name: str | None = None) -> Database:
        """Make a database with a user of its own; by default one with a name nobody else has."""
        name = name or f"test_{secrets.token_hex(6)}"
        password = secrets.token_urlsafe(12)
        with MongoClient[dict[str, Any]](self.mongo) as client:
            put_user(client, name, "tester", password)
            port = client.primary[1] if client.primary else 0
        return Database(name, uri("tester", password, port, name))

    def users(self, name: str) -> dict[str, str]:
        """The address of a database for each of the three users that a service's database has."""
        passwords = {part: secrets.token_urlsafe(12) for part in PARTS}
        with MongoClient[dict[str, Any]](self.mongo) as client:
            put_users(client, name, passwords)
            port = client.primary[1] if client.primary else 0
        return {part: uri(part, password, port, name) for part, password in passwords.items()}

    def topic(self, prefix: str = "test", partitions: int = 4, config: Mapping[str, str] | None = None) -> str:
        """Make a topic that nobody else uses, and answer its name."""
        name = f"{prefix}.{secrets.token_hex(6)}"
        create_topics(self.kafka, {name: config or {}}, partitions)
        return name


@contextmanager
def infrastructure() -> Iterator[Infra]:
    """Both servers, for as long as the block lasts."""
    with _containers() if _engine_answers() else _processes() as infra:
        yield infra


@contextmanager
def _processes() -> Iterator[Infra]:
    with tempfile.TemporaryDirectory(prefix="counterpoint-") as data, Servers(Path(data)) as servers:
        yield Infra(servers.kafka, servers.mongo, "processes")


def _engine_answers() -> bool:
    from docker import from_env
    from docker.errors import DockerException

    try:
        client = from_env(timeout=3)
        try:
            return bool(client.ping())
        finally:
            client.close()
    except DockerException:
        return False


@contextmanager
def _containers() -> Iterator[Infra]:
    from testcontainers.core.container import DockerContainer

    # Each server names itself to its clients by address and port, so both are the same inside and outside.
    mongo_port, kafka_port = free_ports(2)
    password = secrets.token_urlsafe(12)
    start = (
        "head -c 96 /dev/urandom | base64 -w0 > /tmp/keyfile && chmod 400 /tmp/keyfile && chown mongodb /tmp/keyfile"
        f" && exec docker-entrypoint.sh mongod --port {mongo_port} --replSet {REPLICA_SET} --keyFile /tmp/keyfile"
        " --setParameter transactionLifetimeLimitSeconds=10"
    )
    mongo = DockerContainer(MONGO_IMAGE).with_kwargs(entrypoint=["bash", "-c", start])
    mongo.with_env("MONGO_INITDB_ROOT_USERNAME", ROOT).with_env("MONGO_INITDB_ROOT_PASSWORD", password)
    mongo.ports[str(mongo_port)] = ("127.0.0.1", mongo_port)
    kafka = DockerContainer(KAFKA_IMAGE)
    for name, value in _kafka_settings(kafka_port).items():
        kafka.with_env(name, value)
    kafka.ports[str(kafka_port)] = ("127.0.0.1", kafka_port)
    with mongo, kafka:
        _initiate(mongo_port, password)
        _wait_for_kafka(f"127.0.0.1:{kafka_port}")
        yield Infra(f"127.0.0.1:{kafka_port}", uri(ROOT, password, mongo_port), "containers")


def _kafka_settings(port: int) -> dict[str, str]:
    return {
        "KAFKA_NODE_ID": "1",
        "KAFKA_PROCESS_ROLES": "broker,controller",
        "KAFKA_CONTROLLER_QUORUM_VOTERS": "1@127.0.0.1:9093",
        "KAFKA_LISTENERS": f"PLAINTEXT://:{port},CONTROLLER://127.0.0.1:9093",
        "KAFKA_ADVERTISED_LISTENERS": f"PLAINTEXT://127.0.0.1:{port}",
        "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
        "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "KAFKA_AUTO_CREATE_TOPICS_ENABLE": "false",
        "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR": "1",
        "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
        "KAFKA_LOG_MESSAGE_TIMESTAMP_AFTER_MAX_MS": str(2**63 - 1),
    }


def _initiate(port: int, password: str, seconds: float = 60) -> None:
    """Make the container's mongod a replica set of one, once its own entrypoint has made the root user."""
    config = {"_id": REPLICA_SET, "members": [{"_id": 0, "host": f"127.0.0.1:{port}"}]}
    asked = False
    deadline = time.monotonic() + seconds
    with MongoClient[dict[str, Any]](
        "127.0.0.1", port, username=ROOT, password=password, directConnection=True, serverSelectionTimeoutMS=1000
    ) as client:
        while True:
            try:
                if not asked:
                    client.admin.command("replSetInitiate", config)
                    asked = True
                if client.admin.command("hello").get("isWritablePrimary"):
                    return
            except PyMongoError:
                if time.monotonic() > deadline:
                    raise
            time.sleep(0.1)


def _wait_for_kafka(bootstrap: str, seconds: float = 60) -> None:
    from aiokafka.errors import KafkaError

    deadline = time.monotonic() + seconds
    while True:
        try:
            return create_topics(bootstrap, {})
        except (KafkaError, OSError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)
