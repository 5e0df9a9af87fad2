"""Readies the servers of docker-compose.yml's stack: the replica set, the users of each database, the topics."""

import time
from collections.abc import Callable
from typing import Any

from aiokafka.errors import KafkaError
from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

from local.compose_keys import MONGO, OUTLET, login, password
from local.mongod import PARTS, REPLICA_SET, ROOT, put_users
from local.topics import SERVICES, create_topics

KAFKA = "kafka:19092"
_ALREADY = 23


def main() -> None:
    """Bring both servers to what the services expect; what is there already stays."""
    with MongoClient[dict[str, Any]](
        f"mongodb://{MONGO}", username=ROOT, password=password(ROOT), directConnection=True
    ) as client:
        _until_done(lambda: _initiate(client))
        for service in (*SERVICES, OUTLET):
            put_users(client, f"counterpoint_{service}", {part: password(login(service, part)) for part in PARTS})
    _until_done(lambda: create_topics(KAFKA))


def _initiate(client: MongoClient[dict[str, Any]]) -> None:
    try:
        client.admin.command("replSetInitiate", {"_id": REPLICA_SET, "members": [{"_id": 0, "host": MONGO}]})
    except OperationFailure as refused:
        if refused.code != _ALREADY:
            raise
    if not client.admin.command("hello").get("isWritablePrimary"):
        raise PyMongoError("there is no primary yet")


def _until_done(do: Callable[[], None], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            return do()
        except (PyMongoError, KafkaError, OSError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


if __name__ == "__main__":
    main()
