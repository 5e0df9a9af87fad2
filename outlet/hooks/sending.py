"""Sends what is due for one webhook: each stream in order, a few at once, and only as far ahead as the bound."""

from __future__ import annotations

import asyncio
import logging
import random
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime

import httpcore

from chassis.receiving.records import Record
from chassis.running.clock import Clock
from chassis.running.mongo import Document
from contracts.envelope import from_headers
from outlet import cursor as cursors
from outlet.batch import event
from outlet.cursor import Cursor, Gone
from outlet.hearing import Hearing
from outlet.hooks import retrying
from outlet.hooks.keeping import PAUSED, Delivery, Keeping, new_delivery
from outlet.hooks.reaching import Answer, Endpoints, NotAllowed
from outlet.hooks.signing import Sealing, signature
from outlet.pages import Limits, NotYet, Pages
from outlet.question import Question

BACKLOG = 500
"""Facts that are kept for a webhook before they were accepted; everything behind them stays on the topics."""
AT_ONCE = 8
LOOK_SECONDS = 1.0
FLYING_SECONDS = 0.25
PASSED_SECONDS = 5.0
"""How often it is kept that facts were passed over which the webhook is not for."""
_log = logging.getLogger("counterpoint.outlet")


def question_of(webhook: Document) -> Question:
    """What a webhook is for."""
    types, programs = webhook["types"], webhook["programs"]
    return Question(
        frozenset(types) if types is not None else None, frozenset(programs) if programs is not None else None
    )


def good_secrets(webhook: Document, sealing: Sealing, now: datetime) -> list[str]:
    """The secrets of a webhook that are good now, the newest first."""
    kept = [s for s in webhook["secrets"] if s["until"] is None or s["until"] > now]
    return [sealing.open(webhook["_id"], bytes(s["sealed"])) for s in kept]


def headers_of(secrets: Iterable[str], id: str, body: bytes) -> dict[str, str]:
    """The headers of a request, by the Standard Webhooks specification; with the real time, which receivers know."""
    at = int(Clock().now().timestamp())
    return {
        "Content-Type": "application/cloudevents+json",
        "User-Agent": "Counterpoint",
        "webhook-id": id,
        "webhook-timestamp": str(at),
        "webhook-signature": signature(secrets, id, at, body),
    }


