"""The topics every installation has: their names, partitions and settings, and how they are made."""

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import TopicAlreadyExistsError, for_code

SERVICES = ("enrollment", "matching", "scheduling", "insights")
STATE = ("people", "profiles", "reference")
PARTITIONS = 4

_FACTS = {
    "cleanup.policy": "delete",
    "retention.ms": "-1",  # facts are kept for ever: a new hearer begins at the beginning
    "retention.bytes": "-1",
}
# Small, short segments, so that the bytes of an erased person's record are gone within half a minute. Elsewhere choose
# them longer: `segment.ms` and `max.compaction.lag.ms` together are how long the bytes stay, at most.
_COMPACTED = {
    "cleanup.policy": "compact",
    "segment.bytes": "1048576",
    "segment.ms": "10000",
    "min.cleanable.dirty.ratio": "0.01",
    "max.compaction.lag.ms": "10000",
    "delete.retention.ms": "60000",
    "file.delete.delay.ms": "1000",
}
_EVERY = {"min.insync.replicas": "1", "unclean.leader.election.enable": "false"}


def topic_configs() -> dict[str, dict[str, str]]:
    """Each topic's name and settings, for one broker; with more brokers raise `min.insync.replicas`."""
    facts = {f"counterpoint.{service}.{kind}": _FACTS for service in SERVICES for kind in ("events", "internal")}
    state = {f"counterpoint.enrollment.{name}": _COMPACTED for name in STATE}
    return {name: {**config, **_EVERY} for name, config in {**facts, **state}.items()}


def create_topics(
    bootstrap: str, topics: Mapping[str, Mapping[str, str]] | None = None, partitions: int = PARTITIONS
) -> None:
    """Create those of the topics (all of `topic_configs()`) that do not exist yet, with one replica.

    Raises the KafkaError with which the broker refuses one.
    """
    wanted = topic_configs() if topics is None else topics
    # A thread of its own, because the caller's may already run an event loop.
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, _create(bootstrap, wanted, partitions)).result()


async def _create(bootstrap: str, topics: Mapping[str, Mapping[str, str]], partitions: int) -> None:
    new = [
        NewTopic(name=name, num_partitions=partitions, replication_factor=1, topic_configs=config)
        for name, config in topics.items()
    ]
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        answer: Any = await admin.create_topics(new)
    finally:
        await admin.close()
    for topic, code, *rest in answer.topic_errors:
        kind = for_code(code)
        if code and kind is not TopicAlreadyExistsError:
            raise kind(f"{topic}: {rest[0] if rest else 'refused'}")
