"""Servers that are the alarms' own: what is brought about on them would be the trouble of whoever came after."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.infrastructure import Infra, infrastructure


@pytest.fixture(scope="package")
def infra() -> Iterator[Infra]:
    """A Kafka and a MongoDB for these tests alone."""
    with infrastructure() as servers:
        yield servers
