"""A subscriber that knows none of Counterpoint's code: confluent-kafka, from the first record to the last."""

import uuid
from dataclasses import dataclass

from confluent_kafka import Consumer, Message, TopicPartition


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
        ends: dict[tuple[str, int], int] = {}
        places = []
        for topic in topics:
            for partition in consumer.list_topics(topic, seconds).topics[topic].partitions:
                first, end = consumer.get_watermark_offsets(TopicPartition(topic, partition), seconds)
                if end > first:
                    ends[topic, partition] = end
                    places.append(TopicPartition(topic, partition, first))
        consumer.assign(places)
        heard: list[Heard] = []
        while ends:
            message = consumer.poll(seconds)
            assert message is not None, f"nothing more comes, and these are not at their end: {ends}"
            assert not message.error(), message.error()
            place = (message.topic(), message.partition())
            if message.offset() < ends.get(place, 0):
                heard.append(_heard(message))
            if message.offset() >= ends.get(place, 0) - 1:
                ends.pop(place, None)
        return heard
    finally:
        consumer.close()


def _heard(message: Message) -> Heard:
    headers = dict(message.headers() or ())
    return Heard(str(message.topic()), message.key() or b"", message.value() or b"", headers)
