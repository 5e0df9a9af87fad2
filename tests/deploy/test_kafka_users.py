"""The users and their rights as the manifests give them, tried on a real Kafka that speaks TLS and asks who comes."""

from __future__ import annotations

import base64
import datetime
import ipaddress
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError, TopicAuthorizationFailedError
from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    NewTopic,
    ResourcePatternType,
    ResourceType,
)  # fmt: skip
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from chassis.distributing.access import Access, client
from chassis.distributing.producer import Outgoing, Producer
from chassis.running.runtime import Runtime
from chassis.running.service import Service
from chassis.running.settings import Settings
from local.broker import Kafka
from local.processes import free_ports, stop
from local.tokens import AUDIENCE, ISSUER, jwks_file
from local.topics import SERVICES, topic_configs
from tests.deploy.manifests import VERSIONS, misfits, of_kind, rendered
from tests.infrastructure import Infra
from tests.integration.kit import until

PARTITIONS = 2
_GUARDED = """\
listeners=OUTSIDE://127.0.0.1:{{port}},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=OUTSIDE://127.0.0.1:{{port}}
listener.security.protocol.map=OUTSIDE:SASL_SSL,CONTROLLER:PLAINTEXT
inter.broker.listener.name=OUTSIDE
sasl.enabled.mechanisms=SCRAM-SHA-512
sasl.mechanism.inter.broker.protocol=SCRAM-SHA-512
listener.name.outside.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required \
username="admin" password="admin-secret";
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:admin;User:ANONYMOUS
ssl.keystore.type=PEM
ssl.keystore.location={keystore}
ssl.truststore.type=PEM
ssl.truststore.location={authority}
"""


def service_of(name: str) -> Service:
    found: Service = import_module(f"services.{name}.service").SERVICE
    return found


def heard(service: Service) -> set[str]:
    """The topics that a service subscribes to."""
    categories = {v.category.name for v in service.views} | {f.category.name for f in service.tasks.hears}
    topics = {service.catalog.categories[name].topic for name in categories}
    return {t for t in topics if t} | {s.topic for s in service.states}


def rules(name: str) -> list[dict[str, Any]]:
    (user,) = (u for u in of_kind(rendered("prod"), "KafkaUser") if u["metadata"]["name"] == f"counterpoint-{name}")
    found: list[dict[str, Any]] = user["spec"]["authorization"]["acls"]
    return found


@pytest.mark.guarantee("running")
@pytest.mark.parametrize("name", SERVICES)
def test_a_user_may_what_its_service_does_and_nothing_else(name: str) -> None:
    own = {
        "topic": {f"counterpoint.{name}.": ["Read", "Write", "DescribeConfigs"]},
        "group": {f"{name}.inbox.": ["Read"]},
    }
    others = {topic: ["Read"] for topic in heard(service_of(name)) if not topic.startswith(f"counterpoint.{name}.")}
    given: dict[str, dict[str, list[str]]] = {"topic": {}, "group": {}}
    for rule in rules(name):
        assert rule["resource"]["patternType"] == "prefix"
        given[rule["resource"]["type"]][rule["resource"]["name"]] = rule["operations"]
    assert given == {"topic": own["topic"] | others, "group": own["group"]}


def test_a_subscriber_may_read_what_is_public_and_nothing_else() -> None:
    objects = rendered("../examples/subscriber")
    assert [misfit for version in VERSIONS for misfit in misfits(objects, version)] == []
    (user,) = objects
    may = {
        (r["resource"]["type"], r["resource"]["name"], *r["operations"]) for r in user["spec"]["authorization"]["acls"]
    }
    public = {("topic", f"counterpoint.{name}.events", "Read") for name in SERVICES}
    assert may == public | {("group", "subscriber.", "Read")}


