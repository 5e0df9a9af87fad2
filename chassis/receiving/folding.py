"""Folding one batch in memory: next version applies, an older one is a repeat, a further one parks its stream."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
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


class Folding:
    """One batch. `documents` are those of the streams touched, as loaded; `waiting` the parked rows of parked ones.

    Afterwards: `changed` document ids, of which `known` were there before; task `rows`; rows newly `parked`, and the
    ids of those `drained`; how many facts were `applied`, and how many were `repeats`.
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
        self.parked: list[Document] = []
        self.drained: list[str] = []
        self.applied = 0
        self.repeats = 0
        self._waiting = {stream: {row["version"]: row for row in rows} for stream, rows in waiting.items()}
        self._views = views
        self._tasks = tasks
        self._traces = traces
        self._inbox = inbox
        self._now = now
        self._catalog = catalog

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
            self._park(heard)
        elif e.version > doc["v"] + 1:
            self._park(heard)
            self._stop(doc, GAP, f"version {doc['v'] + 1} has not come yet")
        elif self._apply(heard, doc) and doc.get("parked"):
            self._drain(doc)

    def _repeat(self, heard: Heard, doc: Document) -> None:
        e = heard.envelope
        if e.version == doc["v"] and e.digest != doc["digest"]:
            self._park(heard)
            self._stop(doc, "rewritten", f"version {e.version} came again with another digest")
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
            rows = self._tasks.rows(heard, self._traces.get(e.id) or e.traceparent)
        except Exception as wrong:  # any fold may raise: only its own stream waits for somebody to look
            self._park(heard)
            self._stop(doc, "unreadable" if heard.trouble else "failed", f"{type(wrong).__name__}: {wrong}"[:500])
            return False
        doc |= {"v": e.version, "digest": e.digest, "doc": body, "at": instant_text(e.at)}
        self.changed[e.stream] = None
        self.rows += rows
        self.applied += 1
        return True

    @staticmethod
    def _folded(view: View[Any], doc: Document, heard: Heard) -> Any:
        if type(heard.fact) not in view.hears:
            return doc["doc"]
        row = view.row.model_validate(doc["doc"])
        return view.fold(row, heard.fact, heard.envelope.at).model_dump(mode="json")

    def _drain(self, doc: Document) -> None:
        """The missing version came: apply what has waited, as far as it goes."""
        waiting = self._waiting.setdefault(doc["_id"], {})
        doc.pop("parked")
        while row := waiting.pop(doc["v"] + 1, None):
            self._forget(row)
            if not self._apply(from_row(row, self._catalog), doc):
                return
        for version in [v for v in waiting if v <= doc["v"]]:
            self._forget(waiting.pop(version))
        if waiting:
            self._stop(doc, GAP, f"version {doc['v'] + 1} has not come yet")

    def _forget(self, row: Document) -> None:
        if row in self.parked:
            self.parked.remove(row)
        else:
            self.drained.append(row["_id"])

    def _park(self, heard: Heard) -> None:
        e = heard.envelope
        row = heard_row(self._inbox, heard, self._now)
        waiting = self._waiting.setdefault(e.stream, {})
        if e.version not in waiting:
            waiting[e.version] = row
            self.parked.append(row)
        elif waiting[e.version]["_id"] != row["_id"]:
            self.parked.append(row)

    def _stop(self, doc: Document, reason: str, detail: str) -> None:
        doc["parked"] = {"reason": reason, "detail": detail, "since": instant_text(self._now)}
        self.changed[doc["_id"]] = None

    def keep(self, latest: Latest) -> None:
        """Keep a state document if its revision is newer."""
        id = latest.view.id_of(latest.key)
        doc = self.documents.get(id)
        if doc is not None and latest.rev <= doc["v"]:
            self.repeats += 1
            return
        body = latest.doc.model_dump(mode="json") if latest.doc else None
        scope = latest.key.partition("/")[0] if "/" in latest.key else ORG
        self.documents[id] = {"_id": id, "view": latest.view.name, "scope": scope, "v": latest.rev, "doc": body}
        self.changed[id] = None
        self.applied += 1
