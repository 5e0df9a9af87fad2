"""Tells the story of the release whose folder this runs in, to the processes it is told of before each chapter."""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from local import stackfile, story


class Several(Mapping[str, str]):
    """The URL of a service: of its processes in turns."""

    def __init__(self) -> None:
        self.turns: dict[str, Iterator[str]] = {}

    def __getitem__(self, service: str) -> str:
        return next(self.turns[service])

    def __iter__(self) -> Iterator[str]:
        return iter(self.turns)

    def __len__(self) -> int:
        return len(self.turns)


async def main(data: Path) -> None:
    """Say on stdout which chapter begins; read on stdin who answers in it."""
    services = Several()

    async def arrived(chapter: str) -> None:
        print(json.dumps({"chapter": chapter}), flush=True)  # noqa: T201
        urls = json.loads(await asyncio.to_thread(sys.stdin.readline))
        services.turns = {service: itertools.cycle(each) for service, each in urls.items()}

    installation = dataclasses.replace(story.Installation.of(stackfile.read(data)), services=services)
    ending = await story.run(installation, arrived=arrived, patience=120)
    print(json.dumps({"pairs": len(ending.journeys), "tables": len(ending.report["tables"])}), flush=True)  # noqa: T201


asyncio.run(main(Path(sys.argv[1])))
