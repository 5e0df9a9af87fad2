"""What a service demands of its topics before it says anything on them, and whether Kafka answers at all."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError


class WrongTopic(Exception):
    """A topic is missing, or is set up so that facts would be lost."""


async def verify(bootstrap: str, topics: Iterable[str], partitions: int) -> None:
    """Check that each topic exists, has the partitions, keeps its records for ever and never elects an unclean leader.

    Raises `WrongTopic`, naming the topic, the setting and the way out.
    """
    wanted = sorted(topics)
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        await admin.start()
        found = {t["topic"]: t for t in await admin.describe_topics(wanted)}
        for topic in wanted:
            n = len(found.get(topic, {}).get("partitions", ()))
            if n == 0:
                raise WrongTopic(f"{topic} does not exist; create it with {partitions} partitions")
            if n != partitions:
                raise WrongTopic(f"{topic} has {n} partitions, the setting PARTITIONS says {partitions}")
        answers = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, t) for t in wanted])
        for answer in answers:
            for resource in answer.resources:
                _check(resource[3], {entry[0]: entry[1] for entry in resource[4]})
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
                self._admin = AIOKafkaAdminClient(bootstrap_servers=self._bootstrap, request_timeout_ms=3_000)
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


def _check(topic: str, config: dict[str, str]) -> None:
    if config.get("cleanup.policy") != "delete" or config.get("retention.ms") != "-1":
        raise WrongTopic(f"{topic} must keep facts for ever: cleanup.policy=delete, retention.ms=-1")
    if config.get("retention.bytes") != "-1":
        raise WrongTopic(f"{topic} must keep facts for ever: retention.bytes=-1")
    if config.get("unclean.leader.election.enable") != "false":
        raise WrongTopic(f"{topic} must not elect an unclean leader: unclean.leader.election.enable=false")
