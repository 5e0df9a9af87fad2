"""Real inboxes on a real MongoDB, driven step by step through rebalances and deaths, and what they did written down."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pymongo.errors import AutoReconnect

from chassis.receiving.inbox import CHECKPOINTS, Inbox, Lost
from chassis.receiving.parking import PARKED
from chassis.receiving.resuming import Resuming
from chassis.receiving.versions import Versions
from chassis.running.mongo import Database, PyMongoError, Session
from contracts.envelope import Headers, to_headers
from tests.model.explore import Label
from tests.model.folded import FAILED, Doc, Fact, Rows
from tests.model.inbox import InboxModel
from tests.model.real_folding import AT, RealFolding

LOG = tuple(Fact(0, *fact) for fact in ((1,), (3,), (2,), (2,), (1,), (5,), (4,), (4, 1), (3,)))
BROKEN = frozenset({Fact(0, 3)})
Shown = tuple[int, tuple[Doc, ...], tuple[Rows, ...]]
"""What anybody can see in the database: the checkpoint, the documents, what waits."""


@dataclass(frozen=True)
class Heard:
    """A record as Kafka hands it over."""

    topic: str
    offset: int
    key: bytes
    value: bytes
    headers: Headers
    partition: int = 0
    timestamp: int = 0


class _Stepped(Inbox):
    """The real inbox, which stops in its transaction when the checkpoint has been moved, and waits to be let on."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.began = asyncio.Event()
        self.on: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def _advance(self, *given: Any) -> None:
        await super()._advance(*given)
        self.began.set()
        await self.on


class Process:
    """One process: an inbox with a client and a session of its own, and the batch it is working on."""

    def __init__(self, recording: RecordingInboxes) -> None:
        real, services = recording.real, recording.real.services
        self.database = recording.connect()
        self.inbox = _Stepped(
            services.tally.service, services.catalog, self.database, (real.view,), (), real.tasks, recording.now
        )
        self.ready = self.back = False
        self.working: asyncio.Task[int] | None = None

    async def begin(self, records: list[Heard]) -> bool:
        """Begin a transaction; whether it stands."""
        self.inbox.began = asyncio.Event()
        self.inbox.on = asyncio.get_running_loop().create_future()
        self.working = asyncio.create_task(self.inbox.apply(records))
        began = asyncio.create_task(self.inbox.began.wait())
        await asyncio.wait([self.working, began], return_when=asyncio.FIRST_COMPLETED)
        began.cancel()
        if not self.working.done():
            return True
        assert isinstance(self.working.exception(), Lost | PyMongoError)
        self.working = None
        return False

    async def end(self, error: Exception | None = None) -> bool:
        """Let the transaction go on to its end, or fail; whether it went well."""
        working, self.working = self.working, None
        assert working is not None
        if error:
            self.inbox.on.set_exception(error)
        else:
            self.inbox.on.set_result(None)
        try:
            await working
        except PyMongoError:
            return False
        return True


