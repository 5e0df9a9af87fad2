"""What operators do about what is parked: look at it, try it again, or drop it with a reason that is kept."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

from chassis.deciding.commands import Conflict
from chassis.receiving.folding import Folding, NotDropped
from chassis.receiving.inbox import Inbox
from chassis.receiving.parking import DROPS, PARKED, from_row
from chassis.receiving.tasks import COLLECTION as TASKS
from chassis.receiving.versions import NotLive
from chassis.receiving.views import PARKED_INDEX, PARKED_STREAM
from chassis.running.mongo import Document, PyMongoError, Session, in_short, is_transient

__all__ = ["NotDropped", "NotParked", "Reason", "Resuming"]

TRIES = 8
"""Tries of an operator's change against the consumer, which writes the same documents."""
A_SWEEP = timedelta(seconds=1)
"""Longer than a task runner takes from its look for rows that are ready to its look for rows that wait."""
PAGE = 200
"""Streams, records, tasks or drops that one answer shows or tries again at most."""


T = TypeVar("T")


class NotParked(Exception):
    """There is no such parked thing here."""


@dataclass(frozen=True)
class Reason:
    """Who drops something, and why."""

    by: str
    text: str


class Resuming:
    """The parked things of one inbox.

    A change is one transaction, and it writes the document of the stream. So does the consumer whenever it parks or
    applies a fact of that stream: of two that meet one fails, and is tried again on what the other wrote. Nobody has
    to be stopped or fenced for it, and no other stream is touched.
    """

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox
        self._database = inbox.database
        self.conflicts = 0

    # -- looking ----------------------------------------------------------------------------------------------------

    async def parked(self) -> dict[str, list[Document]]:
        """Streams (why, since when, at which version, how many facts wait), records and tasks, longest first."""
        streams = await self._find(self._inbox.collection, PARKED_STREAM, "parked.since")
        records = await self._find(PARKED, {"kind": "record", "inbox": self._inbox.name}, "at")
        tasks = await self._find(TASKS, {"state": "parked"}, "parked_at")
        return {
            "streams": [{"stream": d["_id"], "seen": d["v"], **d["parked"]} for d in streams],
            "records": [{"record": _place(d), "reason": d["reason"], "since": _text(d["at"])} for d in records],
            "tasks": [_task(d) for d in tasks],
        }

    async def show(self, stream: str) -> Document:
        """One parked stream with the facts that wait on it, the first ones. Raises `NotParked`."""
        doc = await self._parked_stream(stream)
        query = {"inbox": self._inbox.name, "stream": stream}
        rows = await self._database.collection(PARKED).find(query).sort("version", 1).limit(PAGE).to_list(None)
        return {
            "stream": stream,
            "seen": doc["v"],
            **doc["parked"],
            "row": doc["doc"],
            "facts": [self._fact(row) for row in sorted(rows, key=lambda r: (r["version"], r["at"]))],
        }

    async def drops(self) -> list[Document]:
        """What was dropped, the latest first: when, by whom, why, and what had stopped it."""
        rows = await self._database.collection(DROPS).find({}).sort("at", -1).limit(PAGE).to_list(None)
        return [{**{k: d[k] for k in ("by", "reason", "kind", "what", "stopped")}, "at": _text(d["at"])} for d in rows]

    # -- trying again -----------------------------------------------------------------------------------------------

    async def retry(self, stream: str) -> Document:
        """Apply what waits on a stream, as far as it goes; answers how far that was. Raises `NotParked`, `Conflict`.

        Where it fails again everything is as it was, and says the new error.
        """

        async def once(session: Session) -> Document:
            _, folding = await self._load(stream, session)
            folding.retry(stream)
            await self._inbox.write(folding, session)
            return _outcome(folding.documents[stream], folding.applied)

        try:
            return await self._change(once)
        except (NotParked, Conflict, PyMongoError):
            raise
        except Exception as error:  # what was folded cannot be written
            await self._database.collection(self._inbox.collection).update_one(
                {"_id": stream, **PARKED_STREAM},
                {
                    "$set": {"parked.detail": in_short(error)},
                    "$unset": {"parked.needs": ""},
                },
            )
            doc = await self._parked_stream(stream)
            return _outcome(doc)

    async def retry_all(self, after: str = "") -> dict[str, Any]:
        """Try streams again in the order of their names, a page of them; `next` continues. The first page does tasks.

        A stream whose consumer is too busy with it to let us in says so, and the others are tried all the same.
        """
        query = {**PARKED_STREAM, "_id": {"$gt": after}}
        found = self._database.collection(self._inbox.collection).find(query, {"_id": 1}).hint(PARKED_INDEX)
        streams = [d["_id"] for d in await found.sort("_id", 1).limit(PAGE).to_list(None)]
        items: list[Document] = []
        for stream in streams:
            try:
                items.append(await self.retry(stream))
            except NotParked:
                continue  # it went on by itself meanwhile
            except Conflict as busy:
                items.append({"stream": stream, "trouble": str(busy)})
        tasks = await self._reopen({}) if not after else 0
        return {"items": items, "tasks": tasks, "next": streams[-1] if len(streams) == PAGE else None}

    async def read_again(self) -> int:
        """Try the streams again that an older release stopped at, where this one reads the fact; answers how many."""
        query = {**PARKED_STREAM, "parked.needs": {"$in": self._inbox.catalog.reads}}
        found = self._database.collection(self._inbox.collection).find(query, {"_id": 1}).hint(PARKED_INDEX).limit(PAGE)
        tried = 0
        for doc in await found.to_list(None):
            with suppress(NotParked, Conflict):  # it went on meanwhile, or the consumer has just changed it
                await self.retry(doc["_id"])
                tried += 1
        return tried

    async def retry_task(self, task: str) -> None:
        """Give a parked task all its tries again. Raises `NotParked`."""
        if not await self._reopen({"_id": task}):
            raise NotParked(f"no task {task} is parked here")

    async def _reopen(self, which: Document) -> int:
        # Not at once: a runner that has just looked for rows must still see this one in front of those behind it.
        soon = self._inbox.now() + A_SWEEP
        done = await self._database.collection(TASKS).update_many(
            {**which, "state": "parked"},
            {"$set": {"state": "open", "attempts": 0, "not_before": soon, "leased": None}},
        )
        self._inbox.wake_tasks()
        return int(done.modified_count)

    # -- dropping ---------------------------------------------------------------------------------------------------

    async def drop(self, stream: str, version: int, reason: Reason) -> Document:
        """Leave out the version a stream stopped at, and go on behind it. Raises `NotParked`, `NotDropped`, `Conflict`.

        Answers like `retry`.
        """
        id = secrets.token_hex(12)

        async def once(session: Session) -> Document:
            if await self._recorded(id, session):  # an earlier try came through, and only its answer was lost
                doc = await self._database.collection(self._inbox.collection).find_one({"_id": stream}, session=session)
                return _outcome(doc)
            doc, folding = await self._load(stream, session)
            stopped = doc["parked"]
            rows = folding.drop(stream, version)
            await self._inbox.write(folding, session)
            await self._record(id, reason, "fact", f"{stream}@{version}", stopped, rows, session)
            return _outcome(folding.documents[stream], folding.applied)

        return await self._change(once)

    async def drop_task(self, task: str, reason: Reason) -> None:
        """Take a parked task away; those of its key behind it go on. Raises `NotParked`."""
        await self._drop_row(TASKS, {"_id": task, "state": "parked"}, reason, "task", task)
        self._inbox.wake_tasks()

    async def drop_record(self, place: str, reason: Reason) -> None:
        """Take a record (`topic/partition@offset`) that nobody can place off the list. Raises `NotParked`."""
        which = {"_id": f"{self._inbox.name}|{place}", "kind": "record"}
        await self._drop_row(PARKED, which, reason, "record", place)

    async def _drop_row(self, collection: str, which: Document, reason: Reason, kind: str, what: str) -> None:
        id = secrets.token_hex(12)

        async def once(session: Session) -> None:
            row = await self._database.collection(collection).find_one_and_delete(which, session=session)
            if row is not None:
                stopped = {"detail": row.get("error") or row.get("reason")}
                await self._record(id, reason, kind, what, stopped, [row], session)
            elif not await self._recorded(id, session):
                raise NotParked(f"no {kind} {what} is parked here")

        await self._change(once)

    async def _record(
        self, id: str, reason: Reason, kind: str, what: str, stopped: Document, rows: list[Document], session: Session
    ) -> None:
        drop = {
            "_id": id,
            "at": self._inbox.now(),
            "by": reason.by,
            "reason": reason.text,
            "inbox": self._inbox.name,
            "kind": kind,
            "what": what,
            "stopped": stopped,
            "rows": rows,
        }
        await self._database.insert(DROPS, [drop], session)

    async def _recorded(self, id: str, session: Session) -> bool:
        return await self._database.collection(DROPS).find_one({"_id": id}, session=session) is not None

    # -- what these share -------------------------------------------------------------------------------------------

    async def _change(self, once: Callable[[Session], Awaitable[T]]) -> T:
        """Run a change in a transaction until it meets nobody."""
        for attempt in range(TRIES):
            try:
                async with self._database.transaction() as session:
                    await self._inbox.stay_live(session)
                    done = await once(session)
                self._inbox.wake_tasks()
                return done
            except NotLive:
                raise Conflict("another version of the views has become the live one; try again") from None
            except Exception as error:
                if not is_transient(error):
                    raise
            self.conflicts += 1
            await asyncio.sleep(0.02 * 2**attempt)
        raise Conflict("the consumer is busy with the same stream; try again")

    async def _load(self, stream: str, session: Session) -> tuple[Document, Folding]:
        """A parked stream as it is, and what folds into a copy of it."""
        doc = await self._parked_stream(stream, session)
        waiting = await self._inbox.waiting([stream], session)
        return doc, self._inbox.folding({stream: dict(doc)}, waiting)

    async def _parked_stream(self, stream: str, session: Session | None = None) -> Document:
        query = {"_id": stream, **PARKED_STREAM}
        doc: Document | None = await self._database.collection(self._inbox.collection).find_one(query, session=session)
        if doc is None:
            raise NotParked(f"no stream {stream} is parked here")
        return doc

    def _fact(self, row: Document) -> Document:
        heard = from_row(row, self._inbox.catalog)
        e = heard.envelope
        said = {"version": e.version, "type": e.type, "v": e.v, "time": _text(e.at), "digest": e.digest}
        try:
            data = json.loads(heard.raw)
        except ValueError:
            data = None
        return said | {"data": data, "trouble": heard.trouble, "since": _text(row["at"])}

    async def _find(self, collection: str, query: Document, order: str) -> list[Document]:
        cursor = self._database.collection(collection).find(query).sort(order, 1).limit(PAGE)
        found: list[Document] = await cursor.to_list(None)
        return found


def _outcome(doc: Document, applied: int = 0) -> Document:
    return {"stream": doc["_id"], "seen": doc["v"], "applied": applied, "parked": doc.get("parked")}


def _place(row: Document) -> str:
    return f"{row['topic']}/{row['partition']}@{row['offset']}"


def _task(row: Document) -> Document:
    since = row.get("parked_at")
    told = {"task": row["_id"], "key": row["key"], "attempts": row["attempts"], "error": row.get("error")}
    return told | {"since": _text(since) if since else None}


def _text(at: Any) -> str:
    return str(at.isoformat(timespec="milliseconds"))
