"""One seeded run: callers that never give up, faults according to the plan, then rest, and the verdict."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.chaos.faults import Faults, Step, kinds, plan
from tests.chaos.judge import Answered, Verdict, at_rest, judge
from tests.chaos.servers import Servers
from tests.chaos.world import PATIENCE, World

LAPS = ("starting", "faults", "coming to rest", "looking")
TELL = 10.0
"""Seconds between two lines that say how far it is."""
CALLERS = 8
THINGS = 40
PROCESSES = (
    "writer-api-1",
    "writer-api-2",
    "writer-relay-1",
    "writer-relay-2",
    "hearer-worker-1",
    "hearer-worker-2",
    "hearer-relay-1",
)


@dataclass(frozen=True)
class Run:
    """What a run is made of: everything random in it follows from the seed; how long it takes does not."""

    seed: int
    seconds: float = 20.0
    times: int = 3
    echo: bool = True
    facts: int = 0
    """Callers go on until they have said so many."""


_RNG = random.Random(0)


def caller() -> httpx.AsyncClient:
    """A client that waits for an answer for some seconds, and not longer."""
    return httpx.AsyncClient(timeout=4, limits=httpx.Limits(max_connections=2 * CALLERS))


class Callers:
    """Send commands to whichever API answers, each again and again with its key until it is answered."""

    def __init__(self, world: World, run: Run = Run(0)) -> None:
        self.answers: list[Answered] = []
        self.counts: Counter[str] = Counter()
        self.refusals: list[str] = []
        self.stopping = False
        self._world = world
        self._run = run

    @property
    def facts(self) -> int:
        return sum(a.times * len(a.things) for a in self.answers)

    async def call(self) -> None:
        """Until told to stop; the last command of each caller is answered, too."""
        async with caller() as http, asyncio.TaskGroup() as group:
            for n in range(CALLERS):
                group.create_task(self._one(http, n))

    async def _one(self, http: httpx.AsyncClient, caller: int) -> None:
        rng = random.Random(f"{self._run.seed} {caller}")
        n = 0
        while not self.stopping:
            n += 1
            # A few things are written to by everybody: callers meet.
            names = [f"t{min(int(rng.expovariate(0.1)), THINGS)}" for _ in range(rng.choice((1, 1, 1, 2, 3)))]
            key, things = f"{self._run.seed}-{caller}-{n}", sorted(set(names))
            await self.ask(http, key, things, rng.randint(1, 9), rng.randint(1, self._run.times), rng)

    async def ask(
        self,
        http: httpx.AsyncClient,
        key: str,
        things: Sequence[str],
        amount: int = 1,
        times: int = 1,
        rng: random.Random = _RNG,
    ) -> None:
        """Send one command until it is answered."""
        order = {"key": key, "program": self._world.program, "things": things, "amount": amount, "times": times}
        path = f"/{self._world.writer.name}/v1/add"
        tries = 0
        while True:
            tries += 1
            api = rng.choice(self._world.of("writer-api"))
            try:
                answer = await http.post(f"http://127.0.0.1:{api.port}{path}", json=order)
            except httpx.HTTPError:
                self.counts["tries without an answer"] += 1
            else:
                if answer.status_code == 200:
                    break
                self.counts[f"tries answered {answer.status_code}"] += 1
                if answer.status_code != 503:
                    self.refusals.append(f"{key}: {answer.status_code} {answer.text[:300]}")
            await asyncio.sleep(rng.uniform(0.02, 0.2))
        said = answer.json()
        self.counts["commands"] += 1
        self.counts["commands tried again"] += tries > 1
        self.counts["commands over several streams"] += len(things) > 1
        self.counts["answers lost and found"] += bool(said["repeated"])
        self.answers.append(Answered(key, tuple(things), amount, times, tuple(said["after"])))


async def chaos(servers: Servers, folder: Path, run: Run, say: Callable[[str], None]) -> Verdict:
    """A world of its own lives through the plan of the seed; answers what was found afterwards, with all counts."""
    world = World(servers, folder, echo=run.echo)
    steps = plan(run.seed, run.seconds)
    say(f"seed {run.seed}: {len(steps)} faults in {run.seconds:.0f} s")
    faults = Faults(world, run.seed)
    callers = Callers(world, run)
    laps = [time.monotonic()]
    try:
        await world.prepare()
        await world.run(*PROCESSES)
        laps.append(time.monotonic())
        looking = asyncio.create_task(faults.look())
        telling = asyncio.create_task(tell(callers, steps, say))
        calling = asyncio.create_task(callers.call())
        try:
            await _live(world, faults, callers, steps, run)
            laps.append(time.monotonic())
            await world.heal()
            callers.stopping = True
            async with asyncio.timeout(PATIENCE):
                await calling
            await rest(world)
            laps.append(time.monotonic())
            verdict = await asyncio.to_thread(judge, world, callers.answers)
        finally:
            for task in (looking, telling, calling):
                task.cancel()
            await asyncio.gather(looking, telling, calling, return_exceptions=True)
    finally:
        await world.close()
    verdict.counts += callers.counts + world.counts
    verdict.findings += callers.refusals
    laps.append(time.monotonic())
    took = ", ".join(f"{what} {b - a:.1f} s" for what, a, b in zip(LAPS, laps, laps[1:], strict=False))
    say(f"seed {run.seed}: {took}; {verdict}")
    return verdict


async def tell(callers: Callers, steps: list[Step], say: Callable[[str], None]) -> None:
    """Say now and then how far it is, for ever; cancel to stop."""
    began = asyncio.get_running_loop().time()
    told = 0.0
    while True:
        await asyncio.sleep(TELL)
        now = asyncio.get_running_loop().time() - began
        begun = ", ".join(step.what for step in steps if told <= step.at < now)
        told = now
        say(f"{now:6.0f} s  {callers.counts['commands']} commands, {callers.facts} facts; {begun}")


async def _live(world: World, faults: Faults, callers: Callers, steps: list[Step], run: Run) -> None:
    """Until every fault has happened, and what it is for; not for ever, on a machine that is too busy."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    await faults.carry_out(steps)
    while loop.time() - began < run.seconds + PATIENCE:
        faults.count_reached()
        enough = callers.facts >= run.facts and loop.time() - began > run.seconds
        if enough and not absent(world.counts + callers.counts):
            break
        await asyncio.sleep(0.1)


async def rest(world: World) -> None:
    """Wait until everything that was said has been heard and done."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + PATIENCE
    waiting = ["everything"]
    while waiting:
        assert loop.time() < deadline, f"not at rest: {waiting}"
        await asyncio.sleep(0.4)
        waiting = await asyncio.to_thread(at_rest, world)


def absent(counts: Counter[str]) -> list[str]:
    """The kinds of faults, and the hard cases, that have not really occurred."""
    met = ("commands tried again", "answers lost and found", "commands over several streams")
    moved = ("relay takeovers", "partitions moved")
    return [name for name in (*(what for what, _, _ in kinds()), *met, *moved) if counts[name] < 1]
