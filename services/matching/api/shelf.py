"""What takes seconds to compute: one after another, in a thread, once for all who ask, and kept for the next."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

from chassis.running.problems import later

T = TypeVar("T")

WAIT_SECONDS = 3.0
"""Less than a request may take; after that the caller comes again, and finds it computed."""
_POOL = ThreadPoolExecutor(1, thread_name_prefix="explaining")


class Shelf(Generic[T]):
    """The last few things that were computed, by name. Another stamp under a name takes the place of the one before."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._kept: dict[tuple[str, ...], tuple[str, Future[T]]] = {}

    async def get(self, name: tuple[str, ...], stamp: str, load: Callable[[], Awaitable[Callable[[], T]]]) -> T:
        """What is there; otherwise what is loaded now, and then computed. Raises 503 while that takes long."""
        future = self._known(name, stamp)
        if future is None:
            compute = await load()
            future = self._known(name, stamp) or _POOL.submit(compute)  # somebody else may have begun meanwhile
        self._kept.pop(name, None)
        self._kept[name] = stamp, future
        while len(self._kept) > self._size:
            self._kept.pop(next(iter(self._kept)))
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                return await asyncio.shield(asyncio.wrap_future(future))
        except TimeoutError:
            raise later("computing", "this takes a few seconds to compute; ask again in a moment", 2) from None

    def _known(self, name: tuple[str, ...], stamp: str) -> Future[T] | None:
        kept = self._kept.get(name)
        failed = kept and kept[1].done() and kept[1].exception() is not None
        return kept[1] if kept and kept[0] == stamp and not failed else None
