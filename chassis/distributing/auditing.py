"""Whether a journal tells the truth: the chain of each stream, and what it says against what Kafka was told."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from chassis.deciding.journal import COLLECTION, GENESIS, Commit, chain
from chassis.distributing import generations, reading
from chassis.distributing.slots import slot_of
from chassis.receiving.records import Record
from chassis.running.mongo import MAJORITY_READ, Database, Document
from contracts.catalog import Catalog
from contracts.envelope import Envelope, Unreadable, from_headers
from contracts.streams import parts, topic_of

PAGE = 1000


@dataclass(frozen=True)
class Finding:
    """One thing that is not as it must be. `kind` is lasting, `where` a stream's version or a record's place."""

    kind: str
    where: str
    detail: str


@dataclass
class Report:
    """What was looked at, and everything that was found."""

    streams: int = 0
    commits: int = 0
    records: int = 0
    findings: list[Finding] = field(default_factory=list)

    def found(self, kind: str, where: str, detail: str) -> None:
        """Add a finding."""
        self.findings.append(Finding(kind, where, detail))


@dataclass
class _Published:
    """What Kafka must have of one commit, and which of its versions have been seen there."""

    stream: str
    first: int
    digest: str
    origin: tuple[str, str, str | None]
    events: tuple[bytes, ...]
    topic: str | None
    pending: bool
    seen: set[int] = field(default_factory=set)


def check_stream(stream: str, docs: Sequence[Document], catalog: Catalog) -> list[Finding]:
    """What is wrong with the commits of one stream, in the order of their versions."""
    report = Report()
    try:
        category = catalog.categories[parts(stream)[1]]
    except (KeyError, ValueError):
        return [Finding("stray", stream, "no category of this service has such a stream")]
    previous, version = GENESIS, 0
    for doc in docs:
        where = f"{stream}@{doc.get('from')}"
        try:
            commit = Commit.from_document(doc)
            digest = chain(commit.previous, stream, commit.first, commit.at, commit.events)
        except (KeyError, TypeError, AttributeError) as wrong:
            report.found("malformed", where, f"{type(wrong).__name__}: {wrong}")
            continue
        if commit.first != version + 1:
            report.found("gap", where, f"follows version {version}")
        if commit.previous != previous:
            report.found("broken-chain", where, "does not follow from the commit before it")
        if commit.digest != digest:
            report.found("changed", where, "the content is not what its digest says")
        if doc["to"] != commit.last or doc["slot"] != slot_of(stream) or not commit.events:
            report.found("malformed", where, "its range, its slot or its events do not fit")
        if doc.get("pending") and category.topic is None:
            report.found("sealed-pending", where, "is sealed and would be published")
        previous, version = commit.digest, max(version, commit.last)
    return report.findings


class Audit:
    """Walks one service's journal once, and its topics once. Memory grows with the number of published commits."""

    def __init__(self, service: str, catalog: Catalog, database: Database) -> None:
        self._service = service
        self._catalog = catalog
        self._database = database
        self._journal = database.collection(COLLECTION, read_concern=MAJORITY_READ)
        self._published: dict[str, _Published] = {}
        self._unknown: dict[str, list[Record]] = {}
        self.report = Report()

    async def run(self, bootstrap: str) -> Report:
        """Compare. The service may be at work: what is inserted or published meanwhile is no finding."""
        async for stream, docs in self._streams():
            await self._stream(stream, docs)
        owned = (c for c in self._catalog.categories.values() if c.service == self._service)
        lanes = await generations.live(self._database, 0)
        async for batch in reading.records(bootstrap, sorted(lanes.names({c.topic for c in owned if c.topic}))):
            for record in batch:
                self._record(record)
        await self._look_again()
        self._not_on_kafka()
        return self.report

    async def _streams(self) -> AsyncIterator[tuple[str, list[Document]]]:
        docs: list[Document] = []
        async for doc in self._journal.find({}, batch_size=PAGE).sort([("stream", 1), ("from", 1)]):
            if docs and docs[0].get("stream") != doc.get("stream"):
                yield docs[0].get("stream", ""), docs
                docs = []
            docs.append(doc)
        if docs:
            yield docs[0].get("stream", ""), docs

    async def _stream(self, stream: str, docs: list[Document]) -> None:
        findings = check_stream(stream, docs, self._catalog)
        if findings:
            # The walk is no single moment: a commit may have come in behind it. The stream alone is read as it is.
            docs = await self._journal.find({"stream": stream}, batch_size=5000).sort("from", 1).to_list(None)
            findings = check_stream(stream, docs, self._catalog)
        self.report.streams += 1
        self.report.commits += len(docs)
        self.report.findings += findings
        self._keep(docs)

    def _keep(self, docs: Iterable[Document]) -> None:
        for doc in docs:
            try:
                commit = Commit.from_document(doc)
                topic = self._catalog.categories[parts(commit.stream)[1]].topic
            except (KeyError, TypeError, ValueError):
                continue  # found already
            self._published[commit.id] = _Published(
                commit.stream,
                commit.first,
                commit.digest,
                (commit.command_id, commit.meta.correlation, commit.meta.causation),
                tuple(_hash(e.type, e.v, e.data.encode()) for e in commit.events),
                topic,
                bool(doc.get("pending")),
            )

    def _record(self, record: Record) -> None:
        self.report.records += 1
        try:
            e = from_headers(record.headers)
        except Unreadable as wrong:
            self.report.found("foreign", _place(record), str(wrong))
            return
        known = self._published.get(e.commit)
        if known is None:
            self._unknown.setdefault(e.commit, []).append(record)
            return
        differs = self._differs(e, known, record)
        if differs:
            self.report.found("told-otherwise", f"{e.id} ({_place(record)})", f"{differs} not what the journal says")
        else:
            known.seen.add(e.version)

    @staticmethod
    def _differs(e: Envelope, known: _Published, record: Record) -> str | None:
        if (e.stream, e.first, e.last) != (known.stream, known.first, known.first + len(known.events) - 1):
            return "its place is"
        if topic_of(record.topic) != known.topic or record.key != e.stream.encode():
            return "its topic or its key is"
        if e.digest != known.digest:
            return "its digest is"
        if (e.command, e.correlation, e.causation) != known.origin:
            return "its command or its cause is"
        if _hash(e.type, e.v, record.value or b"") != known.events[e.version - known.first]:
            return "its fact is"
        return None

    async def _look_again(self) -> None:
        """What Kafka knows and the walk did not see: inserted since, or missing."""
        unknown, self._unknown = self._unknown, {}
        ids = list(unknown)
        for n in range(0, len(ids), PAGE):
            self._keep(await self._journal.find({"_id": {"$in": ids[n : n + PAGE]}}).to_list(None))
        self.report.records -= sum(len(records) for records in unknown.values())
        for records in unknown.values():
            for record in records:
                self._record(record)
        for records in self._unknown.values():
            for record in records:
                e = from_headers(record.headers)
                self.report.found("not-in-journal", f"{e.id} ({_place(record)})", f"Kafka has commit {e.commit}")

    def _not_on_kafka(self) -> None:
        for known in self._published.values():
            missing = set(range(known.first, known.first + len(known.events))) - known.seen
            if missing and known.topic is not None and not known.pending:
                versions = ", ".join(str(v) for v in sorted(missing))
                self.report.found("not-on-kafka", f"{known.stream}@{versions}", "is marked as published")


def _hash(type_: str, v: int, data: bytes) -> bytes:
    return hashlib.sha256(f"{type_}:{v}:".encode() + data).digest()[:16]


def _place(record: Any) -> str:
    return f"{record.topic}[{record.partition}]@{record.offset}"
