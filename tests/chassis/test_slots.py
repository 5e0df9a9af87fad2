"""Slots and partitions agree with Kafka's own partitioner."""

import pytest
from aiokafka.partitioner import murmur2 as kafkas
from hypothesis import given
from hypothesis import strategies as st

from chassis.distributing.slots import SLOTS, murmur2, partition_of, slot_of


@given(st.binary(max_size=120))
def test_the_hash_is_kafkas(data: bytes) -> None:
    assert murmur2(data) == kafkas(data) & 0xFFFFFFFF


@given(st.text(min_size=1, max_size=80), st.integers(0, 10))
def test_the_partition_follows_from_the_slot(stream: str, power: int) -> None:
    partitions = 2**power
    assert partition_of(stream, partitions) == (kafkas(stream.encode()) & 0x7FFFFFFF) % partitions
    assert 0 <= slot_of(stream) < SLOTS


@pytest.mark.parametrize("partitions", [0, 3, 12, 2048])
def test_a_count_that_does_not_divide_the_slots_is_refused(partitions: int) -> None:
    with pytest.raises(ValueError, match="power of two"):
        partition_of("a/b/c", partitions)
