"""`counterpoint trace`: which commands there were and where they went, and one of them as a waterfall."""

import time
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from cli import running
from cli.failure import NOT_RUNNING, Failure
from cli.screen import AsJson, as_json, as_json_line, out
from cli.viewer.spans import Span, Spans, read, services
from cli.viewer.summary import Summary, step
from cli.waterfall import colour, short, waterfall

__all__ = ["Span", "read", "services", "spans_folder", "trace"]

SETTLED_SECONDS = 1.0
"""A trace to which nothing was added for so long is told by `--follow`."""
EVERY_SECONDS = 0.3
ID = 8
"""As much of a trace's id as names it among those of a stack."""


def spans_folder() -> Path:
    """Where the spans of the chosen stack are; those of one that has ended too, as long as its data is kept."""
    try:
        return Path(running.stack()["spans_dir"])
    except Failure as failure:
        left = running.CHOSEN.file.parent / "spans"
        if failure.code != NOT_RUNNING or not left.is_dir():
            raise
        return left


def trace(
    id: Annotated[str, typer.Argument(metavar="[ID]", help="A trace id, or the beginning of one.")] = "",
    errors: Annotated[bool, typer.Option("--errors", help="Only those in which something failed.")] = False,
    program: Annotated[
        str, typer.Option("--program", help="Only those of this program, or the beginning of its id.")
    ] = "",
    service: Annotated[str, typer.Option("--service", help="Only those that this service had to do with.")] = "",
    everything: Annotated[
        bool, typer.Option("--all", help="Also the batches of relays and inboxes, and the database.")
    ] = False,
    last: Annotated[int, typer.Option("--last", min=1, help="How many, counted from the newest.")] = 20,
    follow: Annotated[bool, typer.Option("--follow", help="Go on with those to come, until Ctrl-C.")] = False,
    json: AsJson = False,
) -> None:
    """List the last commands and where they went; with an ID, draw one as a waterfall."""
    folder = spans_folder()
    if id:
        _one(folder, id.lower(), everything, json)
        return

    def fits(summary: Summary) -> bool:
        return (
            (everything or not summary.behind_the_scenes)
            and (not errors or summary.errors > 0)
            and (summary.program or "").startswith(program)
            and (not service or service in summary.services)
        )

    spans = Spans(folder)
    spans.look()
    found = [summary for summary in spans.changed() if fits(summary)][:last]
    if json and not follow:
        as_json([summary.told() for summary in found])
        return
    if not found and not follow:
        out.print(_none(spans))
        return
    if not json:
        out.print(_head(), soft_wrap=True)
    for summary in reversed(found):
        _tell(summary, json)
    if follow:
        _follow(spans, fits, json)


def _none(spans: Spans) -> str:
    if spans.traces:
        return f"None of the {len(spans.traces)} traces fits."
    return "Nothing has been traced yet. Let something happen: counterpoint demo --keep"


def _follow(spans: Spans, fits: Any, json: bool) -> None:
    told = set(spans.traces)
    changed: dict[str, tuple[int, float]] = {}
    try:
        while True:
            time.sleep(EVERY_SECONDS)
            spans.look()
            now = time.monotonic()
            for summary in spans.changed():
                if summary.id not in told and changed.get(summary.id, (0, 0.0))[0] != summary.revision:
                    changed[summary.id] = (summary.revision, now)
            for each in [id for id, (_, since) in changed.items() if now - since >= SETTLED_SECONDS]:
                del changed[each]
                told.add(each)
                if (settled := spans.traces.get(each)) and fits(settled):
                    _tell(settled, json)
    except KeyboardInterrupt:
        return


def _head() -> Text:
    return Text(f"{'trace':{ID}}  {'at (UTC)':12}  {'took':>9}  {'spans':>5}  services  what", "dim")


def _tell(summary: Summary, json: bool) -> None:
    if json:
        as_json_line(summary.told())
    else:
        out.print(
            _line(summary), soft_wrap=not out.is_terminal, no_wrap=out.is_terminal, overflow="ellipsis", crop=True
        )


def _line(summary: Summary) -> Text:
    at = datetime.fromtimestamp(summary.start / 1e9, UTC)
    line = Text()
    line.append(f"{summary.id[:ID]}  ", "bold")
    line.append(f"{at:%H:%M:%S}.{at.microsecond // 1000:03}  ", "dim")
    line.append(f"{(summary.end - summary.start) / 1e6:>6,.0f} ms  {summary.spans:>5}  ")
    for name in ("enrollment", "matching", "scheduling", "insights"):
        here = name in summary.services
        line.append(name[0].upper() if here else "." if _plain_only() else "·", colour(name) if here else "dim")
    others = len(set(summary.services) - {"enrollment", "matching", "scheduling", "insights"})
    line.append(f"{f' +{others}' if others else '':6}")
    line.append(short(summary.name), colour(summary.service))
    if summary.errors:
        line.append(f"  {summary.errors} failed", "bold red")
    if summary.marked:
        line.append(f"  {summary.marked} repeated", "yellow")
    if summary.facts:
        line.append(f"  {', '.join(summary.facts)}", "dim")
    return line


def _one(folder: Path, id: str, everything: bool, json: bool) -> None:
    spans = read(folder, id)
    found = sorted({span.trace for span in spans})
    if not found:
        raise Failure(f"No span of trace {id!r}. Spans arrive about a quarter of a second after they end.")
    if len(found) > 1:
        raise Failure(f"{len(found)} traces begin with {id!r}: {', '.join(found[:5])}")
    if json:
        as_json([_as_document(span) for span in spans])
        return
    show(spans, everything)


def _plain_only() -> bool:
    return not out.encoding.lower().startswith("utf")


def _as_document(span: Span) -> dict[str, Any]:
    return {name: getattr(span, name) for name in Span.__dataclass_fields__} | {
        "links": [link._asdict() for link in span.links]
    }


def show(spans: list[Span], everything: bool = False) -> None:
    """Print one trace: what it is, in a line, and its waterfall; calls of the database that did not fail are left out
    unless `everything` is asked for."""
    summary = Summary(spans[0].trace)
    for span in spans:
        summary.add(span)
    drawn = [span for span in spans if everything or step(span) != "database" or span.status == "error"] or spans
    head = Text.assemble((f"trace {summary.id}", "bold"), f"  {_said(summary)}")
    if hidden := len(spans) - len(drawn):
        head.append(f", {hidden} call{'s' if hidden > 1 else ''} of the database not shown (--all)", "dim")
    out.print(head, soft_wrap=True)
    for line in waterfall(drawn, out.width, plain=_plain_only()):
        out.print(line, no_wrap=True, crop=True, overflow="crop")


def _said(summary: Summary) -> str:
    at = datetime.fromtimestamp(summary.start / 1e9, UTC)
    parts: Iterable[str] = (
        f"{summary.spans} spans" if summary.spans > 1 else "1 span",
        f"{len(summary.services)} services" if len(summary.services) > 1 else summary.service,
        f"{(summary.end - summary.start) / 1e6:,.0f} ms",
        *([f"{summary.errors} failed"] if summary.errors else []),
        *([f"{summary.marked} repeated"] if summary.marked else []),
        f"{at:%H:%M:%S} UTC",
    )
    return ", ".join(parts)
