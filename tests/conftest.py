"""What every folder of tests may ask for."""

from collections.abc import Iterator

import pytest

from tests.infrastructure import Infra, infrastructure


@pytest.fixture(scope="session")
def infra() -> Iterator[Infra]:
    """One real Kafka and one real MongoDB for the whole run, started by the first test that asks."""
    with infrastructure() as servers:
        yield servers
