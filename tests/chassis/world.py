"""A world of two services, each in two processes, in which anything may go wrong, one step after another."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from chassis.deciding.commands import Conflict, KeyReused, Origin
from chassis.deciding.decider import On
from chassis.distributing.producer import Outgoing
from chassis.receiving.consumer import KafkaError
from chassis.receiving.folding import NotDropped
from chassis.receiving.parking import PARKED
from chassis.receiving.resuming import NotParked, Reason
from chassis.running.mongo import PyMongoError
from chassis.testing.network import Fault
from chassis.testing.tally import Add, TallyServices
from tests.chassis.process import Clock, Process

PROGRAM = "pr_" + "a" * 26
STREAMS = 4
KEYS = 24
HARMLESS = (Conflict, KeyReused, NotParked, NotDropped, PyMongoError, KafkaError)
"""What a caller or an operator may be told without anything being wrong."""

Step = tuple[str, int, int]
"""What happens, and two numbers that say to whom and how."""


class Poison(Exception):
    """A fold or a task that cannot do what it should."""


class Services(TallyServices):
    """The tally services, whose hearer can be told to stumble over amounts."""

    def __init__(self, name: str) -> None:
        self.bad_folds: set[int] = set()
        self.bad_tasks: set[int] = set()
        self.stumbled: Counter[str] = Counter()
        super().__init__(name)
        self.poison = self._in_fold

    def _in_fold(self, amount: int) -> None:
        if amount in self.bad_folds:
            self.stumbled["folds"] += 1
            raise Poison(amount)

    async def _echo(self, fact: Any, work: Any) -> None:
        if fact.amount in self.bad_tasks:
            self.stumbled["tasks"] += 1
            raise Poison(fact.amount)
        await super()._echo(fact, work)


@dataclass(frozen=True)
class Asked:
    """A command: one key always asks for the same."""

    key: int
    streams: tuple[str, ...]
    amount: int

    @property
    def id(self) -> str:
        return f"command-{self.key}"


class Ground(Protocol):
    """The servers under a world, and what can be done to whoever uses them."""

    seen: Counter[str]

    def now(self) -> datetime: ...
    def link(self, name: str) -> Any: ...
    async def records(self) -> dict[tuple[str, int], Sequence[Any]]: ...
    async def ends(self) -> dict[tuple[str, int], int]: ...
    async def append(self, place: tuple[str, int], record: Outgoing) -> None: ...
    def counted(self) -> Counter[str]: ...


class World:
    """Two writers that decide and relay, two hearers that listen, do tasks and relay theirs, and operators of both."""

    def __init__(self, ground: Ground, services: Services, pace: Sequence[float]) -> None:
        self.ground = ground
        self.services = services
        self.travelled = timedelta(0)
        self.answered: dict[int, tuple[str, ...]] = {}
        self.asked: dict[int, Asked] = {}
        self.dropped: set[str] = set()
        self.seen: Counter[str] = Counter()
        self.made = 0
        self.processes: list[Process] = []
        self.watchers: tuple[Process, Process]
        self._pace = pace
        self._going: set[asyncio.Task[Any]] = set()
        self._errors: list[BaseException] = []
        services.bad_folds.clear()
        services.bad_tasks.clear()
        services.stumbled.clear()
        self._steps: dict[str, Callable[[int, int], Awaitable[None]]] = {
            name.removeprefix("step_"): getattr(self, name) for name in dir(self) if name.startswith("step_")
        }

    # -- processes --------------------------------------------------------------------------------------------------

    async def begin(self) -> None:
        """Two processes of each service, at work, and one that only looks."""
        self.watchers = self.process(self.services.writer), self.process(self.services.hearer)
        for service in (self.services.writer, self.services.hearer):
            process = self.process(service)
            await process.prepare()
            self.processes += [process, self.process(service)]
        for hearer in self.hearers:
            await hearer.listen()

    def process(self, service: Any) -> Process:
        self.made += 1
        clock = Clock(self.ground.now, lambda: self.travelled)
        return Process(service, self.ground.link(f"{service.name}-{self.made}"), clock)

    @property
    def writers(self) -> list[Process]:
        return self.processes[:2]

    @property
    def hearers(self) -> list[Process]:
        return self.processes[2:]

    def any(self, which: int) -> Process:
        return self.processes[which % 4]

    def stream(self, which: int) -> str:
        return self.services.totals.stream(PROGRAM, f"s{which % STREAMS}")

    async def revive(self) -> None:
        """A new process for each that is dead."""
        for n, process in enumerate(self.processes):
            if process.link.dead:
                self.processes[n] = await self._anew(process)

    async def _anew(self, old: Process) -> Process:
        process = self.process(old.service)
        if old.service is self.services.hearer:
            await process.listen()
        return process

    # -- steps ------------------------------------------------------------------------------------------------------

    async def step(self, what: str, who: int, how: int) -> None:
        """Do one thing; what it began may go on while the next is done."""
        await self._steps[what](who, how)
        if pause := self._pace[(who + how) % len(self._pace)]:
            await asyncio.sleep(pause)
        await self.revive()

    def begin_task(self, what: str, work: Coroutine[Any, Any, Any]) -> None:
        task = asyncio.create_task(self._watched(what, work))
        self._going.add(task)
        task.add_done_callback(self._going.discard)

    async def _watched(self, what: str, work: Coroutine[Any, Any, Any]) -> None:
        try:
            await work
        except HARMLESS as told:
            self.seen[f"{what}: {type(told).__name__}"] += 1
        except Exception as error:
            self._errors.append(error)

    async def step_command(self, who: int, how: int) -> None:
        self.begin_task("command", self._command(self.writers[who % 2], how % KEYS))

    async def step_race(self, who: int, how: int) -> None:
        for n in range(3):
            self.begin_task("command", self._command(self.writers[n % 2], (how + n * STREAMS) % KEYS))

    async def _command(self, process: Process, key: int) -> None:
        first = self.stream(key)
        streams = (first, self.stream(key + 1)) if key % 3 == 0 else (first,)
        asked = self.asked.setdefault(key, Asked(key, streams, key + 1))
        add = Add(program=PROGRAM, amount=asked.amount)
        origin = Origin(asked.id, "body", correlation="test")
        done = await process.run(origin, *(On(self.services.totals, stream, add) for stream in streams))
        self.seen["repeated commands"] += done.repeated
        self.answered[key] = done.after

    async def step_sweep(self, who: int, how: int) -> None:
        self.begin_task("relay", self.any(who).sweep())

    async def step_tasks(self, who: int, how: int) -> None:
        self.begin_task("tasks", self.hearers[who % 2].do_tasks())

    async def step_wait(self, who: int, how: int) -> None:
        await asyncio.sleep(self._pace[how % len(self._pace)])

    async def step_fault(self, who: int, how: int) -> None:
        faults = list(Fault)
        self.any(who).link.expect(1 + how // len(faults) % 12, faults[how % len(faults)])

    async def step_kill(self, who: int, how: int) -> None:
        self.any(who).link.kill()

    async def step_stop(self, who: int, how: int) -> None:
        """A process that is told to end, and another in its place."""
        n = who % 4
        old = self.processes[n]
        self.seen["stops"] += 1
        self.begin_task("stop", old.stop())
        self.processes[n] = await self._anew(old)

    async def step_pause(self, who: int, how: int) -> None:
        """Stopped for a while, in which the others go on without it."""
        link = self.any(who).link
        link.pause()
        self.seen["pauses"] += 1
        asyncio.get_running_loop().call_later(self._pace[-1] * (1 + how % 3) / 2, link.go_on)

    async def step_evict(self, who: int, how: int) -> None:
        self.hearers[who % 2].link.evict()

    async def step_repeat(self, who: int, how: int) -> None:
        """Something that was said long ago is said again."""
        said = [(place, r) for place, kept in (await self.ground.records()).items() for r in kept]
        if said:
            place, r = said[(who * 256 + how) % len(said)]
            await self.ground.append(place, Outgoing(r.key, r.value, list(r.headers)))
            self.seen["said again"] += 1

    async def step_poison(self, who: int, how: int) -> None:
        bad = self.services.bad_tasks if who % 2 else self.services.bad_folds
        bad.add(how % KEYS + 1)

    async def step_mend(self, who: int, how: int) -> None:
        self.services.bad_folds.clear()
        self.services.bad_tasks.clear()

    async def step_retry(self, who: int, how: int) -> None:
        self.begin_task("operator", self.hearers[who % 2].resuming.retry(self.stream(how)))

    async def step_retry_all(self, who: int, how: int) -> None:
        self.begin_task("operator", self.hearers[who % 2].resuming.retry_all())

    async def step_drop(self, who: int, how: int) -> None:
        self.begin_task("operator", self._drop(self.hearers[who % 2], self.stream(how)))

    async def _drop(self, process: Process, stream: str) -> None:
        shown = await process.resuming.show(stream)
        await process.resuming.drop(stream, shown["version"], Reason("nobody", "because"))

    async def step_drop_task(self, who: int, how: int) -> None:
        self.begin_task("operator", self._drop_task(self.hearers[who % 2]))

    async def _drop_task(self, process: Process) -> None:
        parked = (await process.resuming.parked())["tasks"]
        if parked:
            await process.resuming.drop_task(parked[0]["task"], Reason("nobody", "because"))

    async def step_jump(self, who: int, how: int) -> None:
        """A clock that was wrong is set, or gets wrong, or all travel forward."""
        if how % 3:
            self.any(who).clock.wrong = timedelta(seconds=(how - 128) * 10)
        else:
            self.travelled += timedelta(minutes=how)

    # -- coming to rest ---------------------------------------------------------------------------------------------

    async def rest(self, rounds: int = 60) -> None:
        """Everybody goes on, everything is mended, and all do what is left to do; fails where that never ends."""
        for process in self.processes:
            process.link.go_on()
            process.link.calm()
            process.clock.wrong = timedelta(0)
        await self.step_mend(0, 0)
        await self.revive()
        for n in range(rounds):
            await self.settle()
            left = await self.left()
            if not any(left.values()):
                break
            if left["pending"]:
                for process in self.processes:
                    self.begin_task("relay", process.sweep())
            for hearer in self.hearers:
                if left["parked"] or n > rounds // 2:
                    self.begin_task("operator", hearer.resuming.retry_all())
                if left["tasks"]:
                    self.begin_task("tasks", hearer.do_all_tasks())
            await self.settle()
            await self.revive()
            self.travelled += timedelta(minutes=2)
            await asyncio.sleep(self._pace[-1] * (1 + n % 4))
            if n % 8 == 7:
                await asyncio.sleep(self._pace[-1] * 15)
        else:
            raise AssertionError(f"it does not come to rest: {await self.left()}")
        if self._errors:
            raise self._errors[0]

    async def settle(self) -> None:
        """Wait until what was begun has ended."""
        while self._going:
            await asyncio.wait(self._going)

    async def left(self) -> dict[str, Any]:
        """What is left to do, by kind. Looked up in the order in which one leads to the next: a task that is done by
        itself meanwhile is among the tasks still, or what it decided is pending already."""
        writer, hearer = self.watchers
        ends = await self.ground.ends()
        heard = set(hearer.inbox.topics)
        reached = await hearer.inbox.checkpoints()
        parked = await hearer.resuming.parked()
        rows = await hearer.database.collection(PARKED).find({}).to_list(None)
        tasks = await hearer.database.collection("tasks").find({}).to_list(None)
        pending = [
            doc["_id"]
            for process in (writer, hearer)
            for doc in await process.database.collection("journal").find({"pending": True}).to_list(None)
        ]
        return {
            "pending": pending,
            "unheard": {p: e for p, e in ends.items() if p[0] in heard and reached.get(p, 0) < e},
            "parked": [parked["streams"], parked["records"], [row["_id"] for row in rows]]
            if parked["streams"] or parked["records"] or rows
            else [],
            "tasks": [(t["_id"], t["state"], t.get("error")) for t in tasks],
        }


STEPS = {
    "command": 9, "race": 2, "sweep": 9, "tasks": 5, "wait": 4, "fault": 6, "kill": 2, "stop": 1, "pause": 1,
    "evict": 1, "repeat": 2, "poison": 4, "mend": 1, "retry": 2, "retry_all": 1, "drop": 2, "drop_task": 1, "jump": 1,
}  # fmt: skip
"""What may happen, and how often beside the others."""
KINDS = tuple(name for name, weight in STEPS.items() for _ in range(weight))
