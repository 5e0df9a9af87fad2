"""The users and their rights as the manifests give them, tried on a real Kafka that speaks TLS and asks who comes."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Iterator
from importlib import import_module
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError, TopicAuthorizationFailedError

from chassis.distributing.access import Access, client
from chassis.distributing.producer import Outgoing, Producer
from chassis.running.runtime import Runtime
from chassis.running.service import Service
from chassis.running.settings import Settings
from local.tokens import AUDIENCE, ISSUER, jwks_file
from local.topics import SERVICES, topic_configs
from tests.deploy.guarded import Guarded, rules
from tests.deploy.guarded import guarded as asking
from tests.deploy.manifests import VERSIONS, misfits, of_kind, rendered
from tests.infrastructure import Infra
from tests.integration.kit import until

PARTITIONS = 2


def service_of(name: str) -> Service:
    found: Service = import_module(f"services.{name}.service").SERVICE
    return found


def heard(service: Service) -> set[str]:
    """The topics that a service subscribes to."""
    categories = {v.category.name for v in service.views} | {f.category.name for f in service.tasks.hears}
    topics = {service.catalog.categories[name].topic for name in categories}
    return {t for t in topics if t} | {s.topic for s in service.states}


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


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    with asking(tmp_path_factory.mktemp("guarded"), PARTITIONS) as kafka:
        yield kafka


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
