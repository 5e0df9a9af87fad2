"""What a service demands of its topics before it says anything on them, and whether Kafka answers at all."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from chassis.distributing.access import client
from chassis.running.spans import Told
from contracts.streams import topic_of

_LOOKS = 300
FACTS = {
    "cleanup.policy": "delete",
    "retention.ms": "-1",
    "retention.bytes": "-1",
    "unclean.leader.election.enable": "false",
}


STATE = {
    "cleanup.policy": "compact",
    "unclean.leader.election.enable": "false",
    # Together these are how long the bytes of an erased person's record stay, at most.
    "segment.ms": "21600000",
    "max.compaction.lag.ms": "21600000",
    "min.cleanable.dirty.ratio": "0.1",
    "delete.retention.ms": "604800000",  # a hearer that was away for a week still learns of an erasure
}


class WrongTopic(Told):
    """A topic is missing, or is set up so that facts would be lost."""


async def verify(bootstrap: str, topics: Mapping[str, int | None]) -> dict[str, int]:
    """Check that each topic exists, has its partitions, keeps its records for ever and never elects an unclean leader.

    `topics` says how many partitions each must have, None where any power of two will do; answers how many it has.

    Raises `WrongTopic`, naming the topic, the setting and the way out.
    """
    wanted, has = sorted(topics), {}
    admin = AIOKafkaAdminClient(**client(bootstrap))
    try:
        await admin.start()
        found = {t["topic"]: t for t in await admin.describe_topics(wanted)}
        for topic in wanted:
            n, partitions = len(found.get(topic, {}).get("partitions", ())), topics[topic]
            if n == 0:
                raise WrongTopic(f"{topic} does not exist; create it with {partitions or 'its'} partitions")
            if n & (n - 1) or n != (partitions or n):
                raise WrongTopic(f"{topic} has {n} partitions, and needs {partitions or 'a power of two'}")
            has[topic] = n
        answers = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, t) for t in wanted])
        for answer in answers:
            for resource in answer.resources:
                _check(resource[3], {entry[0]: entry[1] for entry in resource[4]})
        return has
    finally:
        await admin.close()


async def make(bootstrap: str, facts: Mapping[str, int | None], state: Iterable[str], partitions: int) -> list[str]:
    """Create those of the topics of facts and of the state topics that are missing, and answer their names.

    What exists is looked at and never changed: `WrongTopic` where it has other partitions or settings than it needs.
    """
    state = list(state)
    admin = AIOKafkaAdminClient(**client(bootstrap))
    await admin.start()
    try:
        there = set(await admin.list_topics())
        made = []
        for topic in sorted({*facts, *state} - there):
            how = STATE if topic in state else FACTS
            if await create(bootstrap, topic, facts.get(topic) or partitions, how):
                made.append(topic)
        await verify(bootstrap, facts)
        if state:
            answers = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, t) for t in state])
            for resource in (resource for answer in answers for resource in answer.resources):
                if {entry[0]: entry[1] for entry in resource[4]}.get("cleanup.policy") != "compact":
                    raise WrongTopic(f"{resource[3]} must forget what a newer record replaces: cleanup.policy=compact")
        return made
    finally:
        await admin.close()


class Broker:
    """Asks whether Kafka answers, over a connection of its own that is kept."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._admin: AIOKafkaAdminClient | None = None

    async def ask(self) -> None:
        """Raise where it does not answer; the next time another connection is made."""
        try:
            if self._admin is None:
                self._admin = AIOKafkaAdminClient(**client(self._bootstrap), request_timeout_ms=3_000)
                await self._admin.start()
            await self._admin.describe_cluster()
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Disconnect."""
        admin, self._admin = self._admin, None
        if admin is not None:
            with suppress(KafkaError, OSError):
                await admin.close()


async def create(bootstrap: str, topic: str, partitions: int, config: Mapping[str, str] = FACTS) -> bool:
    """Create a topic, by default one of facts, with the broker's default of replicas; wait until it can be used.

    False where there is one of that name already, which is left as it is.
    """
    admin = AIOKafkaAdminClient(**client(bootstrap))
    await admin.start()
    try:
        answer: Any = await admin.create_topics([NewTopic(topic, partitions, -1, {}, dict(config))])
        ((_, code, *rest),) = answer.topic_errors
        exists = bool(code) and for_code(code) is TopicAlreadyExistsError
        if code and not exists:
            raise WrongTopic(f"{topic} cannot be created: {rest[0] if rest else for_code(code).__name__}")
        for _ in range(_LOOKS):  # the brokers tell each other a moment later
            (found,) = await admin.describe_topics([topic])
            led = [p for p in found["partitions"] if p["leader"] >= 0]
            if led and len(led) == (len(found["partitions"]) if exists else partitions):
                return not exists
            await asyncio.sleep(0.1)
    finally:
        await admin.close()
    raise WrongTopic(f"{topic} was created, and has no leaders yet: ask again in a moment")


def _check(topic: str, config: dict[str, str]) -> None:
    if config.get("cleanup.policy") != "delete" or config.get("retention.ms") != "-1":
        raise WrongTopic(f"{topic} must keep facts for ever: cleanup.policy=delete, retention.ms=-1")
    if config.get("retention.bytes") != "-1":
        raise WrongTopic(f"{topic} must keep facts for ever: retention.bytes=-1")
    if config.get("unclean.leader.election.enable") != "false":
        raise WrongTopic(f"{topic} must not elect an unclean leader: unclean.leader.election.enable=false")


async def present(bootstrap: str, topics: Iterable[str]) -> list[str]:
    """Every generation of these topics that Kafka has. Raises Kafka's errors."""
    wanted = set(topics)
    admin = AIOKafkaAdminClient(**client(bootstrap))
    await admin.start()
    try:
        return sorted(name for name in await admin.list_topics() if topic_of(name) in wanted)
    finally:
        await admin.close()
