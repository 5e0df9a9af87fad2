"""What every folder of tests may ask for, and the fault that a run may be told to plant."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from local import broker
from local.errors import Missing
from tests import planted
from tests.infrastructure import Infra, infrastructure

HERE = Path(__file__).parent

# A busy machine makes anything slow; what a property promises does not depend on that.
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--plant", metavar="FAULT", help="plant this fault of tests/planted before anything is collected")


def pytest_configure(config: pytest.Config) -> None:
    if name := config.getoption("--plant"):
        planted.plant(name)
    if config.getoption("numprocesses", None) and not hasattr(config, "workerinput"):
        with contextlib.suppress(Missing):  # whoever needs them says what is missing
            broker.jars()  # once, before two processes would fetch them side by side


LONGEST = ("chaos", "alarms", "chassis", "programs", "e2e", "outages")
"""The folders that begin, so that at the end no process works long after the others."""
SHARING = ("tests/e2e", "tests/programs")
"""Folders whose files share what takes long to come about."""


class ByFile(LoadScopeScheduling):
    """What shares servers, or counts what was reached, runs in one process: a file, and all of a folder that shares."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return next((folder for folder in SHARING if file.startswith(f"{folder}/")), file)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByFile:
    config.option.loadscopereorder = False  # few tests are not little work
    return ByFile(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    order = {folder: place for place, folder in enumerate(LONGEST)}
    items.sort(key=lambda item: order.get(item.path.relative_to(HERE).parts[0], len(order)))


@pytest.fixture(scope="session")
def infra() -> Iterator[Infra]:
    """One real Kafka and one real MongoDB for the whole run, started by the first test that asks."""
    with infrastructure() as servers:
        yield servers