def test_the_topics_are_those_of_the_code_and_keep_what_they_must() -> None:
    topics = {t["metadata"]["name"]: t["spec"] for t in of_kind(rendered("prod"), "KafkaTopic")}
    demanded = topic_configs()
    assert topics.keys() == demanded.keys()
    for name, spec in topics.items():
        kept = ("cleanup.policy", "retention.ms", "retention.bytes", "unclean.leader.election.enable")
        for setting in kept:
            assert spec["config"].get(setting) == demanded[name].get(setting), (name, setting)
        assert (spec["replicas"], spec["config"]["min.insync.replicas"]) == (3, "2")


@dataclass(frozen=True)
class Guarded:
    """A Kafka with the manifests' users and rights, and one user more who may nothing."""

    port: int
    ca: Path

    def access(self, user: str, password: str | None = None) -> Access:
        return Access(f"127.0.0.1:{self.port}", user, password or f"{user}-secret", self.ca)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    folder = tmp_path_factory.mktemp("guarded")
    authority, keystore = _certificates(folder)
    port, controller = free_ports(2)
    names = ["admin", "nobody", *(f"counterpoint-{name}" for name in SERVICES)]
    kafka = Kafka(
        folder / "kafka",
        folder / "kafka.log",
        port,
        controller,
        more=_GUARDED.format(controller=controller, keystore=keystore, authority=authority),
        users={name: f"{name}-secret" for name in names},
    )
    kafka.spawn()
    try:
        kafka.wait()
        _set_up(port, authority)
        yield Guarded(port, authority)
    finally:
        stop([kafka.child] if kafka.child else [], 15)


def _certificates(folder: Path) -> tuple[Path, Path]:
    """An authority's certificate, and a broker's key with the certificate that it signed, each a PEM file."""
    now, keys = datetime.datetime.now(datetime.UTC), [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
    names = [x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]) for name in ("authority", "broker")]
    made = []
    for i, name in enumerate(names):
        key_ids = x509.SubjectKeyIdentifier.from_public_key(keys[i].public_key())
        builder = x509.CertificateBuilder().subject_name(name).issuer_name(names[0]).public_key(keys[i].public_key())
        builder = builder.serial_number(x509.random_serial_number())
        builder = builder.not_valid_before(now - datetime.timedelta(1)).not_valid_after(now + datetime.timedelta(1))
        builder = builder.add_extension(x509.BasicConstraints(ca=i == 0, path_length=None), critical=True)
        builder = builder.add_extension(key_ids, critical=False)
        if i:
            alternative = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
            issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(keys[0].public_key())
            builder = builder.add_extension(alternative, critical=False).add_extension(issuer, critical=False)
        made.append(builder.sign(keys[0], hashes.SHA256()).public_bytes(Encoding.PEM))
    authority, keystore = folder / "authority.pem", folder / "broker.pem"
    authority.write_bytes(made[0])
    secret = keys[1].private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    keystore.write_bytes(secret + made[1])
    return authority, keystore


def _set_up(port: int, ca: Path) -> None:
    """Make the topics and give the rights, as Strimzi would; wait until all of it holds."""
    admin = AdminClient(
        {
            "bootstrap.servers": f"127.0.0.1:{port}", "security.protocol": "SASL_SSL", "ssl.ca.location": str(ca),
            "sasl.mechanism": "SCRAM-SHA-512", "sasl.username": "admin", "sasl.password": "admin-secret",
        }
    )  # fmt: skip
    topics = [NewTopic(name, PARTITIONS, 1, config=config) for name, config in topic_configs().items()]
    for done in admin.create_topics(topics).values():
        done.result(30)
    operations = {
        "Read": AclOperation.READ,
        "Write": AclOperation.WRITE,
        "DescribeConfigs": AclOperation.DESCRIBE_CONFIGS,
    }
    kinds = {"topic": ResourceType.TOPIC, "group": ResourceType.GROUP}
    bindings = [
        AclBinding(
            kinds[rule["resource"]["type"]], rule["resource"]["name"], ResourcePatternType.PREFIXED,
            f"User:counterpoint-{name}", "*", operations[operation], AclPermissionType.ALLOW,
        )
        for name in SERVICES
        for rule in rules(name)
        for operation in rule["operations"]
    ]  # fmt: skip
    for done in admin.create_acls(bindings).values():
        done.result(30)


