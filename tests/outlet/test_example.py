"""The programs on the page for subscribers run as they are printed there."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from local.processes import free_ports
from local.tokens import mint
from outlet.program import build
from tests.infrastructure import Infra
from tests.integration.kit import World, until
from tests.outlet.kit import settings

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "subscribing.md").read_text()


def test_the_programs_on_the_page_are_those_among_the_examples() -> None:
    printed = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert printed == [(ROOT / "examples" / name).read_text() for name in ("feed.py", "webhook.py")]


@asynccontextmanager
async def served(world: World, **more: Any) -> AsyncIterator[str]:
    """An outlet at an address; yields it."""
    (port,) = free_ports(1)
    config = uvicorn.Config(build(settings(world, **more), world.catalog), port=port, log_config=None)
    server = uvicorn.Server(config)
    server.install_signal_handlers = lambda: None  # type: ignore[method-assign]
    serving = asyncio.create_task(server.serve())
    try:
        await until(lambda: server.started, 40)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        await serving


async def lines_of(*command: str, count: int, **env: str) -> list[str]:
    """The first lines that a program prints."""
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, env={"PYTHONUNBUFFERED": "1", "PATH": "/usr/bin:/bin", **env}
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(60):
            return [(await process.stdout.readline()).decode().rstrip() for _ in range(count)]
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@pytest.mark.integration
async def test_what_is_printed_runs_and_hears_everything(infra: Infra, tmp_path: Path) -> None:
    world = World(infra, tmp_path)
    async with world.running(world.writer) as writer, served(world) as outlet:
        for n in range(1, 6):
            await world.add(writer, "t", n)
        token = mint(world.folder, "lake")
        program = str(ROOT / "examples" / "feed.py")
        heard = await lines_of(sys.executable, program, outlet, token, count=5)
        stream = world.totals.stream(world.program, "t")
        assert [line.split(" ")[2:4] for line in heard] == [[stream, str(n)] for n in range(1, 6)]
        if shutil.which("curl") is None:
            pytest.skip("NOT TRIED: there is no curl on this machine to run the commands of docs/subscribing.md with")
        commands = re.findall(r"```sh\n(curl -si.*?)```", PAGE, re.DOTALL)[0]
        script = commands.replace("types=PairFormed,PairReleased", "types=Added")
        said = await lines_of("sh", "-ec", script, count=40, TOKEN=token, OUTLET=outlet)
        assert said[0].startswith("HTTP/1.1 200") and stream in "\n".join(said)
        assert "application/cloudevents-batch+json" in "\n".join(said) and "304" in "\n".join(said)


@pytest.mark.integration
async def test_an_endpoint_as_it_is_printed_gets_every_fact(infra: Infra, tmp_path: Path) -> None:
    if shutil.which("curl") is None:
        pytest.skip("NOT TRIED: there is no curl on this machine to run the commands of docs/subscribing.md with")
    world, database, (port,) = World(infra, tmp_path), infra.database(), free_ports(1)
    more = {
        "mongo_uri": database.uri,
        "mongo_database": database.name,
        "content_key_file": world.settings(world.writer).content_key_file,
        "webhook_networks": "127.0.0.0/8",
        "webhook_plain": True,
    }
    make, verify = re.findall(r"```sh\n((?:curl -s -H|ID=).*?)```", PAGE, re.DOTALL)
    make = make.replace('\\"PairFormed\\", \\"PairReleased\\"', '\\"Added\\"')
    async with world.running(world.writer) as writer, served(world, **more) as outlet:
        env = {"TOKEN": mint(world.folder, "lake"), "OUTLET": outlet, "URL": f"http://127.0.0.1:{port}/"}
        (told,) = await lines_of("sh", "-ec", f"cd {tmp_path}; {make}", count=1, **env)
        program = str(ROOT / "examples" / "webhook.py")
        for n in range(1, 6):
            await world.add(writer, "t", n)

        async def verified() -> list[str]:
            await until(lambda: listens(port), 40)
            return await lines_of("sh", "-ec", f"cd {tmp_path}; {verify}", count=1, **env)

        got = lines_of(sys.executable, program, str(port), count=5, SECRET=json.loads(told)["secret"])
        heard, (answer,) = await asyncio.gather(got, verified())
        assert json.loads(answer)["state"] == "active"
        assert [line.split(" ")[3] for line in heard] == ["1", "2", "3", "4", "5"]


def listens(port: int) -> bool:
    """Whether anybody is there."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