class RecordingInboxes:
    """Two processes and an operator over one partition, and their steps in the model's words."""

    def __init__(self, connect: Callable[[], Database], seed: int) -> None:
        self.real = RealFolding()
        self.real.raises = BROKEN
        self.connect = connect
        self.random = random.Random(seed)
        self.model = InboxModel((LOG,), BROKEN, batch=3, deaths=True)
        self.trace: list[Label] = []
        self.place = (self.real.services.tally.topic or "", 0)
        self.ticks = 0
        self.processes = [Process(self), Process(self)]
        self.gone: list[Process] = []
        self.orphan: tuple[int, Process] | None = None
        self.watcher = self.processes[0].database

    def now(self) -> datetime:
        """Later at each call, so that what waits is in the order in which it came."""
        self.ticks += 1
        return AT + timedelta(seconds=self.ticks)

    async def run(self, steps: int = 60) -> None:
        """Take steps at random, then read to the end."""
        await Versions(self.processes[0].inbox.database, self.processes[0].inbox.service, 1).prepare()
        await self.processes[0].inbox.prepare()
        for _ in range(steps):
            await self._step(self.random.randrange(2))
            self.trace.append(("shows", await self.shows()))
        while not await self._read_on():
            self.trace.append(("shows", await self.shows()))

    async def close(self) -> None:
        """Everybody ends."""
        for process in [*self.processes, *self.gone]:
            if process.working:
                process.working.cancel()
                await asyncio.gather(process.working, return_exceptions=True)
            with suppress(PyMongoError):
                await process.inbox.close()
            await process.database.close()

    async def _step(self, i: int) -> None:
        process = self.processes[i]
        dice = self.random.random()
        if dice < 0.05:
            return await self._operate()
        if dice < 0.12 and process.working and self.orphan is None and ("crash", i) not in self.trace:
            return self._crash(i)
        if dice < 0.15 and process.ready:
            process.ready = False
            process.inbox.leave([self.place])
            return self.trace.append(("revoke", i))
        if self.orphan and dice < 0.5:
            return await self._let_the_dead_commit()
        if process.working:
            return await self._end(i)
        if process.back:
            return await self._look(i)
        if not process.ready or dice > 0.9:
            return await self._take(i)
        return await self._begin(i)

    async def _take(self, i: int) -> None:
        process = self.processes[i]
        mine = process.inbox._session and process.inbox._session.session_id
        checkpoint = await self.watcher.collection(CHECKPOINTS).find_one({})
        offset = (await process.inbox.take([self.place]))[self.place]
        if checkpoint and checkpoint["lsid"] != mine:
            self.orphan = None
        process.ready, process.back = True, False
        self.trace += [("end-session", i), ("take", i, offset)]

    async def _begin(self, i: int) -> None:
        process = self.processes[i]
        offset = process.inbox.offsets[self.place]
        n = min(self.random.randint(1, 3), len(LOG) - offset)
        if n:
            process.back = not await process.begin([self.record(offset + k) for k in range(n)])
            self.trace += [("fetch", i, offset, n), ("lost" if process.back else "begin", i)]

    async def _end(self, i: int) -> None:
        process = self.processes[i]
        fate = self.random.choice(("commit", "commit", "commit", "abort", "unanswered"))
        session = process.inbox._session
        if fate == "unanswered":
            _answer_nothing(process.database)
        if await process.end(AutoReconnect("planted") if fate == "abort" else None):
            return self.trace.append(("commit", i))
        process.back = True
        told = ("abort", i) if fate == "abort" else ("refused", i)
        if fate == "unanswered" and process.database.__dict__.pop("_commit").done:
            told = ("unanswered", i)
        if fate == "abort" and not await self._would_have_committed(session):
            told = ("refused", i)
        return self.trace.append(told)

    async def _would_have_committed(self, session: Session) -> bool:
        """Whether a planted failure came before a real one."""
        checkpoint = await self.watcher.collection(CHECKPOINTS).find_one({})
        return bool(checkpoint and checkpoint["lsid"] == session.session_id) and not self._retried_since_begin()

    def _retried_since_begin(self) -> bool:
        begun = max(n for n, label in enumerate(self.trace) if label[0] == "begin")
        return any(label[0] == "retried" for label in self.trace[begun:])

    async def _look(self, i: int) -> None:
        process = self.processes[i]
        found = await process.inbox.positions([self.place])
        process.back = False
        process.ready = process.ready and self.place in found
        self.trace.append(("look", i, found.get(self.place, -1)))

    def _crash(self, i: int) -> None:
        """Gone without a word, in the middle of a transaction: that stays as it is."""
        process = self.processes[i]
        self.orphan = i + 1, process
        self.gone.append(process)
        self.processes[i] = Process(self)
        self.trace.append(("crash", i))

    async def _let_the_dead_commit(self) -> None:
        assert self.orphan
        (session, process), self.orphan = self.orphan, None
        if await process.end():
            self.trace.append(("late-commit", session))

    async def _operate(self) -> None:
        if self.real.raises:
            self.real.raises = frozenset()
            return self.trace.append(("mend",))
        _, (doc,), _ = await self.shows()
        if doc.parked and doc.parked[0] == FAILED:
            await Resuming(Process(self).inbox).retry(self.real.stream)
            self.trace += [("retry", 0), ("retried", 0)]
        return None

    async def _read_on(self) -> bool:
        """One step towards the end, by one process; whether there is nothing left to read."""
        for i, process in enumerate(self.processes):
            if process.working:
                await self._end(i)
            elif process.back:
                await self._look(i)
            else:
                continue
            return False
        offset, (doc,), _ = await self.shows()
        if self.real.raises or (doc.parked and doc.parked[0] == FAILED):
            await self._operate()
        elif offset < len(LOG):
            await (self._begin if self.processes[0].ready else self._take)(0)
        return offset == len(LOG) and not (doc.parked and doc.parked[0] == FAILED)

    async def shows(self) -> Shown:
        """What is in the database now."""
        db = self.watcher
        checkpoint = await db.collection(CHECKPOINTS).find_one({})
        found = await db.collection(self.processes[0].inbox.collection).find_one({"_id": self.real.stream})
        rows = await db.collection(PARKED).find({}).to_list(None)
        doc = self.real._read(found) if found else Doc()
        return (checkpoint["offset"] if checkpoint else 0), (doc,), (self.real._rows(rows),)

    def record(self, offset: int) -> Heard:
        heard = self.real.heard(LOG[offset])
        key = self.real.stream.encode()
        return Heard(self.place[0], offset, key, heard.raw, to_headers(heard.envelope))


class _answer_nothing:
    """Commits, and loses the answer."""

    def __init__(self, database: Database) -> None:
        self.done = False
        database._commit = self  # type: ignore[method-assign,assignment]

    async def __call__(self, session: Session) -> None:
        await session.commit_transaction()
        self.done = True
        raise AutoReconnect("planted")
