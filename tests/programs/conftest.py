"""What these tests share: the services, and three programs with the same people, the last two at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from local.story.web import Web
from tests.programs import walk
from tests.programs.house import House, house
from tests.programs.season import Season, live, roster, season


@pytest.fixture(scope="package")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """The four services, in this process."""
    with house(tmp_path_factory.mktemp("house")) as running:
        yield running


@dataclass(frozen=True)
class Lives:
    """What three programs have come to, and everything that everybody was answered: `alone` before there were others.

    `answers` has, by the program's letter, each answer under the operation and who asked.
    """

    alone: Season
    first: Season
    second: Season
    answers: dict[str, walk.Answers]


@pytest.fixture(scope="package")
def lives(services: House) -> Lives:
    """Three programs: one that lived alone, and two that then lived at the same time, all with the same people."""
    return asyncio.run(_live(services))


async def _live(services: House) -> Lives:
    async with Web(services.installation, patience=60) as web:
        file = roster(services.folder)
        alone, first, second = (season(letter, web, file) for letter in "cab")
        await live(alone)
        answers = {"c": await walk.read_all(services, alone)}
        await live(first, second)
        for each in (first, second):
            answers[each.letter] = await walk.read_all(services, each)
        return Lives(alone, first, second, answers)
