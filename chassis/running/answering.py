"""Every request is answered in time, whatever hangs behind it, and also when the process is being stopped."""

from __future__ import annotations

import asyncio
import math

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chassis.running.mongo import within
from chassis.running.problems import AGAIN, Problem, later

GRACE_SECONDS = 0.5
"""What is given beyond the time a request has, so that it can say itself what it waited for."""
_LOOK = 0.25


class Patience:
    """How long one request may still take, from `begin` on; no end before that, nor in between.

    The driver is told as well: what is asked of the database must be answered by then.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._within = within(seconds)
        self.until = math.inf

    def begin(self, seconds: float | None = None) -> None:
        """All the time from here on, or as many seconds as are said."""
        seconds = seconds or self._seconds
        self.until = asyncio.get_running_loop().time() + seconds
        self._within = within(seconds)
        self._within.__enter__()

    def end(self) -> None:
        """No bound until it begins again."""
        self.until = math.inf
        self._within.__exit__(None, None, None)


class InTime:
    """ASGI middleware: 503 for a request whose `patience` is over, or which is cut off because the process ends.

    What it asked of a server that hangs cannot be called back: it is left to end by itself.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._left: set[asyncio.Future[None]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = over = False

        async def answer(message: Message) -> None:
            nonlocal begun
            if not over:
                begun = True
                await send(message)

        task = asyncio.ensure_future(self._app(scope, receive, answer))
        problem: Problem | None
        try:
            problem = await self._ended(task, scope)
        except asyncio.CancelledError:
            task.cancel()
            problem = later("stopping", f"this process is being stopped; {AGAIN}")
        if problem is None or begun:
            await task
            return
        over = True
        self._left.add(task)
        task.add_done_callback(self._forget)
        scope["problem"] = problem.code
        await problem.response()(scope, receive, send)

    async def _ended(self, task: asyncio.Future[None], scope: Scope) -> Problem | None:
        loop = asyncio.get_running_loop()
        while not (await asyncio.wait({task}, timeout=_LOOK))[0]:
            patience: Patience | None = scope.get("patience")
            if patience is not None and loop.time() > patience.until + GRACE_SECONDS:
                return later("database-unavailable", f"the database does not answer at the moment; {AGAIN}", 2)
        return None

    def _forget(self, task: asyncio.Future[None]) -> None:
        self._left.discard(task)
        if not task.cancelled():
            task.exception()
