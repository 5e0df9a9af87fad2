"""Speaking to the four services as anybody: HTTP with a token, repeats that are safe, and waits that have an end."""

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Self, TypeVar

import httpx

from local import clock, tokens
from local.stackfile import StackFile

T = TypeVar("T")
Json = dict[str, Any]

IN_FLIGHT = 16
"""Requests under way at a time: what a few hundred people would cause on a busy morning."""

QUIET_SECONDS = 0.3
"""Longer than a relay or a task runner sleeps."""

AFTER_AT_MOST = 20
"""Versions that one request may wait for."""


class StoryFailed(Exception):
    """Something did not happen as the story tells it; the message says what."""


def check(holds: bool, otherwise: str) -> None:
    """Raise StoryFailed with the message unless it holds."""
    if not holds:
        raise StoryFailed(otherwise)


async def together(jobs: Iterable[Awaitable[T]]) -> list[T]:
    """Do all of them side by side; the first failure ends the others."""
    tasks = [asyncio.ensure_future(job) for job in jobs]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        for task in tasks:
            task.cancel()


@dataclass(frozen=True)
class Installation:
    """A running Counterpoint: each service's base URL, bearer tokens for any subject, and its travelling clock."""

    services: Mapping[str, str]
    token: Callable[[str], str]
    now: Callable[[], datetime]
    forward: Callable[[timedelta], object]

    @classmethod
    def of(cls, told: StackFile) -> Self:
        """The stack that a `stack.json` tells of: its local issuer signs, its clock file travels."""
        data, file = Path(told["data"]), Path(told["clock_file"])
        return cls(
            services=told["services"],
            token=lambda subject: tokens.mint(data, subject),
            now=lambda: clock.now(file),
            forward=lambda by: clock.advance(file, by),
        )


@dataclass(frozen=True)
class Answer:
    """A successful answer: its JSON, the ETag of a single thing, and what `Counterpoint-After` may ask for."""

    body: Any
    etag: str | None
    after: tuple[str, ...]

    def __getitem__(self, key: str) -> Any:
        return self.body[key]


