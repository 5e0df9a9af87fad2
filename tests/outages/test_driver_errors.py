"""Whatever the driver raises, wherever in a request: the answer is right, or 503, and a repeat has effect once."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import httpx
import pytest
from pymongo import _csot, errors
from pymongo.synchronous import command_runner

from chassis.running.mongo import Database
from tests.integration.kit import World, until
from tests.outages.kit import asked

pytestmark = [pytest.mark.integration, pytest.mark.guarantee("G10")]

REAL = command_runner._run_command
NOT_ASKED = {"hello", "ping", "isMaster", "endSessions", "getMore", "saslStart", "saslContinue"}


def failure(code: int, name: str, *labels: str) -> Callable[[], Exception]:
    """What a server answers that cannot go on."""
    told = {"ok": 0, "code": code, "codeName": name, "errmsg": name, "errorLabels": list(labels)}
    kind = errors.NotPrimaryError if code in (10107, 189, 91, 11600, 11602) else errors.OperationFailure
    if kind is errors.NotPrimaryError:
        return lambda: errors.NotPrimaryError(name, told)
    return lambda: errors.OperationFailure(name, code, told)


RETRY, AGAIN = "RetryableWriteError", "TransientTransactionError"
RAISED: dict[str, Callable[[], Exception]] = {
    "reset": lambda: errors.AutoReconnect("connection reset by peer"),
    "silent": lambda: errors.NetworkTimeout("timed out"),
    "nobody there": lambda: errors.ServerSelectionTimeoutError("no primary"),
    "pool": lambda: errors.WaitQueueTimeoutError("no connection"),
    "not primary": failure(10107, "NotWritablePrimary", RETRY),
    "interrupted by a change of state": failure(11602, "InterruptedDueToReplStateChange", RETRY),
    "interrupted": failure(11601, "Interrupted"),
    "interrupted, in a transaction": failure(11601, "Interrupted", AGAIN),
    "no such transaction": failure(251, "NoSuchTransaction", AGAIN),
    "write conflict": failure(112, "WriteConflict", AGAIN),
    "snapshot": failure(246, "SnapshotUnavailable", AGAIN),
    "too slow": failure(50, "MaxTimeMSExpired"),
    "host": failure(6, "HostUnreachable", RETRY),
}


class Stumbling:
    """The driver. One call, or every one from it on, fails before the server was asked or after it answered."""

    def __init__(self) -> None:
        self.calls = 0
        self.hits: Counter[str] = Counter()
        self._at = -1
        self._for_good = self._after = False
        self._raised: Callable[[], Exception] = RAISED["reset"]

    def __call__(self, conn: Any, cmd: Any, *args: Any, **options: Any) -> Any:
        name = next(iter(cmd))
        if name in NOT_ASKED or _csot.get_timeout() is None:  # of requests only, not of the parts in the background
            return REAL(conn, cmd, *args, **options)
        self.calls += 1
        hit = self._at >= 0 and (self.calls > self._at if self._for_good else self.calls == self._at + 1)
        if hit:
            self.hits[name] += 1
        if hit and not self._after:
            raise self._raised()
        answer = REAL(conn, cmd, *args, **options)
        if hit:
            raise self._raised()
        return answer

    @contextmanager
    def at(self, call: int, raised: Callable[[], Exception], *, after: bool, for_good: bool = False) -> Iterator[None]:
        self.calls, self._at, self._raised, self._after, self._for_good = 0, call, raised, after, for_good
        try:
            yield
        finally:
            self._at = -1


@pytest.fixture
def looking(world: World) -> World:
    """A world whose driver looks every half second where the primary is, after it was told that it is nowhere."""
    for service, database in world._databases.items():
        uri = f"{database.uri}&heartbeatFrequencyMS=500&serverMonitoringMode=poll"
        world._databases[service] = replace(database, uri=uri)
    return world


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> Stumbling:
    stumbling = Stumbling()
    monkeypatch.setattr(command_runner, "_run_command", stumbling)
    return stumbling


class Teller:
    """Adds one to things, with a stumble on the way, and compares what came of it."""

    def __init__(self, http: httpx.AsyncClient, driver: Stumbling) -> None:
        self.http = http
        self.driver = driver
        self.statuses: Counter[int] = Counter()
        self.runs = 0

    async def add(self, key: str, *things: str) -> httpx.Response:
        body = {"amount": 1, "also": things[1] if things[1:] else None}
        return await self.http.post(f"/tallies/{things[0]}", json=body, headers={"Idempotency-Key": key})

    async def amounts(self, *things: str) -> list[tuple[int, str]]:
        found = []
        for thing in things:
            answer = await self._in_the_end(lambda t=thing: self.http.get(f"/tallies/{t}"))
            found.append((answer.json()["amount"], answer.headers["ETag"]))
        return found

    @staticmethod
    async def _in_the_end(ask: Callable[[], Awaitable[httpx.Response]]) -> httpx.Response:
        """The answer, once it is no 503: a busy machine may need longer than a request has."""

        async def answered() -> httpx.Response | None:
            answer = await ask()
            return None if answer.status_code == 503 else answer

        found: httpx.Response = await until(answered, 30)
        return found

    async def stumble(self, things: tuple[str, ...], call: int, name: str, **how: bool) -> None:
        key, before = secrets.token_hex(8), await self.amounts(*things)
        with self.driver.at(call, RAISED[name], **how):
            first = await self.add(key, *things)
        what = (name, call, how, first.status_code, first.text)
        assert first.status_code in (200, 503), what
        assert first.status_code == 200 or first.headers.get("Retry-After"), what
        again = await self._in_the_end(lambda: self.add(key, *things))
        assert again.status_code == 200, (what, again.text)
        assert first.status_code == 503 or first.json()["after"] == again.json()["after"], (what, again.text)
        assert await self.amounts(*things) == [(a + 1, f'"{a + 1}"') for a, _ in before], what
        self.statuses[first.status_code] += 1
        self.runs += 1


@pytest.mark.parametrize("things", [("one",), ("one", "two")], ids="-".join)
async def test_a_command_that_meets_any_error_anywhere_is_answered_rightly_or_later(
    looking: World, driver: Stumbling, things: tuple[str, ...]
) -> None:
    async with asked(looking, "writer", answer_seconds=1.0) as (http, _):
        teller = Teller(http, driver)
        driver.calls = 0
        await teller._in_the_end(lambda: teller.add("first", *things))
        calls = driver.calls
        assert calls >= len(things) + 1
        for call in range(calls):
            for n, name in enumerate(RAISED):  # over all calls, each both before the server acts and after
                await teller.stumble(things, call, name, after=bool((call + n) % 2))
        for call in range(calls):
            for name in ("reset", "no such transaction"):
                await teller.stumble(things, call, name, after=False, for_good=True)
    assert teller.runs == calls * (len(RAISED) + 2)
    assert driver.hits["insert"] and driver.hits["find"] and (len(things) == 1 or driver.hits["commitTransaction"])
    assert min(teller.statuses[200], teller.statuses[503]) > 10, teller.statuses


async def test_what_fails_while_the_dead_are_looked_for_is_no_failure_of_ours(
    world: World, driver: Stumbling, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with asked(world, "writer", answer_seconds=1.0) as (http, app):
        teller = Teller(http, driver)
        database: Database = app.state.runtime.database
        await teller._in_the_end(lambda: teller.add("first", "one", "two"))
        looked = 0
        real = Database._end_dead

        async def looking(self: Database) -> int:
            nonlocal looked
            looked += self is database
            return await real(self)

        monkeypatch.setattr(Database, "_end_dead", looking)
        for name in ("write conflict", "no such transaction", "reset"):
            await teller.stumble(("one", "two"), 2, name, after=False, for_good=True)
    assert looked > 0
