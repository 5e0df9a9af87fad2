"""The background parts of a process: tried until they are done, or started again whenever they end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from chassis.running.logs import about

SHORTEST_PAUSE, LONGEST_PAUSE = 0.2, 5.0
"""Seconds before a part that failed is tried again; they double with each failure in a row."""
_log = logging.getLogger("counterpoint")


class Parts:
    """The tasks of one process, and in `waiting` what is missing before it is ready."""

    def __init__(self, *waiting: str) -> None:
        self.waiting = set(waiting)
        self.stopping = False
        self._tasks: list[asyncio.Task[None]] = []

    def once(self, what: str, do: Callable[[], Awaitable[None]]) -> None:
        """Do something in the background."""
        self._tasks.append(asyncio.create_task(_do(do), name=what))

    def for_ever(self, what: str, do: Callable[[], Awaitable[None]]) -> asyncio.Task[None]:
        """Do something in the background, and again whenever it ends or fails, until the process stops."""
        task = asyncio.create_task(self._for_ever(what, do), name=what)
        self._tasks.append(task)
        return task

    async def until_done(self, what: str, do: Callable[[], Awaitable[None]]) -> None:
        """Return once it has succeeded; until then it is named in `waiting`."""
        self.waiting.add(what)
        pause = SHORTEST_PAUSE
        while True:
            try:
                await do()
                break
            except Exception as error:
                _log.warning("a part cannot start yet", extra=about(error, part=what))
                await asyncio.sleep(pause)
                pause = min(LONGEST_PAUSE, pause * 2)
        self.waiting.discard(what)

    def stop(self, *first: str) -> None:
        """Start nothing again that ends from now on, and cancel the tasks of these names."""
        self.stopping = True
        self.waiting.add("stopping")
        for task in self._tasks:
            if task.get_name() in first:
                task.cancel()

    async def ended(self, *names: str, seconds: float) -> None:
        """Wait until the tasks of these names have ended, but no longer than this."""
        if tasks := [task for task in self._tasks if task.get_name() in names]:
            await asyncio.wait(tasks, timeout=max(0.0, seconds))

    async def cancel(self, seconds: float = 1.0) -> None:
        """Cancel what is left; what hangs on a server that does not answer is left behind after this time."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=seconds)

    async def _for_ever(self, what: str, do: Callable[[], Awaitable[None]]) -> None:
        loop = asyncio.get_running_loop()
        pause = SHORTEST_PAUSE
        while True:
            began = loop.time()
            try:
                await do()
            except Exception as error:
                _log.warning("a part starts again", extra=about(error, part=what))
            if self.stopping:
                return
            pause = SHORTEST_PAUSE if loop.time() - began > 10 else min(LONGEST_PAUSE, pause * 2)
            await asyncio.sleep(pause)


async def _do(do: Callable[[], Awaitable[None]]) -> None:
    await do()
