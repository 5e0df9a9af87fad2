"""A TCP proxy that harms what goes through it: cuts, delays, half-closes, loses one direction, refuses."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import struct
from collections import Counter
from enum import StrEnum

_CHUNK = 64 * 1024


class Harm(StrEnum):
    """What can be done to a link. The last three last until it is healed."""

    cut = "cut"  # both sides are reset
    half_close = "half-close"  # the server says nothing more, while it still hears
    delay = "delay"  # every piece comes late
    lose_requests = "lose-requests"  # what the client says is lost
    lose_answers = "lose-answers"  # what the server says is lost
    refuse = "refuse"  # a new connection is reset, the old ones are cut


class Link:
    """One way from a client to a server, through a port of its own. `hits` counts what really hurt somebody."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.port = 0
        self.hits: Counter[Harm] = Counter()
        self.harm: Harm | None = None
        self.seconds = 0.0
        self.through: set[_Connection] = set()
        self._server: asyncio.Server | None = None

    async def open(self) -> None:
        """Listen on a free port of 127.0.0.1."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Cut everything and stop listening."""
        if self._server is not None:
            self._server.close()
        while self.through:
            for each in list(self.through):
                each.cut()
            await asyncio.sleep(0.01)

    def do(self, harm: Harm, rng: random.Random, *, share: float = 1.0, seconds: float = 0.2) -> None:
        """Harm the link: `cut` and `half_close` a share of its connections now, the others all of it from now on.

        `seconds` is how late each piece comes under `delay`.
        """
        if harm is Harm.cut:
            self._cut(share, rng)
        elif harm is Harm.half_close:
            for each in self._some(share, rng):
                each.half_close()
        else:
            self.harm, self.seconds = harm, seconds
            if harm is Harm.refuse:
                self._cut(1.0, rng)

    def heal(self) -> None:
        """Harm nothing any more. A connection that lost something cannot go on, and is cut."""
        self.harm = None
        for each in list(self.through):
            if each.lost:
                each.cut()

    def _some(self, share: float, rng: random.Random) -> list[_Connection]:
        return [each for each in list(self.through) if rng.random() < share]

    def _cut(self, share: float, rng: random.Random) -> None:
        for each in self._some(share, rng):
            each.cut()
            self.hits[Harm.cut] += 1

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.harm is Harm.refuse:
            self.hits[Harm.refuse] += 1
            _reset(writer)
            return
        try:
            there = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:  # nobody listens there at the moment
            _reset(writer)
            return
        connection = _Connection(self, (reader, writer), there)
        self.through.add(connection)
        try:
            await connection.run()
        finally:
            self.through.discard(connection)


class _Connection:
    """One connection through a link; `lost` says whether anything of it was."""

    def __init__(
        self,
        link: Link,
        client: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        server: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    ) -> None:
        self._link = link
        self._client = client
        self._server = server
        self._deaf = False
        self.lost = False

    async def run(self) -> None:
        """Carry both directions until both have ended."""
        up = self._carry(self._client[0], self._server[1], Harm.lose_requests)
        down = self._carry(self._server[0], self._client[1], Harm.lose_answers)
        try:
            await asyncio.gather(up, down)
        except OSError:
            pass
        finally:
            self.cut()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, loses: Harm) -> None:
        link = self._link
        while data := await reader.read(_CHUNK):
            if link.harm is Harm.delay:
                link.hits[Harm.delay] += 1
                await asyncio.sleep(link.seconds)
            if link.harm is loses or (self._deaf and loses is Harm.lose_answers):
                link.hits[Harm.half_close if self._deaf else loses] += 1
                self.lost = True
                continue
            writer.write(data)
            await writer.drain()
        with contextlib.suppress(OSError, RuntimeError):
            writer.write_eof()

    def half_close(self) -> None:
        """End the direction to the client; what the server still says is lost."""
        self._link.hits[Harm.half_close] += 1
        self._deaf = True
        with contextlib.suppress(OSError, RuntimeError):
            self._client[1].write_eof()

    def cut(self) -> None:
        """Reset both sides."""
        for _, writer in (self._client, self._server):
            _reset(writer)


def _reset(writer: asyncio.StreamWriter) -> None:
    raw = writer.get_extra_info("socket")
    with contextlib.suppress(OSError, AttributeError):
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
