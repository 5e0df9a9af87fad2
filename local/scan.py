"""Looking for texts everywhere on a local stack: topics, segment files, collections, what is encrypted, logs, spans."""

import asyncio
import base64
import contextlib
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import CorruptRecordException
from aiokafka.record import MemoryRecords
from bson import BSON
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pymongo import MongoClient

from local.mongod import PREPARE
from local.stackfile import StackFile


@dataclass
class Found:
    """How many things were looked at, by their kind; and how many of them hold a text, by where they are."""

    looked: Counter[str] = field(default_factory=Counter)
    hits: Counter[str] = field(default_factory=Counter)

    def look(self, kind: str, where: str, content: bytes, texts: Sequence[bytes]) -> None:
        """Look at one thing."""
        self.looked[kind] += 1
        if any(text in content for text in texts):
            self.hits[where] += 1


def scan(told: StackFile, texts: Sequence[str]) -> Found:
    """Look for any of the texts everywhere."""
    found = Found()
    wanted = [text.encode() for text in texts]
    records(told, wanted, found)
    files(Path(told["data"]), wanted, found)
    documents(told, wanted, found)
    return found


def records(told: StackFile, texts: Sequence[bytes], found: Found) -> None:
    """Look at every record that any topic holds: key, value and headers."""
    # A thread of its own, because the caller's may already run an event loop.
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, _records(told["kafka"], texts, found)).result()


async def _records(bootstrap: str, texts: Sequence[bytes], found: Found) -> None:
    asking = AIOKafkaConsumer(bootstrap_servers=bootstrap)
    await asking.start()
    try:
        names = [name for name in await asking.topics() if not name.startswith("__")]  # those are Kafka's own
    finally:
        await asking.stop()
    consumer = AIOKafkaConsumer(*names, bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    try:
        ends = await consumer.end_offsets(list(consumer.assignment()))
        while any([await consumer.position(place) < end for place, end in ends.items()]):
            for place, batch in (await consumer.getmany(timeout_ms=300)).items():
                for record in batch:
                    parts = [record.key or b"", record.value or b"", *(v for _, v in record.headers)]
                    found.look("records", f"topic {place.topic}", b"\n".join(parts), texts)
    finally:
        await consumer.stop()


def files(data: Path, texts: Sequence[bytes], found: Found) -> None:
    """Look at Kafka's files but its indexes, also those it is about to remove, and at logs and spans."""
    for kind, folder in (("segment files", data / "kafka"), ("logs", data / "logs"), ("spans", data / "spans")):
        for file in sorted(folder.rglob("*")):
            try:
                content = file.read_bytes() if file.is_file() and "index" not in file.suffix else None
            except FileNotFoundError:
                continue  # Kafka tidies up meanwhile
            if content is not None:
                where = f"{kind} {file.relative_to(data)}"
                found.look(kind, where, b"\n".join([content, *_unpacked(file, content)]), texts)


def _unpacked(file: Path, content: bytes) -> Iterator[bytes]:
    """What is in the compressed batches of a segment file."""
    if ".log" not in file.suffixes:
        return
    with contextlib.suppress(CorruptRecordException, ValueError, IndexError):  # files of other forms are called so too
        batches = MemoryRecords(content)
        while (batch := batches.next_batch()) is not None:
            for record in batch:
                yield b"\n".join([record.key or b"", record.value or b"", *(v or b"" for _, v in record.headers)])


def documents(told: StackFile, texts: Sequence[bytes], found: Found) -> None:
    """Look at every document of every service's database; at what is encrypted, in plain."""
    for service, users in told["mongo_uris"].items():
        key = Path(told["data"]) / "keys" / f"content-{service}"
        cipher = AESGCM(base64.b64decode(key.read_text())[:32]) if key.exists() else None
        with MongoClient[dict[str, Any]](users[PREPARE]) as client:
            database = client[f"counterpoint_{service}"]
            for name in sorted(database.list_collection_names()):
                if not name.startswith("system."):
                    for doc in database[name].find({}):
                        where = f"collection {service}.{name}"
                        found.look("documents", where, b"\n".join(_plain(doc, cipher)), texts)


def _plain(doc: dict[str, Any], cipher: AESGCM | None) -> Iterator[bytes]:
    yield BSON.encode(doc)
    sealed = doc.get("sealed")
    if isinstance(sealed, bytes) and cipher is not None:
        try:
            yield cipher.decrypt(sealed[:12], sealed[12:], str(doc["_id"]).encode())
        except InvalidTag:
            yield b""
