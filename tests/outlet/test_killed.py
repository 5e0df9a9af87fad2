"""Whoever kills the outlet at whatever moment: every fact is delivered, streams in order, repeats with the same id."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import httpx
import pytest

from local.processes import free_ports
from local.tokens import mint
from tests.infrastructure import Infra
from tests.integration.kit import Traffic, World, until
from tests.outlet.endpoint import endpoint
from tests.outlet.test_webhooks import first_in_order, made

ROOT = Path(__file__).parents[2]


@asynccontextmanager
async def outlet(world: World, env: dict[str, str], port: int) -> AsyncIterator[asyncio.subprocess.Process]:
    """A process that answers; killed at the end of the block."""
    name = world.writer.name.removesuffix("w")
    with (world.folder / "outlet.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.outlet.child", name, env=env, cwd=ROOT, stderr=log
        )
    try:
        async with httpx.AsyncClient() as http:

            async def ready() -> bool:
                with suppress(httpx.HTTPError):
                    return (await http.get(f"http://127.0.0.1:{port}/health/ready")).status_code == 200
                return False

            await until(ready, 60)
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


@pytest.mark.integration
@pytest.mark.guarantee("running")
async def test_every_fact_is_delivered_whatever_is_killed(infra: Infra, tmp_path: Path) -> None:
    world = World(infra, tmp_path)
    told, database, (port,) = world.settings(world.writer), infra.database(), free_ports(1)
    env = {
        "ENVIRONMENT": "local",
        "KAFKA_BOOTSTRAP": told.kafka_bootstrap,
        "HTTP_PORT": str(port),
        "ISSUER": told.issuer,
        "JWKS": told.jwks,
        "SUBJECT_KEY_FILE": str(told.subject_key_file),
        "CONTENT_KEY_FILE": str(told.content_key_file),
        "MONGO_URI": database.uri,
        "MONGO_DATABASE": database.name,
        "SUBSCRIBERS": json.dumps({"lake": ["*"]}),
        "WEBHOOK_NETWORKS": "127.0.0.0/8",
        "WEBHOOK_PLAIN": "true",
    }
    told_env = {**os.environ, **{f"COUNTERPOINT_{name}": value for name, value in env.items()}}
    async with world.running(world.writer) as writer, endpoint() as here:
        here.wait = 0.02  # so that there is always something on its way
        async with Traffic(world, writer, 5) as traffic:
            async with outlet(world, told_env, port):
                headers = {"Authorization": f"Bearer {mint(world.folder, 'lake')}"}
                async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=30) as http:
                    await made(http, here.url)
                await until(lambda: len(here.facts) > 10, 60)
            for _ in range(2):
                seen = len(here.facts)
                async with outlet(world, told_env, port):
                    await until(lambda seen=seen: len(here.facts) > seen + 10, 60)
        async with outlet(world, told_env, port):
            await until(lambda: sum(first_in_order(here.facts).values()) == len(traffic.said), 60)
    ids: dict[str, set[str]] = {}
    for got in here.facts:
        ids.setdefault(got.event["id"], set()).add(got.headers["webhook-id"])
    assert len(ids) == len(traffic.said) and all(len(each) == 1 for each in ids.values())
