"""A running service process: its parts are made, started, watched and stopped here."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from functools import cached_property

import uvicorn
from fastapi import FastAPI
from pydantic import ValidationError

from chassis.deciding.commands import Commands, Origin, Outcome, Write
from chassis.deciding.contents import COLLECTION as CONTENTS
from chassis.deciding.contents import Contents
from chassis.deciding.decider import On
from chassis.deciding.documents import COLLECTION as DOCUMENTS
from chassis.deciding.documents import Documents
from chassis.deciding.journal import COLLECTION as JOURNAL
from chassis.deciding.journal import Journal
from chassis.distributing import topics
from chassis.distributing.healing import MARKS, Behind, History
from chassis.distributing.latest import COLLECTION as LATEST
from chassis.distributing.latest import LatestStore
from chassis.distributing.producer import Producer
from chassis.distributing.relay import Relay
from chassis.receiving.consumer import Consumer, KafkaError, Lag, end_offsets
from chassis.receiving.inbox import Inbox
from chassis.receiving.parking import PARKED
from chassis.receiving.resuming import Resuming
from chassis.receiving.runner import Runner
from chassis.receiving.tasks import COLLECTION as TASKS
from chassis.receiving.versions import Pointer, Versions
from chassis.receiving.views import PARKED_STREAM
from chassis.running import health, once, operators, problems, rebuilding, rights, telemetry
from chassis.running.auth import Tokens
from chassis.running.clock import Clock
from chassis.running.mongo import Database
from chassis.running.problems import Problem, later
from chassis.running.service import Service
from chassis.running.settings import Role, Settings
from chassis.running.telemetry import METRICS
from chassis.running.tracing import Tracing
from contracts.streams import Audience, parts

STALLED_SECONDS = 60.0
REPORT_SECONDS = 5.0
REMEMBER_SECONDS = 30.0
FOLLOW_SECONDS = 0.25
_log = logging.getLogger("counterpoint")


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
        self.tokens = Tokens(settings)
        self.history = History(service.name, service.catalog, self.database, settings.kafka_bootstrap)
        self._refusal: str | None = None
        self.relay = Relay(
            service.name,
            service.catalog,
            self._relays,
            LatestStore(self._relays),
            lambda: Producer(settings.kafka_bootstrap),
            now=self.clock.now,
            partitions=settings.partitions,
            sweep_seconds=settings.sweep_seconds,
            lease_seconds=settings.lease_seconds,
            watch=settings.role is Role.relay,
        )
        self.commands = Commands(service.catalog, self.journal, self.database, self.clock.now, self.relay.wake)
        self.versions = Versions(self.database, service.name, service.folds)
        self._use(self.inbox_of(1))
        self.runner = Runner(self, sweep_seconds=settings.sweep_seconds)
        self._consumer: Consumer | None = None
        self._running_tasks: asyncio.Task[None] | None = None
        self._following = False
        self._waiting = {"database", "kafka"}
        self._tasks: list[asyncio.Task[None]] = []

    def _open(self, uri: str) -> Database:
        return Database(
            uri,
            self.settings.mongo_database or f"counterpoint_{self.service.name}",
            driver=self.settings.mongo_driver,
            concurrency=self.settings.command_concurrency,
        )

    def _use(self, inbox: Inbox) -> None:
        self.inbox = inbox
        self.resuming = Resuming(inbox)

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
            wake_tasks=lambda: self.runner.wake(),
        )

    @property
    def _listens(self) -> bool:
        return self.settings.role.does(Role.worker) and bool(self.inbox.topics)

    @cached_property
    def contents(self) -> Contents:
        """Encrypted texts. Raises where no key is configured."""
        return Contents(self.database, self.settings.content_key)

    # -- what handlers and tasks use --------------------------------------------------------------------------------

    async def run(self, origin: Origin, *on: On, also: Sequence[Write] = ()) -> Outcome:
        """Run a command; at most as many at once as the database answers well, first come first served."""
        if self._refusal:
            raise later("journal-behind", self._refusal, 5)
        async with self.database.gate:
            return await self.commands.run(origin, *on, also=also)

    async def wait_until_seen(self, after: str | None) -> None:
        """Wait until the `stream@version`s of a `Counterpoint-After` header have taken effect here."""
        wanted = [w.strip() for w in (after or "").split(",") if w.strip()]
        if len(wanted) > 20:
            raise Problem(400, "after", "Counterpoint-After names more than 20 versions")
        deadline = asyncio.get_running_loop().time() + self.settings.own_write_seconds
        for want in wanted:
            stream, version = self._heard(want)
            while await self.inbox.reader.version(stream) < version:
                if asyncio.get_running_loop().time() > deadline:
                    raise later("not-seen-yet", f"{want} has not arrived here yet")
                await asyncio.sleep(0.01)

    def _heard(self, want: str) -> tuple[str, int]:
        stream, _, version = want.rpartition("@")
        try:
            category = parts(stream)[1]
            number = int(version)
        except ValueError:
            raise Problem(400, "after", f"{want!r} is not a stream and a version, such as a/b/c@1") from None
        if category not in self.inbox.categories:
            raise Problem(400, "after", f"this service never hears {category!r} streams")
        return stream, number

    async def wait_until_all_heard(self) -> None:
        """Wait until everything that had been said on the topics when this was asked has taken effect here."""
        try:
            ends = await end_offsets(self.settings.kafka_bootstrap, self.inbox.topics)
        except KafkaError:
            raise later("kafka-unavailable", "Kafka does not answer at the moment", 2) from None
        deadline = asyncio.get_running_loop().time() + self.settings.all_heard_seconds
        while True:
            reached = await self.inbox.checkpoints()
            if all(reached.get(place, 0) >= end for place, end in ends.items()):
                return
            if asyncio.get_running_loop().time() > deadline:
                raise later("catching-up", "this service has not heard everything yet; try again in a moment", 2)
            await asyncio.sleep(0.05)

    def is_published(self, version: str) -> bool:
        """Whether others hear of the stream in a `stream@version`."""
        category = self.service.catalog.categories[parts(version.rpartition("@")[0])[1]]
        return category.audience is not Audience.sealed

    def caught_up(self) -> bool:
        """Whether the inbox of this process has applied everything there is; True where another process has it."""
        return self._consumer is None or self._consumer.caught_up()

    async def lag(self) -> list[Lag]:
        """The lag of the partitions this process owns."""
        return await self._consumer.lag() if self._consumer else []

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
        self._refusal = "the journal has not been compared with Kafka yet"
        self._tasks.append(asyncio.create_task(self._start(), name="start"))

    async def _start(self) -> None:
        await self._until_done("database", self._prepare)
        await self._until_done("kafka", self._verify_topics)
        await self._until_done("journal", self._compare)
        role = self.settings.role
        if role is not Role.relay:
            self._tasks.append(asyncio.create_task(self._for_ever("marks", self._remember)))
        if role.does(Role.relay):
            self._tasks.append(asyncio.create_task(self._for_ever("relay", self.relay.run)))
        if role is not Role.relay:
            await self._until_done("versions", self._follow_once)
            self._tasks.append(asyncio.create_task(self._for_ever("versions", self._follow)))
        self._tasks.append(asyncio.create_task(self._for_ever("figures", self._report)))
        gc.collect()
        gc.freeze()
        gc.set_threshold(20_000, 20, 100)  # a worker holds batches of objects: the default collects far too often

    # -- which version of the inbox is read, heard and worked for ---------------------------------------------------

    async def _follow(self) -> None:
        """Read, hear and run tasks with the version of the inbox that is live, from the moment it is."""
        while True:
            await asyncio.sleep(FOLLOW_SECONDS)
            await self._follow_once()

    async def _follow_once(self) -> None:
        pointer = await self.versions.pointer()
        if pointer.folds != self.service.folds:
            await self._stand_by(pointer)
        elif pointer.live != self.inbox.version or "inbox" in self._waiting or not self._following:
            await self._switch(pointer)

    async def _switch(self, pointer: Pointer) -> None:
        """From now on this version. Its views stand where those of the version before stood."""
        self._following = False
        inbox = self.inbox_of(pointer.live)
        self._use(inbox)
        await self._stop_hearing()
        self._waiting.discard("inbox")
        if self.settings.role.does(Role.worker) and self._running_tasks is None:
            self._running_tasks = asyncio.create_task(self._for_ever("tasks", self.runner.run))
        if self._listens:
            self._consumer = Consumer(
                inbox,
                self.settings.kafka_bootstrap,
                batch_records=self.settings.batch_records,
                stop_seconds=self.settings.stop_seconds,
            )
            await self._until_done("subscription", self._consumer.start)
        self._following = True

    async def _stand_by(self, pointer: Pointer) -> None:
        """Other folds made the live version: its documents are not for this release to read, nor its facts to hear."""
        if "inbox" not in self._waiting:
            made, ours = pointer.folds, self.service.folds
            _log.warning("version %d of the inbox was made by folds %d, these are %d", pointer.live, made, ours)
        self._waiting.add("inbox")
        if self._running_tasks is not None:
            self._running_tasks.cancel()
            await asyncio.gather(self._running_tasks, return_exceptions=True)
            self._running_tasks = None
        await self._stop_hearing()

    async def _stop_hearing(self) -> None:
        if self._consumer is not None:
            consumer, self._consumer = self._consumer, None
            with contextlib.suppress(Exception):
                async with asyncio.timeout(self.settings.stop_seconds + 2):
                    await consumer.stop()

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

    async def _report(self) -> None:
        """Set the gauges that nothing else sets in passing."""
        while True:
            METRICS.round_trips.set(sum(d.round_trips.total for d in {self.database, self._relays}))
            METRICS.parked.set(await self.parked())
            await self.lag()
            await asyncio.sleep(REPORT_SECONDS)

    async def _prepare(self) -> None:
        """Look for the collections and indexes of this role's parts, and create those that are missing."""
        role = self.settings.role
        await self.database.end_dead_transactions()
        if role is not Role.relay:
            await self.database.create(JOURNAL, CONTENTS, DOCUMENTS, LATEST, MARKS)
            await self.journal.prepare()
            await self.latest.prepare()
            await self.documents.prepare()
            await self._prepare_inbox()
            await self.runner.prepare()
        if role.does(Role.relay):
            await self._relays.create(JOURNAL, LATEST, MARKS)
            await Journal(self._relays).prepare()
            await LatestStore(self._relays).prepare()
            await self.relay.prepare()

    async def _prepare_inbox(self) -> None:
        await self.versions.prepare()
        pointer = await self.versions.pointer()
        if pointer.folds == self.service.folds:
            self._use(self.inbox_of(pointer.live))
            await self.inbox.prepare()

    async def prepare(self) -> None:
        """Create everything there is to create, and say who may do what with it."""
        await self._prepare()
        await self.relay.prepare()
        await self.grant()

    async def grant(self) -> None:
        """Say what the users who decide and who relay may do, with the collections that there are now."""
        for role, allowed in rights.of(await self.database.collections()).items():
            await self.database.grant(role, allowed)

    async def _verify_topics(self) -> None:
        own = {c.topic for c in self.service.catalog.categories.values() if c.service == self.service.name and c.topic}
        await topics.verify(self.settings.kafka_bootstrap, own, self.settings.partitions)

    async def _until_done(self, what: str, do: Callable[[], Awaitable[None]]) -> None:
        self._waiting.add(what)
        pause = 0.2
        while True:
            try:
                await do()
                break
            except Exception as error:
                _log.warning("%s: %s: %s", what, type(error).__name__, str(error)[:300])
                await asyncio.sleep(pause)
                pause = min(5.0, pause * 2)
        self._waiting.discard(what)

    async def _for_ever(self, what: str, do: Callable[[], Awaitable[None]]) -> None:
        pause = 0.2
        while True:
            began = asyncio.get_running_loop().time()
            try:
                await do()
            except Exception as error:
                _log.warning("%s starts again: %s: %s", what, type(error).__name__, str(error)[:300])
            pause = 0.2 if asyncio.get_running_loop().time() - began > 10 else min(5.0, pause * 2)
            await asyncio.sleep(pause)

    def waiting_for(self) -> list[str]:
        """What is missing before this process is ready; empty when it is."""
        waiting = set(self._waiting)
        if self._listens and "inbox" not in waiting and not (self._consumer and self._consumer.assigned):
            waiting.add("partitions")
        return sorted(waiting)

    def stalled(self) -> list[str]:
        """Parts that have not even tried anything for a minute."""
        now = asyncio.get_running_loop().time()
        tried = {"relay": self.relay.attempted, "tasks": self.runner.attempted}
        return [name for name, at in tried.items() if at and now - at > STALLED_SECONDS]

    async def stop(self) -> None:
        """Finish the batch in hand, publish what is left, close; in parallel where that is safe."""
        for task in self._tasks:
            task.cancel()
        if self._running_tasks is not None:
            self._running_tasks.cancel()
            self._tasks.append(self._running_tasks)
        stopping = asyncio.gather(*self._tasks, return_exceptions=True)
        await self._stop_hearing()
        await stopping
        for database in {self.database, self._relays}:
            await database.close()


