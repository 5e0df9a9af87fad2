"""A restored journal cannot fork history: what Kafka knows and the journal lacks is noticed, and brought back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from chassis.deciding.journal import COLLECTION, GENESIS, UNKNOWN_BODY, Commit, Event, Journal, Meta
from chassis.distributing import generations, reading
from chassis.distributing.reading import Place
from chassis.receiving.consumer import end_offsets
from chassis.receiving.records import Record
from chassis.running.mongo import MAJORITY_READ, Database, DuplicateKeyError
from chassis.running.spans import Told
from contracts.catalog import Catalog
from contracts.envelope import Envelope, Unreadable, from_headers

MARKS = generations.COLLECTION
"""How far this service's topics were known to hold nothing that the journal lacks, and which of them are live."""
PAGE = 1000


class Behind(Told):
    """Kafka knows commits that the journal lacks: the database was restored, or somebody removed them."""

    def __init__(self, service: str, commits: int) -> None:
        super().__init__(
            f"Kafka knows {commits} commits that the journal lacks, as after a restore; no command is taken until "
            f"they are back: counterpoint heal {service}"
        )


@dataclass
class _Lost:
    """One commit that only Kafka has: its envelope, and each of its facts by version."""

    envelope: Envelope
    events: dict[int, Event] = field(default_factory=dict)


@dataclass
class Healed:
    """What came back, and what could not."""

    commits: int = 0
    streams: int = 0
    troubles: list[str] = field(default_factory=list)


class History:
    """One service's journal beside its topics, from the last place where both were known to agree."""

    def __init__(self, service: str, catalog: Catalog, database: Database, bootstrap: str) -> None:
        self._service = service
        self._topics = sorted({c.topic for c in catalog.categories.values() if c.service == service and c.topic})
        self._database = database
        self._bootstrap = bootstrap
        self._marks = database.collection(MARKS, read_concern=MAJORITY_READ)
        self._commits = database.collection(COLLECTION, read_concern=MAJORITY_READ)
        self._journal = Journal(database)

    async def check(self) -> None:
        """Raise `Behind` where Kafka knows more than the journal, Kafka's or the database's errors where neither."""
        marks = await self._marks.find_one({"_id": "ends"})
        begin = {(m["topic"], m["partition"]): m["end"] for m in (marks or {}).get("ends", ())}
        if lost := await self._lost(begin):
            raise Behind(self._service, len(lost))

    async def remember(self) -> None:
        """Note where the topics end now. Only for a process that has checked: the journal has all before it."""
        ends = await end_offsets(self._bootstrap, await self._live())
        told = [{"topic": t, "partition": p, "end": end} for (t, p), end in sorted(ends.items())]
        await self._database.collection(MARKS).update_one({"_id": "ends"}, {"$set": {"ends": told}}, upsert=True)

    async def accept(self, troubles: Sequence[str], at: datetime) -> None:
        """Go on without what could not be brought back; that it was accepted, when, and what it was, is kept."""
        accepted = {"at": at, "troubles": list(troubles)}
        await self._database.collection(MARKS).update_one(
            {"_id": "ends"}, {"$push": {"accepted": accepted}}, upsert=True
        )
        await self.remember()

    async def _live(self) -> list[str]:
        """The topics that are written now."""
        return sorted((await generations.live(self._database, 0)).names(self._topics))

    async def heal(self) -> Healed:
        """Insert what is missing, from the first record on, as it was but for who acted; again inserts nothing."""
        healed = Healed()
        streams: dict[str, list[_Lost]] = {}
        for lost in (await self._lost({})).values():
            streams.setdefault(lost.envelope.stream, []).append(lost)
        for stream, missing in sorted(streams.items()):
            missing.sort(key=lambda lost: lost.envelope.first)
            commits = (await self._journal.load([stream]))[stream]
            last = commits[-1] if commits else None
            for lost in missing:
                commit = _restored(lost, last)
                if isinstance(commit, str):
                    healed.troubles.append(commit)
                    break  # what follows cannot be verified without it
                try:
                    await self._journal.append(commit, pending=False)
                except DuplicateKeyError:
                    healed.troubles.append(f"{stream}@{commit.first}: the journal has another commit there by now")
                    break
                healed.commits += 1
                last = commit
            healed.streams += 1
        return healed

    async def _lost(self, begin: Mapping[Place, int]) -> dict[str, _Lost]:
        """The commits that Kafka has behind these offsets and the journal has not."""
        said: dict[str, _Lost] = {}
        lost: dict[str, _Lost] = {}
        async for batch in reading.records(self._bootstrap, await self._live(), begin):
            _gather(batch, said)
            if len(said) >= PAGE:
                lost = await self._unknown(said) | lost  # what is whole stays, whatever comes again of it
                said = {id: found for id, found in lost.items() if len(found.events) < _size(found)}
        return await self._unknown(said) | lost

    async def _unknown(self, said: dict[str, _Lost]) -> dict[str, _Lost]:
        known = {d["_id"] async for d in self._commits.find({"_id": {"$in": list(said)}}, {"_id": 1}, batch_size=PAGE)}
        return {id: found for id, found in said.items() if id not in known}


def _gather(records: Iterable[Record], said: dict[str, _Lost]) -> None:
    for record in records:
        try:
            e = from_headers(record.headers)
        except Unreadable:
            continue  # no fact of ours; the audit names it
        lost = said.setdefault(e.commit, _Lost(e))
        lost.events.setdefault(e.version, Event(e.type, e.v, (record.value or b"").decode(errors="replace")))


def _size(lost: _Lost) -> int:
    return lost.envelope.last - lost.envelope.first + 1


def _restored(lost: _Lost, before: Commit | None) -> Commit | str:
    """The commit as it was, or why it cannot be told."""
    e = lost.envelope
    where = f"{e.stream}@{e.first}"
    version = before.last if before else 0
    if e.first <= version:
        return f"{where}: the journal has other facts there by now"
    if e.first != version + 1:
        return f"{where}: version {version + 1} is nowhere"
    if len(lost.events) != _size(lost):
        return f"{where}: Kafka has {len(lost.events)} of the commit's {_size(lost)} facts"
    commit = Commit(
        id=e.commit,
        stream=e.stream,
        first=e.first,
        command_id=e.command,
        body_digest=UNKNOWN_BODY,
        previous=before.digest if before else GENESIS,
        at=e.at,
        meta=Meta(e.correlation, e.causation, e.traceparent),
        events=tuple(event for _, event in sorted(lost.events.items())),
    )
    if commit.digest != e.digest:
        return f"{where}: its digest does not follow from the commit before it"
    return commit
