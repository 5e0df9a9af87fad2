"""What is done to the processes and servers of a world in one run: a plan that follows from the seed alone."""

from __future__ import annotations

import asyncio
import random
import signal
from collections.abc import Sequence
from dataclasses import dataclass

from chassis.receiving.versions import CHECKPOINTS
from tests.chaos import points
from tests.chaos.proxy import Harm, Link
from tests.chaos.world import LEASE, PATIENCE, Process, World

SESSION = 10.0
"""Seconds after which Kafka gives a silent consumer's partitions to another."""
ROLES = ("api", "relay", "worker")
MONGO, KAFKA = "mongo", "kafka"


@dataclass(frozen=True)
class Step:
    """At this second of the run, this is done to that, for so long."""

    at: float
    what: str
    whom: str
    seconds: float

    def __str__(self) -> str:
        return f"{self.at:6.1f} s  {self.what} {self.whom} ({self.seconds:.1f} s)"


Kind = tuple[str, Sequence[str], tuple[float, float]]
"""What there is: its name, to whom it can be done, and for how many seconds at least and at most."""


def kinds() -> list[Kind]:
    """Everything that is done in each run."""
    at_points = {"api": points.API, "relay": points.RELAY, "worker": ("advanced",)}
    harms: list[Kind] = [
        (f"{server} {harm}", ROLES if server == MONGO else ROLES[1:], (0.5, 3.0))
        for server in (MONGO, KAFKA)
        for harm in Harm
    ]
    return [
        *((f"kill {role}", [role], (0, 0)) for role in ROLES),
        *((f"kill {role} at {point}", [role], (0, 0)) for role, ps in at_points.items() for point in ps),
        ("pause api", ["api"], (0.5, 3.0)),
        ("pause relay", ["relay"], (LEASE + 0.5, LEASE + 1.5)),
        ("pause worker", ["worker"], (SESSION + 1, SESSION + 2)),
        *harms,
        ("step-down", ["primary"], (0, 0)),
        ("kill primary", ["primary"], (0.5, 2.0)),
        ("restart kafka", ["kafka"], (0, 0)),
    ]


def plan(seed: int, seconds: float) -> list[Step]:
    """Every kind once, in an order and at times that follow from the seed; what stops a worker comes early."""
    rng = random.Random(seed)
    steps = []
    for what, whom, (least, most) in kinds():
        latest = seconds * (0.5 if whom == ["worker"] else 0.9)
        steps.append(Step(rng.uniform(0.5, latest), what, rng.choice(list(whom)), rng.uniform(least, most)))
    return sorted(steps, key=lambda step: step.at)


class Faults:
    """Carries out a plan. The world's counts say what really happened."""

    def __init__(self, world: World, seed: int) -> None:
        self._world = world
        self._rng = random.Random(seed)
        self._servers = asyncio.Lock()  # never two members of the set at once: a majority must live
        self._armed: list[tuple[str, Process, str]] = []
        self._owners: set[str] = set()
        self._holders: dict[str, set[bytes]] = {}

    async def carry_out(self, steps: Sequence[Step]) -> None:
        """Every step at its time."""
        began = asyncio.get_running_loop().time()
        async with asyncio.TaskGroup() as group:
            for step in steps:
                group.create_task(self._do(step, began + step.at))

    async def _do(self, step: Step, when: float) -> None:
        await asyncio.sleep(max(0.0, when - asyncio.get_running_loop().time()))
        match step.what.split():
            case ["kill", "primary"] | ["step-down"] | ["restart", "kafka"]:
                async with self._servers:
                    await self._to_servers(step)
            case ["kill", _]:
                self._one(step.whom).kill()
            case ["kill", role, "at", point]:
                # Of the relays only one works, and it may be any.
                for process in self._world.of(role) if role == "relay" else [self._one(role)]:
                    points.arm(process.folder, point, points.KILL)
                    self._armed.append((step.what, process, point))
                return  # counted when it is reached
            case ["pause", _]:
                await self._pause(step)
            case [server, harm]:
                await self._harm(server, Harm(harm), step)
        self._world.counts[step.what] += 1

    def count_reached(self) -> None:
        """Count the points at which a process has killed itself."""
        left = []
        for what, process, point in self._armed:
            if points.armed(process.folder, point):
                left.append((what, process, point))
            else:
                self._world.counts[what] += 1
        self._armed = left

    def _one(self, role: str) -> Process:
        return self._rng.choice(self._world.of(role))

    async def _to_servers(self, step: Step) -> None:
        servers = self._world.servers
        if step.what == "step-down":
            await asyncio.to_thread(servers.step_down)
        elif step.what == "restart kafka":
            await asyncio.to_thread(servers.restart_kafka)
        else:
            primary = await asyncio.to_thread(servers.primary)
            await asyncio.to_thread(servers.kill, primary)
            await asyncio.sleep(step.seconds)
            await asyncio.to_thread(servers.restart, primary)
        await asyncio.to_thread(servers.primary)

    async def _pause(self, step: Step) -> None:
        """Relays one after another: one of them is the one at work."""
        processes = self._world.of(step.whom) if step.whom == "relay" else [self._one(step.whom)]
        for process in processes:
            process.signal(signal.SIGSTOP)
            await asyncio.sleep(step.seconds)
            process.signal(signal.SIGCONT)

    async def _harm(self, server: str, harm: Harm, step: Step) -> None:
        """Until it has hurt somebody: whoever uses these links may just be dead or stopped."""
        links = self._links(server, step.whom)
        before = sum(link.hits[harm] for link in links)
        began = asyncio.get_running_loop().time()
        while True:
            for link in links:
                link.do(harm, self._rng, share=0.7)
            await asyncio.sleep(max(0.1, step.seconds))
            if sum(link.hits[harm] for link in links) > before:
                break
            assert asyncio.get_running_loop().time() - began < PATIENCE, f"{step} met nobody"
        for link in links:
            link.heal()

    def _links(self, server: str, role: str) -> list[Link]:
        kafka = self._world.servers.broker.port
        processes = self._world.of(role)
        return [
            link
            for process in processes
            for target, link in process.links.items()
            if (target == kafka) is (server == KAFKA)
        ]

    # -- what can only be seen from outside -------------------------------------------------------------------------

    async def look(self) -> None:
        """See who relays and who owns which partition, for ever; cancel to stop."""
        while True:
            try:
                await asyncio.to_thread(self._look)
            except Exception:  # the servers are being harmed
                self._world.counts["looks in vain"] += 1
            await asyncio.sleep(0.3)

    def _look(self) -> None:
        world = self._world
        lease = world.database(world.writer).leases.find_one({"_id": "relay"})
        if lease and lease["owner"]:
            self._owners.add(lease["owner"])
        for doc in world.database(world.hearer)[CHECKPOINTS].find():
            if doc.get("lsid"):
                self._holders.setdefault(doc["_id"], set()).add(bytes(doc["lsid"]["id"]))
        world.counts["relay takeovers"] = max(0, len(self._owners) - 1)
        world.counts["partitions moved"] = sum(len(held) - 1 for held in self._holders.values())
