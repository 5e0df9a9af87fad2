"""The spans of a batch that is heard: one of the batch, and one of each sampled fact that is new."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from chassis.receiving.folding import GAP, NEWER
from chassis.receiving.records import Heard, Record
from chassis.running import allowed, spans
from chassis.running.mongo import Document

REBUILT, REPUBLISHED = "rebuilt", "republished"
"""What `counterpoint.replay` says: a version of the inbox is filled again; a topic was filled again."""


class Hearing:
    """One try of one batch, of whose facts some are `sampled`. The batch has a trace of its own, linked to all of them.

    A fact goes on with the trace it was sent in. What was heard before is a link with a mark and no span; what was sent
    again from the journal, and is new here, has a trace of its own that is linked to the first one.
    """

    def __init__(self, inbox: str, sampled: Sequence[tuple[Heard, Record]], count: int, *, rebuilds: bool) -> None:
        self._sampled = sampled
        self._rebuilds = rebuilds
        self._linked = False
        self._facts: dict[str, spans.Span] = {}
        self._kafka: dict[str, str | int | bool | None] = {
            "messaging.system.name": "kafka",
            "messaging.operation.name": "process",
            "messaging.operation.type": "process",
            "messaging.consumer.group.name": inbox,
        }
        topics = {record.topic for _, record in sampled}
        about: dict[str, str | int | bool | None] = {
            "messaging.batch.message_count": count,
            "messaging.destination.name": topics.pop() if len(topics) == 1 else None,
            "counterpoint.replay": REBUILT if rebuilds else None,
        }
        name = f"process {about['messaging.destination.name'] or ''}".rstrip()
        self.batch = spans.begin(name, spans.SpanKind.CONSUMER, self._kafka | about, sampled=True)

    def begin(
        self, heard: Sequence[Heard], documents: Mapping[str, Document], waiting: Mapping[str, list[Document]]
    ) -> dict[str, str | None]:
        """Begin the spans of what is new to these documents, and link the batch; each fact's context by its id."""
        self._linked = True
        new = _new(heard, documents, waiting)
        repeats = 0
        for h, record in self._sampled:
            again = h.envelope.id not in new or h.envelope.id in self._facts
            repeats += again
            self._link(h, {"counterpoint.repeat": True} if again and not self._rebuilds else {})
            if not again and not self._rebuilds:
                self._facts[h.envelope.id] = self._fact(h, record)
        if repeats and not self._rebuilds:
            self.batch.set_attribute("counterpoint.repeats", repeats)
        return {event: spans.traceparent_of(span) for event, span in self._facts.items()}

    def end(self, failed: str | None = None, documents: Mapping[str, Document] | None = None) -> None:
        """End all of them; where the batch took effect, say of each fact that had to be parked why.

        That is an error unless it goes on by itself.
        """
        if not self._linked:
            for h, _ in self._sampled:
                self._link(h, {})
        for h, _ in self._sampled:
            span, e = self._facts.pop(h.envelope.id, None), h.envelope
            if span is None:
                continue
            doc = (documents or {}).get(e.stream)
            reason = doc["parked"]["reason"] if doc and doc.get("parked") and doc["v"] < e.version else None
            if reason:
                span.set_attribute("counterpoint.parked", reason)
            spans.end(span, failed or (reason if reason not in (GAP, NEWER) else None))
        spans.end(self.batch, failed)

    def _link(self, h: Heard, attributes: spans.Attributes) -> None:
        if sent := h.envelope.hop or h.envelope.traceparent:
            replay = REBUILT if self._rebuilds else None if h.envelope.hop else REPUBLISHED
            link = spans.link(sent, {**attributes, "counterpoint.replay": replay})
            self.batch.add_link(link.context, link.attributes)

    def _fact(self, h: Heard, record: Record) -> spans.Span:
        e = h.envelope
        about = self._kafka | {
            "messaging.destination.name": record.topic,
            "messaging.destination.partition.id": str(record.partition),
            "kafka.message.key": allowed.stream(e.stream),
            "counterpoint.version": e.version,
            "kafka.offset": record.offset,
            "counterpoint.fact": e.type if h.fact is not None else None,
            "counterpoint.program": allowed.program_of(e.scope),
        }
        context = self.batch.get_span_context()
        links = [spans.Link(context)] if context.is_valid else []
        name, kind = f"process {record.topic}", spans.SpanKind.CONSUMER
        if e.hop:
            return spans.begin(name, kind, about, below=e.hop, links=links)
        links.append(spans.link(str(e.traceparent), {"counterpoint.replay": REPUBLISHED}))
        return spans.begin(name, kind, about | {"counterpoint.replay": REPUBLISHED}, links=links)


def _new(
    heard: Iterable[Heard], documents: Mapping[str, Document], waiting: Mapping[str, list[Document]]
) -> frozenset[str]:
    """The ids of the facts that neither took effect before nor wait already."""
    reached = {stream: int(doc["v"]) for stream, doc in documents.items()}
    known = {(stream, row["version"]) for stream, rows in waiting.items() for row in rows}
    new = set()
    for h in heard:
        e = h.envelope
        if e.version > reached.get(e.stream, 0) and (e.stream, e.version) not in known:
            new.add(e.id)
    return frozenset(new)
