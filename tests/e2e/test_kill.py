"""A service that is killed in the middle of the story and started again ends in the same views."""

import asyncio
from typing import Any

import pytest

from local import stackfile, story
from local.stack import Stack
from local.stackfile import StackFile

pytestmark = pytest.mark.e2e

PATIENCE = 90.0


def different(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """What the two do not have in common, by its name."""
    cells = {**one.pop("cells"), **one}, {**other.pop("cells"), **other}
    return {k: [each.get(k) for each in cells] for k in {*cells[0], *cells[1]} if cells[0].get(k) != cells[1].get(k)}


@pytest.mark.guarantee("G3")
@pytest.mark.parametrize(
    "killed", [{"gathers": "enrollment", "meets": "scheduling"}, {"pairs": "matching", "parts": "insights"}]
)
def test_killed_services_catch_up(stack: Stack, told: StackFile, ending: story.Ending, killed: dict[str, str]) -> None:
    pids: dict[str, int] = told["pids"]

    async def kill_and_start_again(service: str) -> None:
        await asyncio.sleep(0.5)
        stack.kill_service(service)
        await asyncio.sleep(1)
        stack.start_service(service)

    async def tell() -> story.Ending:
        jobs: list[asyncio.Task[None]] = []

        async def arrived(chapter: str) -> None:
            if chapter in killed:
                jobs.append(asyncio.create_task(kill_and_start_again(killed[chapter])))

        try:
            return await story.run(story.Installation.of(told), arrived=arrived, patience=PATIENCE)
        finally:
            await asyncio.gather(*jobs)

    again = asyncio.run(tell())
    now = stackfile.read(stack.data)["pids"]
    assert all(now[service] != pids[service] for service in killed.values())
    assert again.program != ending.program
    assert different(again.summary(), ending.summary()) == {}
