"""Faults in how a process is known to Kafka: who it is there, and whether it comes back as the same."""

from __future__ import annotations

from typing import Any

from chassis.distributing import access
from chassis.receiving.consumer import Consumer
from tests.planted import Fault

_MEMBER = "tests/integration/test_member.py::"
_STOP = Consumer.stop
_NEW = access.Access.__new__


async def leaving(self: Consumer, comes_back: bool = False) -> None:
    """Leave the group whoever stops."""
    await _STOP(self)


def as_admin(cls: Any, address: str, user: str | None = None, password: str = "", ca: Any = None) -> Any:
    """Everybody comes as whoever may everything."""
    return _NEW(cls, address, user and "admin", password and "admin-secret", ca)


FAULTS = [
    Fault(
        "a-member-always-leaves",
        "running",
        "chassis/receiving/consumer.py",
        lambda: setattr(Consumer, "stop", leaving),
        (_MEMBER + "test_a_worker_with_a_name_comes_back_to_its_partitions_while_the_others_go_on",),
    ),
    Fault(
        "all-services-share-a-user",
        "running",
        "chassis/distributing/access.py",
        lambda: setattr(access.Access, "__new__", as_admin),
        (
            "tests/deploy/test_kafka_users.py::test_nobody_writes_what_another_service_says",
            "tests/deploy/test_kafka_users.py::test_names_and_addresses_are_read_by_those_who_need_them",
        ),
    ),
]