class Sender:
    """One webhook while it is active. Ends when it is paused."""

    def __init__(
        self,
        webhook: Document,
        keeping: Keeping,
        pages: Pages,
        hearing: Hearing,
        endpoints: Endpoints,
        sealing: Sealing,
        cursor_key: bytes,
        now: Callable[[], datetime],
    ) -> None:
        self._webhook = webhook
        self._keeping = keeping
        self._pages = pages
        self._hearing = hearing
        self._endpoints = endpoints
        self._sealing = sealing
        self._key = cursor_key
        self._now = now
        self._question = question_of(webhook)
        self._due: dict[str, deque[Delivery]] = {}
        self._known: set[str] = set()
        self._flying: dict[asyncio.Task[None], str] = {}
        self._at_once = AT_ONCE
        self._over = False
        self._cursor: Cursor | None = None
        self._kept_at = 0.0

    async def run(self) -> None:
        """Send for ever. Raises the database's and Kafka's errors: the caller starts it again."""
        for delivery in await self._keeping.due(self._webhook["_id"]):
            self._put(delivery)
        try:
            while not self._over:
                more = await self._fill()
                self._launch()
                if self._flying:
                    await asyncio.wait(self._flying, timeout=FLYING_SECONDS, return_when=asyncio.FIRST_COMPLETED)
                elif not more:
                    await self._hearing.more(LOOK_SECONDS)
                self._land()
        finally:
            for task in self._flying:
                task.cancel()
            await asyncio.gather(*self._flying, return_exceptions=True)

    def _put(self, delivery: Delivery) -> None:
        if delivery.id not in self._known:
            self._known.add(delivery.id)
            self._due.setdefault(delivery.stream, deque()).append(delivery)

    async def _fill(self) -> bool:
        """Keep what comes next, up to the bound; whether there was anything."""
        room = BACKLOG - len(self._known)
        if room <= 0 or self._over:
            return False
        cursor = self._cursor or cursors.read(self._webhook["cursor"], self._key)
        try:
            page = await self._pages.next(cursor, self._question, Limits(facts=min(room, 100)))
        except NotYet:
            return False
        except Gone:
            await self._pause("cursor-gone")
            return False
        clock = asyncio.get_running_loop().time()
        if page.cursor == cursor or not (page.records or clock - self._kept_at > PASSED_SECONDS):
            self._cursor = page.cursor
            return not page.whole
        made = [self._new(record) for record in page.records]
        if not await self._keeping.go_on(self._webhook, cursors.write(page.cursor, self._key), made):
            self._over = True  # it was changed meanwhile: whoever follows looks at it again
            return False
        self._cursor, self._kept_at = page.cursor, clock
        for delivery in await self._keeping.due(self._webhook["_id"], [d["_id"] for d in made]) if made else ():
            self._put(delivery)
        return True

    def _new(self, record: Record) -> Document:
        e = from_headers(record.headers)
        return new_delivery(
            self._webhook["_id"], e.id, e.stream, e.version, event(record), self._now(), traceparent=e.traceparent
        )

    def _launch(self) -> None:
        """Begin with the first of every stream that is due and not at it, as many at once as the endpoint bears."""
        now, at_it = self._now(), set(self._flying.values())
        for stream, waiting in self._due.items():
            if len(self._flying) >= self._at_once or self._over:
                return
            if stream not in at_it and waiting[0].due_at <= now:
                self._flying[asyncio.create_task(self._send(waiting[0]))] = stream

    def _land(self) -> None:
        for task in [task for task in self._flying if task.done()]:
            del self._flying[task]
            task.result()

    async def _send(self, d: Delivery) -> None:
        now = self._now()
        headers = headers_of(good_secrets(self._webhook, self._sealing, now), d.id, d.body)
        if d.traceparent:
            headers["traceparent"] = d.traceparent
        answer: Answer | None = None
        try:
            answer = await self._endpoints.post(self._webhook["url"], headers, d.body)
            why: Document = {"status": answer.status}
        except NotAllowed as refused:
            why = {"error": str(refused)}
        except (httpcore.TimeoutException, TimeoutError):
            why = {"error": "no answer in time"}
        except (httpcore.NetworkError, httpcore.ProtocolError, OSError) as error:
            why = {"error": type(error).__name__}
        if answer is not None and 200 <= answer.status < 300:
            await self._keeping.delivered(d.id, self._now(), answer.status)
            self._done(d)
        else:
            await self._failed(d, why, answer)

    def _done(self, d: Delivery) -> None:
        self._at_once = min(AT_ONCE, self._at_once + 1)
        waiting = self._due[d.stream]
        waiting.popleft()
        self._known.discard(d.id)
        if not waiting:
            del self._due[d.stream]

    async def _failed(self, d: Delivery, why: Document, answer: Answer | None) -> None:
        now = self._now()
        self._at_once = max(1, self._at_once // 2)
        failures, since = d.failures + 1, d.first_failed or now
        at = retrying.due(failures, now, random.random(), answer.retry_after if answer else None)  # noqa: S311
        later = replace(d, failures=failures, first_failed=since, due_at=at)
        await self._keeping.failed(later, now, why)
        self._due[d.stream][0] = later
        if answer is not None and answer.status == 410:
            await self._pause("gone")
        elif retrying.is_dead(since, now):
            await self._pause("dead")

    async def _pause(self, why: str) -> None:
        self._over = True
        changes = {"state": PAUSED, "why": why, "since": self._now()}
        await self._keeping.change(self._webhook["_id"], changes, epoch=self._webhook["epoch"])
        _log.warning("the webhook %s is paused: %s", self._webhook["_id"], why)
