"""The outlet beside the tally services, on a real Kafka, asked over HTTP as its subscribers ask."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
from fastapi import FastAPI

from local.tokens import mint
from outlet.program import build
from outlet.runtime import Runtime
from outlet.settings import Settings
from tests.integration.kit import World, until


def settings(world: World, **more: Any) -> Settings:
    """Settings of an outlet on this world's servers."""
    told = world.settings(world.writer)
    return Settings(
        environment="local",
        kafka_bootstrap=told.kafka_bootstrap,
        issuer=told.issuer,
        audience=told.audience,
        jwks=told.jwks,
        subject_key_file=told.subject_key_file,
        **{"subscribers": {"lake": ["*"], "calendar": [world.program]}, **more},
    )


class Outlet:
    """A running outlet, and a client of it."""

    def __init__(self, app: FastAPI, http: httpx.AsyncClient) -> None:
        self.app = app
        self.http = http

    @property
    def runtime(self) -> Runtime:
        runtime: Runtime = self.app.state.runtime
        return runtime


@asynccontextmanager
async def running(world: World, subject: str = "lake", **more: Any) -> AsyncIterator[Outlet]:
    """An outlet that answers, and the client of one subscriber; stopped at the end of the block."""
    app = build(settings(world, **more), world.catalog)
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app)
        headers = {"Authorization": f"Bearer {mint(world.folder, subject)}"}
        async with httpx.AsyncClient(
            transport=transport, base_url="http://outlet", headers=headers, timeout=60
        ) as http:
            outlet = Outlet(app, http)
            await until(lambda: outlet.runtime.hearing.whole, 40)
            yield outlet


class Chain:
    """One subscriber's chain of cursors: what it has had."""

    def __init__(self, **question: Any) -> None:
        self.question = question
        self.cursor: str | None = None
        self.events: list[dict[str, Any]] = []

    async def ask(self, http: httpx.AsyncClient, **more: Any) -> httpx.Response:
        """One page further."""
        after = {"after": self.cursor} if self.cursor else {}
        answer = await http.get("/facts/v1", params={**self.question, **after, **more})
        if answer.status_code == 200:
            self.cursor = answer.headers["Counterpoint-Cursor"]
            self.events += json.loads(answer.content)
        return answer

    async def until_had(self, http: httpx.AsyncClient, count: int, **more: Any) -> None:
        """Ask until so many facts have come."""

        async def had() -> bool:
            answer = await self.ask(http, **more)
            assert answer.status_code in (200, 503), answer.text
            return len(self.events) >= count

        await until(had, 60)

    def once_and_in_order(self) -> None:
        """Each fact once, each stream 1, 2, 3 …"""
        last: Counter[str] = Counter()
        for event in self.events:
            assert int(event["sequence"]) == last[event["subject"]] + 1, event["id"]
            last[event["subject"]] += 1
