"""How requests reach servers in memory: they take a while, get lost, arrive late, and outlive who asked."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from enum import StrEnum
from random import Random
from typing import Any, TypeVar

T = TypeVar("T")


class Fault(StrEnum):
    """What may happen to one request."""

    lost = "lost"
    """It never arrives, and an error is told."""
    unanswered = "unanswered"
    """It takes effect, and an error is told."""
    late = "late"
    """An error is told, and it takes effect afterwards."""
    half = "half"
    """It takes effect in part, where it consists of parts, and an error is told; else as `unanswered`."""
    dies_before = "dies before"
    """Who asks dies, and it never arrives."""
    dies_after = "dies after"
    """Who asks dies once it has taken effect."""
    dies_late = "dies late"
    """Who asks dies, and it takes effect afterwards."""


class Waits(Exception):
    """A request cannot be served before something has ended; `then(callback)` calls back when it has."""

    def __init__(self, then: Callable[[Callable[[], None]], None]) -> None:
        super().__init__()
        self.then = then


class Network:
    """Between all processes and all servers. Travelling times are in seconds; all chance is drawn from `chance`.

    Only the way there takes time: between two effects of one process others have theirs all the same, and time is dear.
    """

    def __init__(self, chance: Random, *, slowest: float = 0.002) -> None:
        self.chance = chance
        self.slowest = slowest
        self.seen: Counter[str] = Counter()

    def travel(self) -> float:
        """How long a request is on its way."""
        return self.chance.random() * self.slowest


class Caller:
    """One process as the network knows it. What it asked for may take effect after its death; it hears nothing then."""

    def __init__(self, network: Network, name: str, died: Callable[[], None] = lambda: None) -> None:
        self.network = network
        self.name = name
        self.dead = False
        self.calls = 0
        self.plan: dict[int, Fault] = {}
        self._died = died
        self._awaited: set[asyncio.Future[Any]] = set()
        self._going: asyncio.Event | None = None

    def expect(self, calls: int, fault: Fault) -> None:
        """Let a fault happen at one of the calls from now on: 1 is the next."""
        self.plan[self.calls + calls] = fault

    def die(self) -> None:
        """Stop for ever, wherever it is, and clean up nothing: whatever it awaits or asks from now on is cancelled."""
        if self.dead:
            return
        self.dead = True
        self.plan.clear()
        self.go_on()
        for answer in self._awaited:
            answer.cancel()
        self._died()

    def pause(self) -> None:
        """Hear no answers and ask for nothing until `go_on`; nobody else can tell."""
        if self._going is None:
            self._going = asyncio.Event()

    def go_on(self) -> None:
        """The end of a pause."""
        if self._going is not None:
            self._going.set()
            self._going = None

    @property
    def paused(self) -> bool:
        return self._going is not None

    async def awake(self) -> None:
        """Wait for the end of a pause. Raises CancelledError for the dead."""
        while self._going is not None:
            await self._going.wait()
        if self.dead:
            raise asyncio.CancelledError

    async def ask(
        self,
        serve: Callable[[], T],
        failure: Callable[[], Exception],
        half: Callable[[], object] | None = None,
    ) -> T:
        """What a server answers. `serve` is the effect, and may raise; `failure` is told where the answer is lost."""
        await self.awake()
        self.calls += 1
        fault = self.plan.pop(self.calls, None)
        loop = asyncio.get_running_loop()
        network = self.network
        answer: asyncio.Future[T] = loop.create_future()
        self._awaited.add(answer)
        try:
            if fault is None:
                loop.call_later(network.travel(), self._arrive, serve, answer, None)
            else:
                self._fail(fault, loop, serve, answer, failure, half)
            found = await answer
        finally:
            self._awaited.discard(answer)
        if self._going is not None or self.dead:
            await self.awake()
        return found

    def _fail(
        self,
        fault: Fault,
        loop: asyncio.AbstractEventLoop,
        serve: Callable[[], Any],
        answer: asyncio.Future[Any],
        failure: Callable[[], Exception],
        half: Callable[[], object] | None,
    ) -> None:
        network = self.network
        network.seen[fault] += 1
        late = network.travel() * 50
        match fault:
            case Fault.lost:
                loop.call_later(network.travel(), _settle, answer, failure())
            case Fault.unanswered | Fault.half:
                effect = half if fault is Fault.half and half else serve
                loop.call_later(network.travel(), self._arrive, effect, answer, failure())
            case Fault.late:
                loop.call_later(network.travel(), _settle, answer, failure())
                loop.call_later(late, self._arrive, serve, None, None)
            case Fault.dies_before:
                loop.call_later(network.travel(), self.die)
            case Fault.dies_after:
                loop.call_later(network.travel(), self._arrive, serve, None, None)
                loop.call_later(network.slowest, self.die)
            case Fault.dies_late:
                loop.call_later(network.travel(), self.die)
                loop.call_later(late, self._arrive, serve, None, None)

    def _arrive(self, serve: Callable[[], Any], answer: asyncio.Future[Any] | None, instead: Exception | None) -> None:
        found: Any
        try:
            found = serve()
        except Waits as wait:
            wait.then(lambda: self._arrive(serve, answer, instead))
            return
        except Exception as error:
            found = error
        if self.dead:
            self.network.seen["effects of the dead"] += not isinstance(found, Exception)
        elif answer is not None:
            _settle(answer, instead or found)


def _settle(answer: asyncio.Future[Any], found: Any) -> None:
    if not answer.done():
        if isinstance(found, Exception):
            answer.set_exception(found)
        else:
            answer.set_result(found)
