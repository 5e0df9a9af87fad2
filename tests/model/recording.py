"""Real relays on a real Kafka and a real MongoDB, with faults planted at their edges, and what they did written down.

Each thing that others can see happens under one lock and is written down there, so the record has the real order.
"""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress

from chassis.deciding.journal import COLLECTION, Commit, Event, Journal, Meta
from chassis.distributing.latest import LatestStore
from chassis.distributing.producer import Outgoing, Producer
from chassis.distributing.relay import Relay
from chassis.distributing.slots import partition_of, slot_of
from chassis.running.mongo import Database
from tests.integration.kit import PARTITIONS, World, now, until
from tests.model.edges import Marking, PlantedProducer, Reading, Silent
from tests.model.explore import Label
from tests.model.relay import RelayModel

PAGE = 2
SIZES = ((1, 2, 1), (2, 1), (1, 1, 1))


class Recording:
    """Some relays without a lease, three streams in two lanes, and the steps they took, in the model's words."""

    def __init__(self, world: World, database: Database, seed: int, relays: int = 2) -> None:
        self.world, self.database = world, database
        self.random = random.Random(seed)
        self.trace: list[Label] = []
        self.arrived: dict[int, list[tuple[int, int]]] = {}
        self.late: list[tuple[int, list[Outgoing]]] = []
        self.lock = asyncio.Lock()
        self.planting = True
        self.ending = False
        self.repeats = self.came_late = 0
        self.topic = world.tally.topic or ""
        self.streams = _streams(world)
        lanes = tuple(partition_of(s, PARTITIONS) for s in self.streams)
        self.model = RelayModel(SIZES, lanes, relays, PAGE)
        self.ids = [f"c{n}" for n in range(len(self.model.commits))]

    async def run(self) -> None:
        """Append, relay, die, come late; then let the relays run to the end."""
        late = asyncio.create_task(self._send_late())
        relays = [asyncio.create_task(self._relay(i)) for i in range(self.model.relays)]
        await self._append()
        await asyncio.sleep(0.5)
        self.planting = False
        await late
        await until(self._marked, 30)
        self.ending = True
        await asyncio.gather(*relays)

    async def _marked(self) -> bool:
        return await self.database.collection(COLLECTION).count_documents({"pending": True}) == 0

    async def _append(self) -> None:
        journal = Journal(self.database)
        left = [[n for n, c in enumerate(self.model.commits) if c[0] == s] for s in range(len(self.streams))]
        while any(left):
            number = self.random.choice([numbers for numbers in left if numbers]).pop(0)
            async with self.lock:
                await journal.append(self._commit(number), pending=True)
                self.trace.append(("append", number))
            await asyncio.sleep(self.random.choice((0, 0, 0.05, 0.1)))

    def _commit(self, number: int) -> Commit:
        stream, first, last = self.model.commits[number]
        said = self.world.Added(program=self.world.program, amount=1).encode()
        events = tuple(Event("Added", 1, said) for _ in range(first, last + 1))
        id = self.ids[number]
        return Commit(id, self.streams[stream], first, id, "", "", now(), Meta("test"), events)

    async def _relay(self, i: int) -> None:
        """One process after another."""
        while not self.ending:
            died = asyncio.Event()
            relay = self._relay_of(i, died)
            sweeping = asyncio.create_task(self._sweep(relay))
            dying = asyncio.create_task(died.wait())
            await asyncio.wait([sweeping, dying], return_when=asyncio.FIRST_COMPLETED)
            async with self.lock:  # nobody is in the middle of what the others can see
                ending = [task for task in (sweeping, dying, relay._marking) if task]
                for task in ending:
                    task.cancel()
            await asyncio.gather(*ending, return_exceptions=True)
            await relay._disconnect()

    async def _sweep(self, relay: Relay) -> None:
        while not self.ending:
            with suppress(Silent):
                await relay.sweep()
            await asyncio.sleep(0.005)

    def _relay_of(self, i: int, died: asyncio.Event) -> Relay:
        relay = Relay(
            self.world.writer.name, self.world.catalog, self.database, LatestStore(self.database),
            lambda: PlantedProducer(self, i, died), now=now, partitions=PARTITIONS,
        )  # fmt: skip
        relay._journal = Reading(self, i, died, relay._journal)
        relay._marks = Marking(self, i, died, relay._marks)
        return relay

    async def _send_late(self) -> None:
        """What was given up arrives after all, sooner or later."""
        producer = Producer(self.world.infra.kafka)
        await producer.start()
        while self.planting or self.late:
            await asyncio.sleep(self.random.choice((0.002, 0.002, 0.1)))
            if self.late:
                async with self.lock:
                    partition, records = self.late.pop(self.random.randrange(len(self.late)))
                    await producer.send(self.topic, partition, records)
                    self.came_late += 1
                    if self.take(partition, records):
                        self.trace.append(("late", self.records(records)))
        await producer.close()

    def records(self, records: list[Outgoing]) -> tuple[tuple[int, int], ...]:
        """Stream and version of each."""
        found = []
        for record in records:
            version = next(value for name, value in record.headers if name == "ce_sequence")
            found.append((self.streams.index(record.key.decode()), int(version)))
        return tuple(found)

    def arrived_versions(self) -> dict[int, list[tuple[str, int]]]:
        """What should be on the topic, by partition: stream and version of each record."""
        return {p: [(self.streams[s], v) for s, v in records] for p, records in self.arrived.items()}

    def take(self, partition: int, records: list[Outgoing]) -> bool:
        """Remember what arrived; whether any of it was new."""
        before = self.arrived.setdefault(partition, [])
        new = set(self.records(records)) - set(before)
        self.repeats += len(records) - len(new)
        before += self.records(records)
        return bool(new)


def _streams(world: World) -> list[str]:
    """Three streams in the order of their slots; the first two share a lane."""
    names = [world.totals.stream(world.program, f"s{n}") for n in range(200)]
    names = sorted({slot_of(name): name for name in names}.values(), key=slot_of)
    one = names[0]
    two = next(n for n in names[1:] if partition_of(n, PARTITIONS) == partition_of(one, PARTITIONS))
    behind = [n for n in names if slot_of(n) > slot_of(two)]
    return [one, two, next(n for n in behind if partition_of(n, PARTITIONS) != partition_of(one, PARTITIONS))]
