"""A running service process: what it is made of, and how its parts are started, watched and stopped."""

from __future__ import annotations

import asyncio
import gc
import hashlib
import hmac
import math
from collections.abc import Mapping, Sequence
from functools import cached_property

from chassis.deciding import contents
from chassis.deciding.commands import Commands, Origin, Outcome, Write
from chassis.deciding.contents import COLLECTION as CONTENTS
from chassis.deciding.contents import Contents
from chassis.deciding.decider import On
from chassis.deciding.documents import COLLECTION as DOCUMENTS
from chassis.deciding.documents import Documents
from chassis.deciding.journal import COLLECTION as JOURNAL
from chassis.deciding.journal import Journal
from chassis.distributing import generations, topics
from chassis.distributing.healing import MARKS, Behind, History
from chassis.distributing.latest import COLLECTION as LATEST
from chassis.distributing.latest import LatestStore
from chassis.distributing.producer import Producer
from chassis.distributing.relay import Relay
from chassis.receiving.consumer import Lag
from chassis.receiving.erasing import Erasing
from chassis.receiving.inbox import Inbox
from chassis.receiving.parking import PARKED
from chassis.receiving.resuming import Resuming
from chassis.receiving.runner import Runner
from chassis.receiving.tasks import COLLECTION as TASKS
from chassis.receiving.versions import Versions
from chassis.receiving.views import PARKED_STREAM
from chassis.running import rights
from chassis.running.arrivals import Arrivals
from chassis.running.auth import Tokens
from chassis.running.clock import Clock
from chassis.running.figures import Figures
from chassis.running.following import Following
from chassis.running.mongo import Database
from chassis.running.parts import Parts
from chassis.running.problems import later
from chassis.running.service import Service
from chassis.running.settings import Role, Settings
from chassis.running.watch import Watch
from contracts.streams import Audience, parts

STALLED_SECONDS = 60.0
TASKS_TOGETHER = 16
SOLVED_TOGETHER = 1
"""One such task takes all processors, and much memory; further solvers take the others meanwhile."""
REMEMBER_SECONDS = 30.0
LAST_SECONDS = 2.0