@pytest.fixture
async def running(
    guarded: Guarded, infra: Infra, tmp_path: Path, request: pytest.FixtureRequest
) -> AsyncIterator[Runtime]:
    """A whole service that knows its own user only, ready."""
    service, database = service_of(request.param), infra.database()
    key, password = tmp_path / "key", tmp_path / "password"
    key.write_text(base64.b64encode(b"k" * 32).decode())
    password.write_text(f"counterpoint-{service.name}-secret\n")
    settings = Settings(
        environment="local",
        kafka_bootstrap=f"127.0.0.1:{guarded.port}",
        kafka_user=f"counterpoint-{service.name}",
        kafka_password_file=password,
        kafka_ca_file=guarded.ca,
        mongo_uri=database.uri,
        mongo_database=database.name,
        issuer=ISSUER,
        audience=AUDIENCE,
        jwks=str(jwks_file(tmp_path)),
        subject_key_file=key,
        content_key_file=key,
        partitions=PARTITIONS,
    )
    runtime = Runtime(service, settings)
    runtime.start()
    try:
        await until(lambda: not runtime.waiting_for(), 60)
        yield runtime
    finally:
        await runtime.stop()


@pytest.mark.guarantee("running")
@pytest.mark.integration
@pytest.mark.parametrize("running", SERVICES, indirect=True)
async def test_a_service_works_with_its_users_rights(running: Runtime) -> None:
    """Ready means that it verified its topics, compared them with its journal, and has all its partitions."""
    assert running.without() == []
    assert await running.make_topics() == [], "they are there, and it may look at each"
    assert running.following.consumer is not None
    places = {(x.topic, x.partition) for x in await running.lag()}
    assert places == {(topic, n) for topic in heard(running.service) for n in range(PARTITIONS)}
    producer = Producer(running.settings.kafka)
    await producer.start()
    try:
        for topic in {
            c.topic for c in running.service.catalog.categories.values() if c.service == running.service.name
        }:
            if topic:
                await producer.send(topic, 0, [Outgoing(b"k", b"{}", [])])
    finally:
        await producer.close()


@pytest.mark.guarantee("running")
@pytest.mark.integration
async def test_nobody_writes_what_another_service_says(guarded: Guarded) -> None:
    producer = Producer(guarded.access("counterpoint-matching"))
    await producer.start()
    try:
        with pytest.raises(TopicAuthorizationFailedError):
            await producer.send("counterpoint.enrollment.events", 0, [Outgoing(b"k", b"{}", [])])
    finally:
        await producer.close()


@pytest.mark.guarantee("running")
@pytest.mark.integration
async def test_names_and_addresses_are_read_by_those_who_need_them(guarded: Guarded) -> None:
    people = "counterpoint.enrollment.people"
    readers = {name for name in SERVICES if people in heard(service_of(name))}
    assert readers == {"enrollment", "scheduling"}
    for name in SERVICES:
        consumer = AIOKafkaConsumer(**client(guarded.access(f"counterpoint-{name}")))
        await consumer.start()
        try:
            assert (people in await consumer.topics()) == (name in readers), name
        finally:
            await consumer.stop()


@pytest.mark.integration
@pytest.mark.parametrize("how", ["another password", "no user", "no trust"])
async def test_who_is_not_let_in_is_told_so(guarded: Guarded, how: str) -> None:
    address = f"127.0.0.1:{guarded.port}"
    access = {
        "another password": guarded.access("counterpoint-matching", "guessed"),
        "no user": Access(address, ca=guarded.ca),
        "no trust": Access(address, "counterpoint-matching", "counterpoint-matching-secret"),
    }[how]
    producer = Producer(access)
    with pytest.raises(KafkaError):
        await producer.start()
