"""The same demands on every database and every log: in memory, MongoDB by Motor, and by PyMongo's own client."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from random import Random
from typing import Any

import pytest

from chassis.running.mongo import Database
from chassis.testing.memory import MemoryServer
from chassis.testing.network import Caller, Network
from tests.integration.kit import now

DRIVERS = ["memory", "motor", pytest.param("pymongo", marks=pytest.mark.nightly)]
Connect = Callable[[], Database]


@pytest.fixture(params=DRIVERS)
async def connect(request: pytest.FixtureRequest) -> AsyncIterator[Connect]:
    """Makes clients of one fresh database, each as another process would have it."""
    made: list[Database] = []
    target: Any = None
    server = MemoryServer(now() - timedelta(seconds=asyncio.get_running_loop().time()))
    if request.param != "memory":
        target = request.getfixturevalue("infra").database()

    def another() -> Database:
        if target is None:
            database = server.database("one", Caller(Network(Random(0), slowest=0), "process"))
        else:
            database = Database(target.uri, target.name, driver=request.param)
        made.append(database)
        return database

    yield another
    for database in made:
        await database.close()


@pytest.fixture
def database(connect: Connect) -> Database:
    """One client of a fresh database."""
    return connect()