class Runtime:
    """One process of one service, in one role. Parts that need Kafka or MongoDB are started again until they run."""

    def __init__(self, service: Service, settings: Settings) -> None:
        self.service = service
        self.settings = settings
        self.clock = Clock(settings.clock_file)
        self.database = self._open(settings.mongo)
        # Whoever inserts facts must not change them, and whoever marks them must not insert: two users.
        self._relays = self.database if settings.relay_mongo == settings.mongo else self._open(settings.relay_mongo)
        self.journal = Journal(self.database)
        self.latest = LatestStore(self.database)
        self.documents = Documents(self.database)
        self.history = History(service.name, service.catalog, self.database, settings.kafka)
        self._refusal: str | None = None
        self.relay = Relay(
            service.name,
            service.catalog,
            self._relays,
            LatestStore(self._relays),
            lambda: Producer(settings.kafka),
            now=self.clock.now,
            partitions=settings.partitions,
            sweep_seconds=settings.sweep_seconds,
            lease_seconds=settings.lease_seconds,
            beat_seconds=settings.beat_seconds,
            watch=settings.role in (Role.relay, Role.main),  # others write, whom it does not hear of otherwise
        )
        self.commands = Commands(service.catalog, self.journal, self.database, self.clock.now, self.relay.wake)
        self.versions = Versions(self.database, service.name, service.folds)
        self.erasing = Erasing(self.database, self.versions, service.states)
        self.parts = Parts("database", "kafka")
        together = SOLVED_TOGETHER if settings.role is Role.solver else TASKS_TOGETHER
        self.runner = Runner(self, role=settings.role, sweep_seconds=settings.sweep_seconds, concurrency=together)
        self.following = Following(settings, self.parts, self.versions, service.folds, self.inbox_of, self.runner.run)
        self._arrivals = Arrivals(settings, self.following, lambda: self.parts.stopping)
        self._watch = Watch(self.database, settings.kafka)
        self.figures = Figures(self)
        self._was_ready = False
        self._hearing: asyncio.Task[None] | None = None
        self._stop_by = math.inf

    def _open(self, uri: str) -> Database:
        return Database(
            uri,
            self.settings.mongo_database or f"counterpoint_{self.service.name}",
            driver=self.settings.mongo_driver,
            concurrency=self.settings.command_concurrency,
            ca=self.settings.mongo_ca_file,
        )

    def inbox_of(self, version: int, follows: int | None = None) -> Inbox:
        """A version of this service's inbox."""
        return Inbox(
            self.service.name,
            self.service.catalog,
            self.database,
            self.service.views,
            self.service.states,
            self.service.tasks,
            self.clock.now,
            version,
            follows,
            wake_tasks=self.runner.wake,
        )

    @property
    def inbox(self) -> Inbox:
        """The version of this service's inbox that is live."""
        return self.following.inbox

    @property
    def resuming(self) -> Resuming:
        """What operators do about what waits in it."""
        return self.following.resuming

    @cached_property
    def tokens(self) -> Tokens:
        """Who judges tokens. Raises where there is no key; a process that answers nobody needs none."""
        return Tokens(self.settings)

    @cached_property
    def contents(self) -> Contents:
        """Encrypted texts. Raises where no key is configured."""
        return Contents(self.database, self.settings.content_key)

    def keyed_hash(self, *parts: str) -> str:
        """A hash (hex, 64 characters) that only this service can compute. Raises where no key is configured."""
        return hmac.new(self.settings.content_key, "\0".join(parts).encode(), hashlib.sha256).hexdigest()

    # -- what handlers and tasks use --------------------------------------------------------------------------------

    async def run(self, origin: Origin, *on: On, also: Sequence[Write] = ()) -> Outcome:
        """Run a command; at most as many at once as the database answers well, first come first served."""
        if self._refusal:
            raise later("journal-behind", self._refusal, 5)
        async with self.database.gate:
            return await self.commands.run(origin, *on, also=also)

    async def wait_until_seen(self, after: str | None) -> None:
        """Wait until the `stream@version`s of a `Counterpoint-After` header have taken effect here."""
        await self._arrivals.of(after)

    async def wait_until_all_heard(self) -> None:
        """Wait until everything that had been said on the topics when this was asked has taken effect here."""
        await self._arrivals.of_everything()

    def is_published(self, version: str) -> bool:
        """Whether others hear of the stream in a `stream@version`."""
        category = self.service.catalog.categories[parts(version.rpartition("@")[0])[1]]
        return category.audience is not Audience.sealed

    def caught_up(self) -> bool:
        """Whether the inbox of this process has applied everything there is; True where another process has it."""
        return self.following.consumer is None or self.following.consumer.caught_up()

    async def lag(self) -> list[Lag]:
        """The lag of the partitions this process owns."""
        return await self.following.consumer.lag() if self.following.consumer else []

    async def parked(self) -> int:
        """How many streams, records and tasks wait for a missing version or for somebody; 0 in a relay alone."""
        if self.settings.role is Role.relay:
            return 0
        streams = self.database.collection(self.inbox.collection).count_documents(PARKED_STREAM)
        records = self.database.collection(PARKED).count_documents({"kind": "record", "inbox": self.inbox.name})
        tasks = self.database.collection(TASKS).count_documents({"state": "parked"})
        return sum(await asyncio.gather(streams, records, tasks))

    # -- life -------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the parts of this process's role in the background."""
        if self.settings.role is not Role.relay:
            assert self.tokens  # a wrong key is told at the start, not to the first caller
        self._refusal = "the journal has not been compared with Kafka yet"
        self.parts.for_ever("figures", self.figures.run)
        self.parts.once("start", self._start)

    async def _start(self) -> None:
        await self.parts.until_done("database", self._prepare)
        await self.parts.until_done("kafka", self._verify_topics)
        await self.parts.until_done("journal", self._compare)
        role = self.settings.role
        if role is not Role.relay:
            self.parts.for_ever("marks", self._remember)
        if role.does(Role.relay):
            self.parts.for_ever("relay", self.relay.run)
        if role is not Role.relay:
            await self.parts.until_done("versions", self.following.look)
            self.parts.for_ever("versions", self.following.run)
            self.parts.for_ever("topics", self.following.follow_topics)
        if role.does(Role.worker):
            self.parts.for_ever("newer", self.following.read_again)
        self.parts.for_ever("watch", self._watch.run)
        settle()

    async def _compare(self) -> None:
        """Take commands, and publish, only once the journal has everything that Kafka knows."""
        try:
            await self.history.check()
        except Behind as behind:
            self._refusal = str(behind)
            raise
        self._refusal = None

    async def _remember(self) -> None:
        """Keep the comparison of the next start short."""
        while True:
            await self.history.remember()
            await asyncio.sleep(REMEMBER_SECONDS)

    async def _prepare(self) -> None:
        """Look for the collections and indexes of this role's parts, and create those that are missing."""
        role = self.settings.role
        await self.database.end_dead_transactions()
        if role is not Role.relay:
            await self.database.create(JOURNAL, CONTENTS, DOCUMENTS, LATEST, MARKS)
            await self.journal.prepare()
            await self.latest.prepare()
            await self.documents.prepare()
            await contents.prepare(self.database)
            await self.following.prepare()
            await self.runner.prepare()
        if role.does(Role.relay):
            await self._relays.create(JOURNAL, LATEST, MARKS)
            await Journal(self._relays).prepare()
            await LatestStore(self._relays).prepare()
            await self.relay.prepare()

    async def prepare(self) -> None:
        """Create everything there is to create, and say who may do what with it."""
        await self._prepare()
        await self.relay.prepare()
        await self.grant()

    async def grant(self) -> None:
        """Say what the users who decide and who relay may do, with the collections that there are now."""
        for role, allowed in rights.of(await self.database.collections()).items():
            await self.database.grant(role, allowed)

    async def make_topics(self) -> list[str]:
        """Create those of this service's topics that are missing; answers their names. Raises `WrongTopic`."""
        return await topics.make(self.settings.kafka, await self._own(), self.service.keeps, self.settings.partitions)

    async def _verify_topics(self) -> None:
        await topics.verify(self.settings.kafka, await self._own())

    async def _own(self) -> Mapping[str, int | None]:
        """The live generations of the topics that this service says facts on, and how many partitions each needs."""
        own = {c.topic for c in self.service.catalog.categories.values() if c.service == self.service.name and c.topic}
        return (await generations.live(self._relays, self.settings.partitions)).names(own)

    def waiting_for(self) -> list[str]:
        """What is missing before this process can do its work; empty when it is ready."""
        waiting = self.missing() - set(self.without())
        self._was_ready = self._was_ready or not waiting
        return sorted(waiting)

    def without(self) -> list[str]:
        """What is missing and not needed for answering requests: what Kafka is for, once it has all been there."""
        if not self._was_ready or not self.settings.role.does(Role.api):
            return []
        return sorted(self.missing() & {"kafka", "subscription", "partitions"})

    def missing(self) -> set[str]:
        """Everything that is not there and should be, whether or not it is ready without."""
        missing = self.parts.waiting | self._watch.away
        if self.following.listens and not (self.following.consumer and self.following.consumer.assigned):
            missing.add("partitions")
        return missing

    def stalled(self) -> list[str]:
        """Parts that have not even tried anything for a minute."""
        now = asyncio.get_running_loop().time()
        idle = {
            "relay": self.relay.attempted and now - self.relay.attempted,
            "tasks": self.runner.attempted and now - self.runner.attempted,
            "inbox": self.following.consumer.idle_seconds if self.following.consumer else 0.0,
        }
        return [name for name, seconds in idle.items() if seconds > STALLED_SECONDS]

    def begin_to_stop(self) -> None:
        """Take on nothing new, and finish the batch and tasks in hand, while requests in flight are answered."""
        if self._hearing is None:
            self.parts.stop("start", "versions", "watch")
            self._stop_by = asyncio.get_running_loop().time() + self.settings.stop_seconds
            self.runner.finish()
            self._hearing = asyncio.create_task(self.following.stop_hearing(comes_back=True))

    async def stop(self) -> None:
        """Finish the batch and the tasks in hand, publish what is left, close. What hangs is not waited for long."""
        clock = asyncio.get_running_loop().time
        self.begin_to_stop()
        assert self._hearing is not None
        await self.parts.ended("tasks", seconds=self._stop_by - LAST_SECONDS - clock())
        self.relay.finish(LAST_SECONDS)
        await self.parts.ended("relay", seconds=LAST_SECONDS + 1.5)
        await asyncio.wait({self._hearing}, timeout=max(0.0, self._stop_by + LAST_SECONDS - clock()))
        await self.parts.cancel()
        for database in {self.database, self._relays}:
            await database.close()


def settle() -> None:
    """Once everything is imported and made: let the garbage collector pass over it, and come less often.

    A worker holds batches of objects, and by default each batch makes it look through all of them.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 100)
