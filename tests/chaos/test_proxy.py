"""The fault proxy does what it says: a test that believes in a harm which does not happen proves nothing."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from tests.chaos.proxy import Harm, Link
from tests.integration.kit import until

RNG = random.Random(1)
GONE = (ConnectionResetError, BrokenPipeError, asyncio.IncompleteReadError)


@asynccontextmanager
async def echo() -> AsyncIterator[tuple[Link, list[bytes]]]:
    """A link to a server that sends back every line, and what that server has heard."""
    heard: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while line := await reader.readline():
                heard.append(line)
                writer.write(line)
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    link = Link(server.sockets[0].getsockname()[1])
    await link.open()
    try:
        yield link, heard
    finally:
        await link.close()
        server.close()


async def say(link: Link) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection through the link over which one line has gone there and back."""
    reader, writer = await asyncio.open_connection("127.0.0.1", link.port)
    writer.write(b"one\n")
    async with asyncio.timeout(10):
        assert await reader.readexactly(4) == b"one\n"
    return reader, writer


async def test_cut_resets_a_connection_and_a_new_one_works() -> None:
    async with echo() as (link, _):
        reader, writer = await say(link)
        link.do(Harm.cut, RNG)
        with pytest.raises(GONE):
            await reader.readexactly(1)
        await say(link)
        assert link.hits == {Harm.cut: 1}
        writer.close()


async def test_refuse_lets_nobody_in_until_it_is_healed() -> None:
    async with echo() as (link, _):
        link.do(Harm.refuse, RNG)
        with pytest.raises((*GONE, ConnectionRefusedError)):
            await say(link)
        link.heal()
        await say(link)
        assert link.hits[Harm.refuse] == 1


async def test_delay_makes_everything_late() -> None:
    async with echo() as (link, _):
        link.do(Harm.delay, RNG, seconds=0.2)
        began = asyncio.get_running_loop().time()
        await say(link)
        assert asyncio.get_running_loop().time() - began >= 0.4
        assert link.hits[Harm.delay] >= 2


@pytest.mark.parametrize("harm", [Harm.lose_requests, Harm.lose_answers])
async def test_what_is_lost_never_arrives_and_the_connection_ends_with_the_healing(harm: Harm) -> None:
    async with echo() as (link, heard):
        reader, writer = await say(link)
        link.do(harm, RNG)
        writer.write(b"two\n")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await reader.readexactly(1)
        assert heard == [b"one\n", b"two\n"][: 1 if harm is Harm.lose_requests else 2]
        link.heal()
        with pytest.raises(GONE):
            await reader.readexactly(1)
        assert link.hits[harm] == 1
        await say(link)


async def test_a_half_closed_connection_is_heard_and_not_answered() -> None:
    async with echo() as (link, heard):
        reader, writer = await say(link)
        link.do(Harm.half_close, RNG)
        assert await reader.read() == b""
        writer.write(b"two\n")
        await writer.drain()
        await until(lambda: len(heard) == 2)
        assert heard == [b"one\n", b"two\n"]
