"""Servers of their own for the tests that harm them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.servers import Servers, servers
from tests.chaos.world import warm


@pytest.fixture(scope="session")
def field(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """Three mongod and a Kafka that may be harmed; healed by every test that does."""
    warm()
    with servers(Path(tmp_path_factory.mktemp("chaos"))) as started:
        yield started
