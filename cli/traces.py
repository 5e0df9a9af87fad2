"""`counterpoint trace`: one trace as a tree, from the spans that the services of the local stack wrote to files."""

import json as json_
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text
from rich.tree import Tree

from cli import running
from cli.failure import Failure
from cli.screen import AsJson, as_json, out

COLOURS = {"enrollment": "cyan", "matching": "magenta", "scheduling": "green", "insights": "yellow"}


@dataclass(frozen=True, slots=True)
class Span:
    """One finished span. Times are nanoseconds since the epoch, of the machine's own clock."""

    trace: str
    id: str
    parent: str | None
    service: str
    name: str
    kind: str
    start: int
    end: int
    status: str
    attributes: dict[str, Any]


def read(folder: Path, trace: str) -> list[Span]:
    """The spans of every trace whose id begins with `trace`, in the order of their beginnings."""
    found = []
    for file in sorted(folder.glob("*.jsonl")):
        with file.open() as lines:
            # A line that is being written is not yet a document; looking again finds it whole.
            found += [_span(json_.loads(line)) for line in lines if trace in line and line.endswith("\n")]
    return sorted((span for span in found if span.trace.startswith(trace)), key=lambda span: span.start)


def _span(d: dict[str, Any]) -> Span:
    return Span(
        trace=d["trace"],
        id=d["span"],
        parent=d["parent"],
        service=d["service"].removeprefix("counterpoint-"),
        name=d["name"],
        kind=d["kind"],
        start=d["start_ns"],
        end=d["end_ns"],
        status=d["status"],
        attributes=d["attributes"],
    )


def services(spans: Iterable[Span]) -> set[str]:
    """The services that the spans come from."""
    return {span.service for span in spans}


def draw(spans: list[Span]) -> Tree:
    """The tree of one trace. Each line: the service, what it did, milliseconds since the beginning, and how long."""
    known = {span.id for span in spans}
    below: dict[str | None, list[Span]] = defaultdict(list)
    for span in spans:
        below[span.parent if span.parent in known else None].append(span)
    begin = spans[0].start
    tree = Tree(Text(f"trace {spans[0].trace}", "bold"), guide_style="dim")

    def grow(branch: Tree, parent: str | None) -> None:
        for span in below[parent]:
            grow(branch.add(_line(span, begin)), span.id)

    grow(tree, None)
    return tree


def _line(span: Span, begin: int) -> Text:
    took = f"+{(span.start - begin) / 1e6:.0f} ms, {(span.end - span.start) / 1e6:.1f} ms"
    failed = " failed" if span.status == "error" else ""
    return Text.assemble(
        (f"{span.service:<10} ", COLOURS.get(span.service, "")), f"{span.name}  ", (took, "dim"), (failed, "bold red")
    )


def trace(
    id: Annotated[str, typer.Argument(metavar="ID", help="A trace id, or the beginning of one.")],
    json: AsJson = False,
) -> None:
    """Draw one trace as a tree, through every service it went through."""
    told = running.stack()
    spans = read(Path(told["spans_dir"]), id.lower())
    found = sorted({span.trace for span in spans})
    if not found:
        raise Failure(f"No span of trace {id!r}. Spans arrive about a quarter of a second after they end.")
    if len(found) > 1:
        raise Failure(f"{len(found)} traces begin with {id!r}: {', '.join(found[:5])}")
    if json:
        as_json([{name: getattr(span, name) for name in Span.__dataclass_fields__} for span in spans])
    else:
        out.print(draw(spans))
