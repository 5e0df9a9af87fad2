"""Folding one batch in memory: next version applies, an older one is a repeat, a further one parks its stream."""

from __future__ import annotations

from collections.abc import Container, Mapping
from datetime import datetime
from math import inf
from typing import Any

from chassis.receiving.parking import from_row, heard_row
from chassis.receiving.records import Heard, Latest
from chassis.receiving.tasks import Tasks
from chassis.receiving.views import View, Views
from chassis.running.mongo import Document
from contracts.catalog import Catalog
from contracts.streams import ORG
from contracts.types import instant_text

GAP = "gap"
NEWER = "newer"
"""Why a stream is parked that goes on by itself: when the version comes; when a release that reads it comes."""


REASONS = (GAP, NEWER, "failed", "unreadable", "rewritten")
"""Every reason for which a stream is parked."""


class NotDropped(Exception):
    """What was asked to be dropped is not what its stream stopped at."""


class Folding:
    """One batch. `documents` are those of the streams touched, as loaded; `waiting` the parked rows of parked ones.

    Afterwards: `changed` document ids, of which `known` were there before; task `rows`; rows newly `parked`, and the
    ids of those `drained`; how many facts were `applied`, and how many were `repeats`; of state documents
    those whose last record was `stale`, with its revision.
    """

    def __init__(
        self,
        documents: dict[str, Document],
        waiting: Mapping[str, list[Document]],
        views: Views,
        tasks: Tasks,
        traces: Mapping[str, str | None],
        catalog: Catalog,
        inbox: str,
        now: datetime,
    ) -> None:
        self.documents = documents
        self.known = frozenset(documents)
        self.changed: dict[str, None] = {}
        self.rows: list[Document] = []
        self.drained: list[str] = []
        self.applied = 0
        self.repeats = 0
        self.stale: dict[str, int] = {}
        self._waiting = {stream: {row["_id"]: row for row in rows} for stream, rows in waiting.items()}
        self._fresh: dict[str, Document] = {}
        self._views = views
        self._tasks = tasks
        self._traces = traces
        self._inbox = inbox
        self._now = now
        self._catalog = catalog

    @property
    def parked(self) -> list[Document]:
        """Rows to park."""
        return list(self._fresh.values())

    def hear(self, heard: Heard) -> None:
        """Take one fact: apply it, skip it, or park it with its stream."""
        e = heard.envelope
        doc = self.documents.get(e.stream)
        if doc is None:
            view = self._views.of_category(e.category)
            doc = {"_id": e.stream, "view": view.name if view else e.category, "scope": e.scope, "v": 0, "digest": ""}
            doc["doc"] = view.row().model_dump(mode="json") if view else None
            self.documents[e.stream] = doc
        if e.version <= doc["v"]:
            self._repeat(heard, doc)
        elif doc.get("parked") and not (doc["parked"]["reason"] == GAP and e.version == doc["v"] + 1):
            self._park(heard, doc)
        elif e.version > doc["v"] + 1:
            self._park(heard, doc)
            self._await_next(doc)
        elif self._apply(heard, doc) and doc.get("parked"):
            self._drain(doc)

    def retry(self, stream: str) -> None:
        """Apply what waits on a parked stream, as far as it goes; where nothing goes, only the reason may change."""
        self._drain(self.documents[stream])

    def drop(self, stream: str, version: int) -> list[Document]:
        """Leave out the fact that a stream stopped at, and go on behind it; answers the rows that no longer wait.

        The view then has seen that version, but it is not in its row, and no task came of it. Raises `NotDropped`
        where the stream did not stop there, or waits for a version nobody has sent.
        """
        doc = self.documents[stream]
        stopped: int = doc["parked"]["version"]
        rows = [row for row in self._in_order(stream) if row["version"] == version]
        if version != stopped or not rows:
            way_out = "only that version can be dropped" if version != stopped else "it goes on when the version comes"
            raise NotDropped(f"{stream} stopped at version {stopped} ({doc['parked']['reason']}): {way_out}")
        if version > doc["v"]:
            rows = rows[:1]
            doc |= {"v": version, "digest": from_row(rows[0], self._catalog).envelope.digest}
        for row in rows:
            self._forget(row)
        self._drain(doc)
        return rows

    def _repeat(self, heard: Heard, doc: Document) -> None:
        e = heard.envelope
        if e.version == doc["v"] and e.digest != doc["digest"]:
            self._park(heard, doc)
            self._rewritten(doc)
            return
        self.repeats += 1

    def _apply(self, heard: Heard, doc: Document) -> bool:
        """Apply the next version; whether that went well."""
        e = heard.envelope
        view = self._views.of_category(e.category)
        try:
            if heard.trouble:
                raise ValueError(heard.trouble)
            body = self._folded(view, doc, heard) if view else None
            rows = self._tasks.rows(heard, self._traces.get(e.id) or (e.traceparent if e.hop else None))
        except Exception as wrong:  # any fold may raise: only its own stream waits for somebody to look
            self._park(heard, doc)
            reason = NEWER if heard.needs else "unreadable" if heard.trouble else "failed"
            self._stop(doc, reason, e.version, f"{type(wrong).__name__}: {wrong}"[:500])
            if heard.needs:
                doc["parked"]["needs"] = heard.needs
            return False
        doc |= {"v": e.version, "digest": e.digest, "doc": body, "at": instant_text(e.at)}
        self.changed[e.stream] = None
        if e.version > doc.get("tasked", 0):  # else another version of the inbox has written them already
            self.rows += rows
        if e.version >= doc.get("tasked", inf):
            del doc["tasked"]
        self.applied += 1
        return True

    @staticmethod
    def _folded(view: View[Any], doc: Document, heard: Heard) -> Any:
        if type(heard.fact) not in view.hears:
            return doc["doc"]
        row = view.row.model_validate(doc["doc"])
        return view.fold(row, heard.fact, heard.envelope.at).model_dump(mode="json")

    def _drain(self, doc: Document) -> None:
        """Apply what has waited in the order of versions, until it is empty or something stops it again."""
        for row in self._in_order(doc["_id"]):
            heard = from_row(row, self._catalog)
            if row["version"] > doc["v"] + 1:
                return self._await_next(doc)
            if row["version"] == doc["v"] and heard.envelope.digest != doc["digest"]:
                return self._rewritten(doc)
            if row["version"] > doc["v"] and not self._apply(heard, doc):
                return None
            self._forget(row)  # only now: what fails again is still there, and must not be parked twice
        doc.pop("parked", None)
        self.changed[doc["_id"]] = None
        return None

    def _in_order(self, stream: str) -> list[Document]:
        """What waits, by version; the first that came of a version is first."""
        return sorted(self._waiting.get(stream, {}).values(), key=lambda row: (row["version"], row["at"]))

    def _forget(self, row: Document) -> None:
        del self._waiting[row["stream"]][row["_id"]]
        if self._fresh.pop(row["_id"], None) is None:
            self.drained.append(row["_id"])

    def _park(self, heard: Heard, doc: Document) -> None:
        """Put a fact among those that wait, once.

        That always changes the document too, by the number of those that wait: an operator who lets the stream go on
        at the same time conflicts with us, and neither can overlook what the other did.
        """
        row = heard_row(self._inbox, heard, self._now)
        waiting = self._waiting.setdefault(doc["_id"], {})
        if row["_id"] in waiting:
            self.repeats += 1
            return
        waiting[row["_id"]] = self._fresh[row["_id"]] = row
        if doc.get("parked"):
            doc["parked"] = {**doc["parked"], "waiting": len(waiting)}
        self.changed[doc["_id"]] = None

    def _await_next(self, doc: Document) -> None:
        version = doc["v"] + 1
        self._stop(doc, GAP, version, f"version {version} has not come yet")

    def _rewritten(self, doc: Document) -> None:
        self._stop(doc, "rewritten", doc["v"], f"version {doc['v']} came again with another digest")

    def _stop(self, doc: Document, reason: str, version: int, detail: str) -> None:
        before = doc.get("parked")
        since = before["since"] if before and before["version"] == version else instant_text(self._now)
        waiting = len(self._waiting[doc["_id"]])
        parked = {"reason": reason, "version": version, "detail": detail, "since": since, "waiting": waiting}
        doc["parked"] = parked
        self.changed[doc["_id"]] = None

    def keep(self, latest: Latest, cut: Container[str] = ()) -> None:
        """Keep a state document if its revision is newer, and nothing of those who are `cut`."""
        id = latest.view.id_of(latest.key)
        if latest.view.about(latest.key) in cut:
            self.repeats += 1
            return
        doc = self.documents.get(id)
        self.stale.pop(id, None)
        if doc is not None and latest.rev <= doc["v"]:
            self.repeats += 1
            if latest.rev < doc["v"]:
                self.stale[id] = latest.rev
            return
        body = latest.doc.model_dump(mode="json") if latest.doc else None
        scope = latest.key.partition("/")[0] if "/" in latest.key else ORG
        self.documents[id] = {"_id": id, "view": latest.view.name, "scope": scope, "v": latest.rev, "doc": body}
        self.changed[id] = None
        self.applied += 1
