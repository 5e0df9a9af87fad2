"""The spans of a batch that is sent: one that creates each sampled fact, and one that sends them all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from chassis.deciding.journal import Commit
from chassis.running import allowed, spans
from contracts.streams import parts

Lane = tuple[str, int]
"""A topic and a partition of it."""


class Sending:
    """One try of one batch. Each sampled fact is created below the command that said it, and sent with that context;
    the batch has a trace of its own, linked to each. `unmarked` are the sampled commits that this process has tried to
    send before: what is sent of them now is marked as a repeat.
    """

    def __init__(self, lane: Lane, unmarked: set[str]) -> None:
        self._topic = lane[0]
        self._kafka: dict[str, str | int | bool | None] = {
            "messaging.system.name": "kafka",
            "messaging.destination.name": lane[0],
            "messaging.destination.partition.id": str(lane[1]),
        }
        self._unmarked = unmarked
        self._created: list[spans.Span] = []
        self._links: list[spans.Link] = []

    def created(self, commit: Commit) -> list[str | None] | None:
        """The context that each of a commit's facts is sent with; None where it is not sampled."""
        if not spans.is_sampled(commit.meta.traceparent):
            return None
        again = True if commit.id in self._unmarked else None
        self._unmarked.add(commit.id)
        return [self._create(commit, n, again) for n in range(len(commit.events))]

    def _create(self, commit: Commit, n: int, again: bool | None) -> str | None:
        about: dict[str, str | int | bool | None] = {
            "messaging.operation.name": "create",
            "messaging.operation.type": "create",
            "kafka.message.key": allowed.stream(commit.stream),
            "counterpoint.version": commit.first + n,
            "counterpoint.fact": commit.events[n].type,
            "counterpoint.program": allowed.program_of(parts(commit.stream)[0]),
            "counterpoint.repeat": again,
        }
        name, kind = f"create {self._topic}", spans.SpanKind.PRODUCER
        span = spans.begin(name, kind, self._kafka | about, below=commit.meta.traceparent)
        self._created.append(span)
        hop = spans.traceparent_of(span)
        if hop:
            self._links.append(spans.link(hop, {"counterpoint.repeat": again}))
        return hop

    @contextmanager
    def sent(self, records: int) -> Iterator[None]:
        """Send so many records in the block."""
        about: dict[str, str | int | bool | None] = {
            "messaging.operation.name": "send",
            "messaging.operation.type": "send",
            "messaging.batch.message_count": records,
        }
        batch = spans.begin(f"send {self._topic}", spans.SpanKind.CLIENT, self._kafka | about, links=self._links)
        failed: str | None = None
        try:
            yield
        except BaseException as error:
            failed = spans.kind_of(error)
            raise
        finally:
            for span in (*self._created, batch):
                spans.end(span, failed)
