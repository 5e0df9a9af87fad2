"""One whole stack for these tests, and the story told once on it."""

import asyncio
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from local import stackfile, story
from local.stack import Stack
from local.stackfile import StackFile


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """Kafka, MongoDB and the four services, as the demo starts them."""
    planted = "tests.e2e.planted_service" if os.environ.get("COUNTERPOINT_TEST_PLANT") else None
    with tempfile.TemporaryDirectory(prefix="counterpoint-") as data, Stack(Path(data), through=planted) as running:
        running.start_servers()
        running.create_topics()
        running.start_services()
        running.wait_ready()
        yield running


@pytest.fixture(scope="session")
def told(stack: Stack) -> StackFile:
    """What the stack tells other tools."""
    return stackfile.read(stack.data)


@pytest.fixture(scope="session")
def ending(told: StackFile) -> story.Ending:
    """How the story ended; every step of it raises where something else happens."""
    return asyncio.run(story.run(story.Installation.of(told)))