def build(service: Service, settings: Settings) -> FastAPI:
    """The service's HTTP application; its lifespan runs the other parts."""

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        runtime = Runtime(service, settings)
        app.state.runtime = runtime
        runtime.start()
        try:
            yield
        finally:
            await runtime.stop()

    app = FastAPI(
        title=f"Counterpoint {service.name}",
        version="1",
        lifespan=lifespan,
        telemetry={"tracing": False, "metrics": False, "logs": False},  # FastAPI's own spans carry paths
        docs_url=None,  # the bundled pages load scripts from public networks
        redoc_url=None,
        openapi_url=f"/{service.name}/v1/openapi.json",
        generate_unique_id_function=lambda route: route.name,
    )
    if settings.role.does(Role.api):
        app.include_router(service.router, prefix=f"/{service.name}/v1")
    app.include_router(health.router)
    if settings.role is not Role.relay:
        app.include_router(operators.router)
    problems.install(app)
    app.add_middleware(Tracing)
    return app


def run(service: Service) -> None:
    """Run one process of a service until it is told to stop. Exits with 2 where the settings are wrong.

    Asked for something else by its arguments (`chassis.running.once`), it does that, and ends.
    """
    logging.basicConfig(
        level=os.environ.get("COUNTERPOINT_LOG_LEVEL", "INFO"),
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
        stream=sys.stderr,
    )
    for noisy in ("aiokafka", "httpx", "pymongo"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
    try:
        settings = once.settings() if sys.argv[1:] else Settings()
    except ValidationError as wrong:
        for e in wrong.errors(include_input=False):
            name = "_".join(str(p) for p in e["loc"]).upper()
            sys.stderr.write(f"COUNTERPOINT_{name}: {e['msg']}\n" if name else f"{e['msg']}\n")
        sys.exit(2)
    if sys.argv[1:]:
        sys.exit(once.main(lambda: Runtime(service, settings), sys.argv[1:]))
    if settings.role is Role.rebuild:
        sys.exit(asyncio.run(rebuilding.main(Runtime(service, settings))))
    provider = telemetry.setup(service.name, settings.role, settings.spans_file)
    uvicorn.run(
        build(service, settings),
        host=settings.http_host,
        port=settings.http_port,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=5,
    )
    provider.shutdown()
