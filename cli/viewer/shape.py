"""A trace in the order in which it is told: each span below what caused it, with the record that carried it there."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from cli.viewer.spans import Span
from cli.viewer.summary import TOPIC, mark, step

FOLDED_SHARE = 0.25
FOLDED_NS = 250_000_000
"""Nothing happens for so long, and for such a part of the trace: the waiting is folded."""
FOLD_WIDTH = 0.04
"""The part of a drawing that folded waiting takes."""


@dataclass(frozen=True, slots=True)
class Row:
    """One span at its place. `last` says for each depth whether it is the last of its siblings.

    `detached`: it has a cause that is not among the spans, because that was not sampled or belongs to the caller.
    `carrier` is the id of the publishing span whose record it heard, `topic` where that lay.
    """

    span: Span
    last: tuple[bool, ...]
    detached: bool
    carrier: str | None
    topic: str | None

    @property
    def depth(self) -> int:
        """How many causes it has in this trace."""
        return len(self.last)

    def told(self, begin: int) -> dict[str, Any]:
        """The row for the page: times in milliseconds since `begin`."""
        span = asdict(self.span)
        start, end = span.pop("start"), span.pop("end")
        del span["trace"]
        return {
            **span,
            "links": [link._asdict() for link in self.span.links],
            "start": round((start - begin) / 1e6, 3),
            "took": round((end - start) / 1e6, 3),
            "step": step(self.span),
            "mark": mark(self.span),
            "depth": self.depth,
            "detached": self.detached,
            "carrier": self.carrier,
            "topic": self.topic,
        }


def rows(spans: Sequence[Span]) -> list[Row]:
    """All spans of one trace, each after its cause, siblings in the order of their beginnings. A circle is cut."""
    known = {span.id: span for span in spans}
    below: dict[str | None, list[Span]] = defaultdict(list)
    for span in known.values():
        below[span.parent if span.parent in known else None].append(span)
    made: dict[str, Row] = {}

    def tell(first: Span) -> None:
        # A stack of our own: a chain of causes may be longer than Python lets functions call each other.
        waiting: list[tuple[Span, tuple[bool, ...]]] = [(first, ())]
        while waiting:
            span, last = waiting.pop()
            if span.id in made:
                continue
            cause = known.get(span.parent or "")
            carrier = cause if cause and step(cause) == "publish" else None
            topic = span.attributes.get(TOPIC) or (carrier.attributes.get(TOPIC) if carrier else None)
            detached = not last and span.parent is not None
            made[span.id] = Row(span, last, detached, carrier.id if carrier else None, str(topic) if topic else None)
            children = reversed(below[span.id])
            waiting += [(child, (*last, place == 0)) for place, child in enumerate(children)]

    for root in (*below[None], *known.values()):  # whoever is left after the roots is its own cause
        if root.id not in made:
            tell(root)
    return list(made.values())


@dataclass(frozen=True, slots=True)
class Scale:
    """Where moments of a trace are drawn, from 0 to 1; long waiting, in which nothing happens, is folded.

    `parts` are the stretches between the folds: from and to in nanoseconds, and where each begins and ends.
    """

    parts: tuple[tuple[int, int, float, float], ...]

    @classmethod
    def of(cls, spans: Iterable[Span]) -> "Scale":
        """The scale of these spans, at least one of them."""
        busy: list[list[int]] = []
        for start, end in sorted((span.start, max(span.start, span.end)) for span in spans):
            if busy and start <= busy[-1][1]:
                busy[-1][1] = max(busy[-1][1], end)
            else:
                busy.append([start, end])
        long = max(FOLDED_NS, FOLDED_SHARE * (busy[-1][1] - busy[0][0]))
        stretches = [busy[0]]
        for start, end in busy[1:]:
            if start - stretches[-1][1] > long:
                stretches.append([start, end])
            else:
                stretches[-1][1] = end
        drawn = 1 - FOLD_WIDTH * (len(stretches) - 1)
        whole = sum(end - start for start, end in stretches) or 1
        parts, at = [], 0.0
        for start, end in stretches:
            width = drawn * (end - start) / whole
            parts.append((start, end, at, at + width))
            at += width + FOLD_WIDTH
        return cls(tuple(parts))

    def at(self, moment: int) -> float:
        """Where a moment is drawn."""
        for start, end, left, right in self.parts:
            if moment <= end:
                return left + (right - left) * max(0, moment - start) / max(1, end - start)
        return 1.0

    def told(self, begin: int) -> list[dict[str, float]]:
        """The stretches for the page, in milliseconds since `begin`."""
        return [
            {"from": (a - begin) / 1e6, "to": (b - begin) / 1e6, "left": left, "right": right}
            for a, b, left, right in self.parts
        ]
