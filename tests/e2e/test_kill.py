"""A service that is killed in the middle of the story and started again ends in the same views."""

import asyncio
from typing import Any

import pytest

from local import story
from local.stack import Stack
from local.stackfile import StackFile

pytestmark = pytest.mark.e2e

PATIENCE = 90.0


def different(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """What the two do not have in common, by its name."""
    cells = {**one.pop("cells"), **one}, {**other.pop("cells"), **other}
    return {k: [each.get(k) for each in cells] for k in {*cells[0], *cells[1]} if cells[0].get(k) != cells[1].get(k)}


@pytest.mark.parametrize(
    ("service", "chapter"),
    [("enrollment", "gathers"), ("matching", "pairs"), ("scheduling", "meets"), ("insights", "meets")],
)
def test_a_killed_service_catches_up(
    stack: Stack, told: StackFile, ending: story.Ending, service: str, chapter: str
) -> None:
    killed = False

    async def kill_and_start_again() -> None:
        nonlocal killed
        await asyncio.sleep(0.5)
        stack.kill_service(service)
        killed = True
        await asyncio.sleep(1)
        stack.start_service(service)

    async def tell() -> story.Ending:
        jobs: list[asyncio.Task[None]] = []

        async def arrived(name: str) -> None:
            if name == chapter:
                jobs.append(asyncio.create_task(kill_and_start_again()))

        try:
            return await story.run(story.Installation.of(told), arrived=arrived, patience=PATIENCE)
        finally:
            await asyncio.gather(*jobs)

    again = asyncio.run(tell())
    assert killed
    assert again.program != ending.program
    assert different(again.summary(), ending.summary()) == {}
