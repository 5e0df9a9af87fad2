"""Servers of their own for tests that take servers away, and a world on those that everybody shares."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.servers import Servers
from tests.infrastructure import Infra
from tests.integration.kit import World


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    """A Kafka and a MongoDB that a test may stop, kill and start again; it leaves them running."""
    with tempfile.TemporaryDirectory(prefix="counterpoint-") as data, Servers(Path(data)) as running:
        yield running


@pytest.fixture
def apart(servers: Servers, tmp_path: Path) -> World:
    """A world on those servers."""
    return World(Infra(servers.kafka, servers.mongo, "processes"), tmp_path)


@pytest.fixture
def world(infra: Infra, tmp_path: Path) -> World:
    """A world on the servers of the whole run."""
    return World(infra, tmp_path)
