"""Reaching addresses that somebody else has named: public ones only, checked at the moment they are connected to."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpcore

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]

ATTEMPT_SECONDS = 15.0
"""How long an endpoint may take to accept a fact: connecting, sending and answering together."""
ANSWER_BYTES = 4096
"""What is read of an answer, at most."""
LONGEST_URL = 2000
_PORTS = (80, 443)
_TRANSLATED = [ipaddress.ip_network(net) for net in ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32")]
"""IPv6 addresses with an IPv4 address in them: where they lead is not told by the address."""


class NotAllowed(Exception):
    """The address is not one that may be reached. The text says why, and nothing of what was found there."""


@dataclass(frozen=True)
class Answer:
    """What an endpoint said: its status, how long it wants to be left alone, and the beginning of the body."""

    status: int
    retry_after: str | None
    body: bytes


def may_be_reached(address: str, allowed: Iterable[Network] = ()) -> bool:
    """Whether this is an address of the public internet, or in one of the networks that are allowed besides."""
    ip: Address = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    if any(ip.version == net.version and ip in net for net in allowed):
        return True
    if any(ip.version == net.version and ip in net for net in _TRANSLATED):
        return False
    return ip.is_global and not (ip.is_multicast or ip.is_reserved or ip.is_unspecified or ip.is_link_local)


def check_url(url: str, *, plain: bool) -> None:
    """Raise `NotAllowed` for what is no address of an endpoint; `plain` allows http."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise NotAllowed("this is no URL") from None
    if len(url) > LONGEST_URL or any(ord(c) <= 32 or ord(c) > 126 for c in url):
        raise NotAllowed(f"a URL has at most {LONGEST_URL} visible ASCII characters")
    if parts.scheme not in (("https", "http") if plain else ("https",)) or not parts.hostname:
        raise NotAllowed("a URL begins with https:// and the name of a host")
    if parts.username or parts.password or parts.fragment:
        raise NotAllowed("a URL has neither a user nor a fragment in it")
    if port is not None and port < 1024 and port not in _PORTS:
        raise NotAllowed("a port is 443, 80, or 1024 and above")


async def resolved(host: str, port: int) -> Sequence[str]:
    """Every address of a name, as the system's resolver tells them."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(each[4][0]) for each in found))


class Guard(httpcore.AsyncNetworkBackend):
    """Connects to the very addresses it has checked, so that a name which answers differently the next time is none
    the wiser; one forbidden address among them is enough to refuse all."""

    def __init__(self, allowed: Sequence[Network] = (), resolve: Resolve = resolved) -> None:
        self._allowed = allowed
        self._resolve = resolve
        self._connect = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the name is httpcore's
        local_address: str | None = None,
        socket_options: Any = None,
    ) -> httpcore.AsyncNetworkStream:
        """A connection to the first of the addresses that answers. Raises `NotAllowed`, httpcore's errors."""
        try:
            addresses = await self._resolve(host, port)
        except (OSError, UnicodeError):  # the latter for labels that no name can have
            raise httpcore.ConnectError("the name has no address") from None
        if not addresses or not all(may_be_reached(address, self._allowed) for address in addresses):
            raise NotAllowed("the name leads to an address that is not public")
        failed: Exception = httpcore.ConnectError("no address answers")
        for address in addresses:
            try:
                return await self._connect.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failed = error
        raise failed

    async def connect_unix_socket(self, *_: Any, **__: Any) -> httpcore.AsyncNetworkStream:
        """Never."""
        raise NotAllowed("no socket of this machine")

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)


class Endpoints:
    """Sends to endpoints. No redirect is followed, no proxy used, and nothing kept of one request for another."""

    def __init__(
        self,
        allowed: Sequence[Network] = (),
        *,
        plain: bool = False,
        resolve: Resolve = resolved,
        trust: ssl.SSLContext | None = None,
        seconds: float = ATTEMPT_SECONDS,
    ) -> None:
        self._plain = plain
        self._seconds = seconds
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=trust or ssl.create_default_context(),
            network_backend=Guard(allowed, resolve),
            max_connections=100,
            max_keepalive_connections=20,
            keepalive_expiry=20.0,
        )

    async def post(self, url: str, headers: dict[str, str], body: bytes) -> Answer:
        """What the endpoint answers. Raises `NotAllowed`, httpcore's errors, OSError, TimeoutError."""
        check_url(url, plain=self._plain)
        host = urlsplit(url).netloc
        told = [("Host", host), ("Content-Length", str(len(body))), *headers.items()]
        async with asyncio.timeout(self._seconds), self._pool.stream("POST", url, headers=told, content=body) as answer:
            found = {name.lower(): value for name, value in answer.headers}
            begun = b""
            async for chunk in answer.aiter_stream():
                begun += chunk
                if len(begun) >= ANSWER_BYTES:
                    break
            after = found.get(b"retry-after")
            return Answer(answer.status, after.decode(errors="replace") if after else None, begun[:ANSWER_BYTES])

    async def close(self) -> None:
        """Disconnect."""
        await self._pool.aclose()
