"""A subscriber that knows none of Counterpoint's code: confluent-kafka, from the first record to the last."""

import uuid
from dataclasses import dataclass

from confluent_kafka import Consumer, TopicPartition


@dataclass(frozen=True)
class Heard:
    """One record as it is on the topic."""

    topic: str
    key: bytes
    value: bytes
    headers: dict[str, bytes]

    @property
    def type(self) -> str:
        """The last word of the CloudEvents type."""
        return self.headers["ce_type"].decode().rpartition(".")[2]

    def everything(self) -> bytes:
        """All bytes of the record, headers included."""
        return b"\n".join([self.key, self.value, *(f"{k}=".encode() + v for k, v in self.headers.items())])


def read_all(bootstrap: str, topics: list[str], seconds: float = 20) -> list[Heard]:
    """Every record of the topics, each partition in its order."""
    consumer = Consumer(
        {"bootstrap.servers": bootstrap, "group.id": f"foreign-{uuid.uuid4()}", "enable.auto.commit": False}
    )
    try:
        heard: list[Heard] = []
        for topic in topics:
            for partition in consumer.list_topics(topic, seconds).topics[topic].partitions:
                heard += _read(consumer, topic, partition, seconds)
        return heard
    finally:
        consumer.close()


def _read(consumer: Consumer, topic: str, partition: int, seconds: float) -> list[Heard]:
    first, end = consumer.get_watermark_offsets(TopicPartition(topic, partition), seconds)
    consumer.assign([TopicPartition(topic, partition, first)])
    heard: list[Heard] = []
    at = first
    while at < end:
        message = consumer.poll(seconds)
        assert message is not None, f"{topic}[{partition}] has nothing more at {at} of {end}"
        assert not message.error(), message.error()
        at = message.offset() + 1
        heard.append(Heard(topic, message.key() or b"", message.value() or b"", dict(message.headers() or ())))
    return heard
