"""Which slot and which partition a stream belongs to: exactly what Kafka's own default partitioner answers."""

from __future__ import annotations

from functools import lru_cache

SLOTS = 1024
"""Hash buckets of streams. Partition counts are powers of two up to this, so slot mod P is the partition."""

_M = 0x5BD1E995
_MASK = 0xFFFFFFFF


def murmur2(data: bytes) -> int:
    """Kafka's 32-bit MurmurHash2 of a key (the algorithm is Austin Appleby's; the seed is Kafka's)."""
    length = len(data)
    h = (0x9747B28C ^ length) & _MASK
    whole = length & ~3
    for i in range(0, whole, 4):
        k = int.from_bytes(data[i : i + 4], "little") * _M & _MASK
        k = (k ^ (k >> 24)) * _M & _MASK
        h = (h * _M & _MASK) ^ k
    tail = data[whole:]
    if tail:
        h = (h ^ int.from_bytes(tail, "little")) * _M & _MASK
    h = (h ^ (h >> 13)) * _M & _MASK
    return h ^ (h >> 15)


@lru_cache(maxsize=65536)
def slot_of(stream: str) -> int:
    """The slot of a stream, 0 to 1023."""
    return (murmur2(stream.encode()) & 0x7FFFFFFF) % SLOTS


def partition_of(stream: str, partitions: int) -> int:
    """The partition of a stream on a topic of `partitions` (a power of two up to 1024)."""
    if partitions < 1 or partitions > SLOTS or partitions & (partitions - 1):
        raise ValueError(f"{partitions} is not a power of two up to {SLOTS}")
    return slot_of(stream) % partitions