class Web:
    """Requests to one installation, a few at a time.

    A request that meets a service which is down or busy (503) is sent again with the same Idempotency-Key until
    `patience` seconds are over: whatever happened to the first one, it takes effect once.
    """

    def __init__(self, installation: Installation, patience: float = 30.0) -> None:
        self.installation = installation
        self.patience = patience
        self._tokens: dict[str, str] = {}
        self._gate = asyncio.Semaphore(IN_FLIGHT)
        # Every request carries a token of its own: no cookies, no proxies.
        self._http = httpx.AsyncClient(timeout=15, trust_env=False, limits=httpx.Limits(max_connections=IN_FLIGHT))

    async def get(self, who: str, service: str, path: str) -> Answer:
        """Ask for something as the subject `who`; StoryFailed where that is refused."""
        return self._success(await self._send(who, "GET", service, path))

    async def post(
        self, who: str, service: str, path: str, body: Json | str | None = None, **headers: str | None
    ) -> Answer:
        """Give a command as the subject `who`; a text is sent as CSV. Header names are given with underscores."""
        return self._success(await self._send(who, "POST", service, path, body or {}, **headers))

    async def put(self, who: str, service: str, path: str, body: Json) -> Answer:
        """Replace something as the subject `who`."""
        return self._success(await self._send(who, "PUT", service, path, body))

    async def patch(self, who: str, service: str, path: str, body: Json) -> Answer:
        """Change a part of something as the subject `who`."""
        return self._success(await self._send(who, "PATCH", service, path, body))

    async def delete(self, who: str, service: str, path: str) -> Answer:
        """Take something back as the subject `who`."""
        return self._success(await self._send(who, "DELETE", service, path))

    async def refused(
        self, status: int, who: str, method: str, service: str, path: str, body: Json | None = None
    ) -> Json:
        """Send what must be refused with the status; answers the problem details."""
        response = await self._send(who, method, service, path, body)
        check(
            response.status_code == status,
            f"{who}: {method} {response.url.path} should be refused with {status}, and is {response.status_code}: "
            f"{response.text[:300]}",
        )
        return dict(response.json())

    async def items(self, who: str, service: str, path: str) -> list[Json]:
        """Every item of a list, page by page."""
        found: list[Json] = []
        after = ""
        while True:
            page = await self.get(who, service, f"{path}?limit=200{after}")
            found += page["items"]
            if not page.body.get("next"):
                return found
            after = f"&after={page['next']}"

    async def seen(self, who: str, service: str, path: str, after: Sequence[str]) -> None:
        """Return once the service has heard of all these `stream@version`s; `path` is any list `who` may read there."""
        chunks = [after[i : i + AFTER_AT_MOST] for i in range(0, len(after), AFTER_AT_MOST)]
        await together(
            self._send(who, "GET", service, f"{path}?limit=1", Counterpoint_After=", ".join(chunk)) for chunk in chunks
        )

    async def until(self, look: Callable[[], Awaitable[T | None]], what: str, seconds: float | None = None) -> T:
        """Look again and again until there is something (or a refusal has become an answer)."""
        seconds = self.patience if seconds is None else seconds
        deadline = time.monotonic() + seconds
        pause, trouble = 0.03, ""
        while True:
            try:
                found = await look()
                if found:
                    return found
            except (StoryFailed, httpx.TransportError) as refusal:
                trouble = f" Last answer: {refusal}"
            if time.monotonic() > deadline:
                raise StoryFailed(f"Waited {seconds:.0f} s in vain: {what}.{trouble}")
            await asyncio.sleep(pause)
            pause = min(pause * 1.4, 0.5)

    async def settled(self) -> dict[str, list[Json]]:
        """Wait until every fact has arrived everywhere and every due task is done; answers the lag of each inbox."""
        quiet = 0
        while quiet < 2:  # what one service finishes may be another's beginning, so look twice
            lag = await self.until(self._quiet, "every inbox has caught up and no task is due")
            quiet += 1
            await asyncio.sleep(QUIET_SECONDS)
        return lag

    async def _quiet(self) -> dict[str, list[Json]]:
        lag: dict[str, list[Json]] = {}
        for service, url in self.installation.services.items():
            response = await self._http.get(f"{url}/health/lag")
            check(response.is_success, f"{service}: {response.text[:300]}")
            health = response.json()
            stuck = health["parked"] + health["tasks"]["parked"]
            check(stuck == 0, f"{service} has parked {stuck} streams, records or tasks")
            behind = sum(item["behind"] for item in health["items"])
            check(health["items"] and behind == 0, f"{service} is {behind} records behind")
            check(health["tasks"]["due"] == 0, f"{service} has {health['tasks']['due']} tasks to do")
            lag[service] = health["items"]
        return lag

    async def _send(
        self, who: str, method: str, service: str, path: str, body: Json | str | None = None, **more: str | None
    ) -> httpx.Response:
        headers = {name.replace("_", "-"): value for name, value in more.items() if value}
        headers["Authorization"] = f"Bearer {self._token(who)}"
        content: Mapping[str, Any] = {}
        if method != "GET":
            headers.setdefault("Idempotency-Key", secrets.token_hex(16))
            content = {"json": body}
        if isinstance(body, str):
            headers["Content-Type"] = "text/csv"
            content = {"content": body.encode()}
        url = f"{self.installation.services[service]}/{service}/v1{path}"
        deadline, pause = time.monotonic() + self.patience, 0.05
        while True:
            try:
                async with self._gate:
                    response = await self._http.request(method, url, headers=headers, **content)
                if response.status_code != 503:
                    return response
                trouble = response.text[:300]
            except httpx.TransportError as error:
                trouble = f"{type(error).__name__} {error}"
            if time.monotonic() > deadline:
                raise StoryFailed(f"{who}: {method} {service} {path}: no answer in {self.patience:.0f} s: {trouble}")
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, 1.0)

    def _token(self, who: str) -> str:
        if who not in self._tokens:
            self._tokens[who] = self.installation.token(who)
        return self._tokens[who]

    @staticmethod
    def _success(response: httpx.Response) -> Answer:
        request = response.request
        check(
            response.is_success,
            f"{request.method} {request.url.path} answered {response.status_code}: {response.text[:500]}",
        )
        body = response.json() if response.content else {}
        after = tuple(body.get("after", ())) if isinstance(body, dict) else ()
        return Answer(body, response.headers.get("ETag"), after)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()
