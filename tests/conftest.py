"""What every folder of tests may ask for, and the fault that a run may be told to plant."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests import planted
from tests.infrastructure import Infra, infrastructure

# A busy machine makes anything slow; what a property promises does not depend on that.
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--plant", metavar="FAULT", help="plant this fault of tests/planted before anything is collected")


def pytest_configure(config: pytest.Config) -> None:
    if name := config.getoption("--plant"):
        planted.plant(name)


@pytest.fixture(scope="session")
def infra() -> Iterator[Infra]:
    """One real Kafka and one real MongoDB for the whole run, started by the first test that asks."""
    with infrastructure() as servers:
        yield servers
