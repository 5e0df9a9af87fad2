"""A real Kafka as the manifests want one: TLS, users who must say a password, and the rights that are given there."""

from __future__ import annotations

import datetime
import ipaddress
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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

from chassis.distributing.access import Access
from local.broker import Kafka
from local.processes import free_ports, stop
from local.topics import SERVICES, topic_configs
from tests.deploy.manifests import of_kind, rendered

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


_USES = (
    "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
    "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
)  # fmt: skip


@dataclass(frozen=True)
class Guarded:
    """A Kafka with the manifests' users and rights, and one user more who may nothing."""

    port: int
    ca: Path

    def access(self, user: str, password: str | None = None) -> Access:
        return Access(f"127.0.0.1:{self.port}", user, password or f"{user}-secret", self.ca)

    @property
    def admin(self) -> dict[str, str]:
        """What a client of confluent-kafka must say to be the one who may everything."""
        return {
            "bootstrap.servers": f"127.0.0.1:{self.port}", "security.protocol": "SASL_SSL",
            "ssl.ca.location": str(self.ca), "sasl.mechanism": "SCRAM-SHA-512",
            "sasl.username": "admin", "sasl.password": "admin-secret",
        }  # fmt: skip


@contextmanager
def guarded(folder: Path, partitions: int) -> Iterator[Guarded]:
    """Such a Kafka on loopback, with every topic, for as long as the block lasts."""
    authority, keystore = certificates(folder)
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
        there = Guarded(port, authority)
        _set_up(there, partitions)
        yield there
    finally:
        stop([kafka.child] if kafka.child else [], 15)


def rules(name: str) -> list[dict[str, Any]]:
    """What the manifests let a service's user do."""
    (user,) = (u for u in of_kind(rendered("prod"), "KafkaUser") if u["metadata"]["name"] == f"counterpoint-{name}")
    found: list[dict[str, Any]] = user["spec"]["authorization"]["acls"]
    return found


def certificates(folder: Path) -> tuple[Path, Path]:
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
        uses = dict.fromkeys(_USES, False) | {"key_cert_sign": i == 0, "digital_signature": i == 1}
        builder = builder.add_extension(
            x509.KeyUsage(**uses), critical=True
        )  # newer Pythons want an authority to say so
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


def _set_up(kafka: Guarded, partitions: int) -> None:
    """Make the topics and give the rights, as Strimzi would; wait until all of it holds."""
    admin = AdminClient(kafka.admin)
    topics = [NewTopic(name, partitions, 1, config=config) for name, config in topic_configs().items()]
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
