"""The spans that services append to files, one JSON object a line: read once, and again where something was added."""

import json
import re
import secrets
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from cli.viewer.summary import Summary

SPANS_FILE = re.compile(r".+\.jsonl(\.\d+)?")
"""A file of spans, or one that was rotated away."""


class Link(NamedTuple):
    """Another span that has to do with this one."""

    trace: str
    span: str


@dataclass(frozen=True, slots=True)
class Span:
    """One finished span. Times are nanoseconds since the epoch, of the machine's own clock."""

    trace: str
    id: str
    parent: str | None
    links: tuple[Link, ...]
    service: str
    role: str | None
    name: str
    kind: str
    start: int
    end: int
    status: str
    attributes: dict[str, Any]


class _Place(NamedTuple):
    """Where the line of a span is: the first line of its file, and the bytes before it."""

    file: bytes
    offset: int


@dataclass(slots=True)
class _File:
    path: Path
    read: int = 0


@dataclass(slots=True)
class Spans:
    """All spans in a folder, by trace. `look` takes in what is new; what is kept of a span is where it is.

    A file is known by its first line, which holds the id of a span: whatever the file is called later, and however
    soon another one has its name. `cursor` changes whenever something was added, and wholly when something went away.
    """

    folder: Path
    traces: dict[str, Summary] = field(default_factory=dict)
    _places: dict[str, list[_Place]] = field(default_factory=lambda: defaultdict(list))
    _linked: dict[str, set[Link]] = field(default_factory=lambda: defaultdict(set))
    _files: dict[bytes, _File] = field(default_factory=dict)
    _epoch: str = field(default_factory=lambda: secrets.token_hex(4))
    _revision: int = 0

    @property
    def cursor(self) -> str:
        """How far this has read, for `changed`."""
        return f"{self._epoch}-{self._revision}"

    def look(self) -> None:
        """Read what was written since the last time. A line that is being written is read the next time."""
        found: dict[bytes, Path] = {}
        for path in sorted(self.folder.glob("*.jsonl*")):
            if SPANS_FILE.fullmatch(path.name) and (first := _first_line(path)):
                found[first] = path
        if any(file not in found or found[file].stat().st_size < known.read for file, known in self._files.items()):
            self._forget()
        for file, path in found.items():
            known = self._files.setdefault(file, _File(path))
            known.path = path
            self._take_in(file, known)

    def changed(self, since: str = "") -> list[Summary]:
        """The summaries of all traces that have changed since that cursor, the newest first."""
        epoch, _, revision = since.partition("-")
        after = int(revision) if epoch == self._epoch and revision.isdecimal() else 0
        return sorted((s for s in self.traces.values() if s.revision > after), key=lambda s: s.start, reverse=True)

    def named(self, beginning: str) -> list[str]:
        """The ids of all traces that begin like this."""
        return [beginning] if beginning in self.traces else [t for t in self.traces if t.startswith(beginning)]

    def of(self, trace: str) -> list[Span]:
        """The spans of one trace, in the order of their beginnings."""
        spans: list[Span] = []
        places: dict[bytes, list[int]] = defaultdict(list)
        for place in self._places.get(trace, ()):
            places[place.file].append(place.offset)
        for file, offsets in places.items():
            with self._files[file].path.open("rb") as lines:
                for offset in offsets:
                    lines.seek(offset)
                    spans.extend(span for span in _parsed(lines.readline()) if span.trace == trace)
        return sorted(spans, key=lambda span: (span.start, -span.end))

    def linked(self, trace: str) -> list[Link]:
        """The spans of other traces that have a link to this one."""
        return sorted((link for link in self._linked.get(trace, ()) if link.trace != trace), key=str)

    def _forget(self) -> None:
        self.traces.clear()
        self._places.clear()
        self._linked.clear()
        self._files.clear()
        self._epoch, self._revision = secrets.token_hex(4), 0

    def _take_in(self, file: bytes, known: _File) -> None:
        with known.path.open("rb") as lines:
            lines.seek(known.read)
            for line in lines:
                if not line.endswith(b"\n"):
                    break
                for span in _parsed(line):
                    self._places[span.trace].append(_Place(file, known.read))
                    self._summarise(span)
                known.read += len(line)

    def _summarise(self, span: Span) -> None:
        summary = self.traces.get(span.trace)
        if summary is None:
            summary = self.traces[span.trace] = Summary(span.trace)
        summary.add(span)
        self._revision += 1
        summary.revision = self._revision
        for link in span.links:
            self._linked[link.trace].add(Link(span.trace, span.id))


def read(folder: Path, trace: str) -> list[Span]:
    """The spans of every trace whose id begins with `trace`, in the order of their beginnings."""
    found: list[Span] = []
    wanted = trace.encode()
    for path in folder.glob("*.jsonl*"):
        if SPANS_FILE.fullmatch(path.name):
            with path.open("rb") as lines:
                found += [s for line in lines if wanted in line for s in _parsed(line) if s.trace.startswith(trace)]
    return sorted(found, key=lambda span: (span.start, -span.end))


def services(spans: Iterable[Span]) -> set[str]:
    """The services that the spans come from."""
    return {span.service for span in spans}


def _first_line(path: Path) -> bytes | None:
    """The first line of a file once it is whole; None before, and where the file has just gone."""
    try:
        with path.open("rb") as lines:
            first = lines.readline()
    except FileNotFoundError:
        return None
    return first if first.endswith(b"\n") else None


def _parsed(line: bytes) -> Iterator[Span]:
    """The span of a line; nothing where it is none, because it is half written or somebody else's."""
    try:
        d = json.loads(line)
        yield Span(
            trace=str(d["trace"]),
            id=str(d["span"]),
            parent=d.get("parent"),
            links=tuple(Link(str(link["trace"]), str(link["span"])) for link in d["links"]),
            service=str(d.get("service") or "unknown").removeprefix("counterpoint-"),
            role=d.get("role"),
            name=str(d["name"]),
            kind=str(d.get("kind", "internal")),
            start=int(d["start_ns"]),
            end=int(d["end_ns"]),
            status=str(d.get("status", "unset")),
            attributes=dict(d.get("attributes") or {}),
        )
    except (ValueError, KeyError, TypeError):
        return
