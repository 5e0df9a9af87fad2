"""An endpoint of a subscriber: a small HTTP server that keeps what it gets, and answers as it is told to."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Got:
    """One request, headers in lower case."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def event(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found


Reply = tuple[int, dict[str, str], bytes]


def accept(got: Got) -> Reply:
    """What a good endpoint answers: the challenge, where it gets one."""
    challenge = got.event.get("challenge")
    return (200, {}, json.dumps({"challenge": challenge}).encode()) if challenge else (204, {}, b"")


@dataclass
class Endpoint:
    """What came, in the order in which it came; `reply` may be changed at any time."""

    url: str = ""
    reply: Callable[[Got], Reply] = accept
    got: list[Got] = field(default_factory=list)
    wait: float = 0.0

    @property
    def facts(self) -> list[Got]:
        """What came but challenges."""
        return [got for got in self.got if "challenge" not in got.event]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                first, *lines = head.decode().strip().split("\r\n")
                headers = {n.lower(): v.strip() for n, _, v in (line.partition(":") for line in lines)}
                got = Got(first.split(" ")[1], headers, await reader.readexactly(int(headers["content-length"])))
                self.got.append(got)
                await asyncio.sleep(self.wait)
                status, more, body = self.reply(got)
                told = "".join(f"{n}: {v}\r\n" for n, v in {"content-length": str(len(body)), **more}.items())
                writer.write(f"HTTP/1.1 {status} X\r\n{told}\r\n".encode() + body)
                await writer.drain()
        except (asyncio.IncompleteReadError, asyncio.CancelledError, OSError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def endpoint(tls: ssl.SSLContext | None = None) -> AsyncIterator[Endpoint]:
    """An endpoint on this machine, for as long as the block lasts."""
    made = Endpoint()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0, ssl=tls)
    made.url = f"{'https' if tls else 'http'}://127.0.0.1:{server.sockets[0].getsockname()[1]}/facts"
    try:
        yield made
    finally:
        server.close()
