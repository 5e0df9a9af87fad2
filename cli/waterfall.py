"""A trace as a waterfall in the terminal: what happened where, below what caused it, when, and for how long."""

from collections.abc import Iterator, Sequence

from rich.text import Text

from cli.viewer.shape import Row, Scale, rows
from cli.viewer.spans import Span
from cli.viewer.summary import FACT, mark, step

COLOURS = {"enrollment": "cyan", "matching": "magenta", "scheduling": "green", "insights": "yellow"}
WITH_BARS = 76
"""Narrower than this many columns, there are no bars."""
WIDEST = 140
WITH_BEGINNINGS = 58
"""Narrower than this, there is no column of beginnings."""
NARROWEST_NAME = 12
TIME = 10
BEGINNING = 12
MOST_BAR = 64
EIGHTHS = " ▏▎▍▌▋▊▉█"


def colour(service: str) -> str:
    """The colour of a service; none for one we do not know."""
    return COLOURS.get(service, "")


def waterfall(spans: Sequence[Span], width: int, *, plain: bool = False) -> Iterator[Text]:
    """The lines of one trace, none wider than `width` columns; `plain` where only ASCII can be shown.

    A line: the service, what it did below its cause, a bar on the trace's own time (long waiting is folded), after how
    many milliseconds it began and how many it took, and whether it failed, is a repeat, has links, or a cause that is
    not among the spans.
    """
    told = rows(spans)
    scale, begin = Scale.of(spans), min(span.start for span in spans)
    width = min(width, WIDEST)
    first = max(len(row.span.service) for row in told) + 1
    texts = [_text(row, plain) for row in told]
    beginning = BEGINNING if width >= WITH_BEGINNINGS else 0
    room = max(NARROWEST_NAME, width - first - beginning - TIME - 1)
    names = min(room, max(map(len, texts)) + 1)
    bar = 0
    if width >= WITH_BARS:
        names = min(names, room // 2 + 8)
        bar = min(MOST_BAR, room - names - 1)
    after = "after" if beginning else ""
    yield Text(f"{'':{first + names + bar + bool(bar)}}{after:>{beginning}}{'took':>{TIME}}", "dim")
    for row, text in zip(told, texts, strict=True):
        span = row.span
        line = Text(no_wrap=True)
        line.append(f"{span.service:{first}}", colour(span.service))
        line.append(f"{cut(text, names - 1, plain):{names}}", "bold red" if span.status == "error" else "")
        if bar:
            drawn = _bar(scale.at(span.start), scale.at(span.end), bar, plain)
            line.append(drawn, "red" if span.status == "error" else colour(span.service))
            line.append(" ")
        line.append(f"{_ms(span.start - begin, '+'):>{beginning}}" if beginning else "", "dim")
        line.append(f"{_ms(span.end - span.start):>{TIME}}")
        yield line


def what(row: Row) -> str:
    """What a span did, in few words: facts and topics instead of the operation's name."""
    span = row.span
    match step(span):
        case "publish" | "hear" as done if span.attributes.get(FACT):
            return f"{done} {span.attributes[FACT]}"
        case "publish" if row.topic:
            return f"publish to {row.topic.removeprefix('counterpoint.')}"
    return short(span.name)


def short(name: str) -> str:
    """A route without the program that nearly all of them begin with."""
    return name.replace(" /programs/{program}/", " /")


def notes(row: Row) -> list[str]:
    """What else there is to say about a span."""
    said = ["failed"] if row.span.status == "error" else []
    if word := mark(row.span):
        said.append(word)
    if row.span.attributes.get("counterpoint.late"):
        said.append("later")
    if attempt := row.span.attributes.get("counterpoint.attempt"):
        said.append(f"attempt {attempt}")
    if row.span.links:
        said.append(f"{len(row.span.links)} link{'s' if len(row.span.links) > 1 else ''}")
    if row.detached and step(row.span) != "request":
        said.append("cause not recorded")
    return said


def _text(row: Row, plain: bool) -> str:
    through, last, more, blank = ("| ", "`-", "|-", "  ") if plain else ("│ ", "└ ", "├ ", "  ")
    above = "".join(blank if ended else through for ended in row.last[:-1])
    guide = above + (last if row.last[-1] else more) if row.last else ""
    marks = [note for note in notes(row) if not note.endswith(("link", "links")) or step(row.span) != "hear"]
    return guide + what(row) + "".join(f" [{note}]" for note in marks)


def cut(text: str, width: int, plain: bool = False) -> str:
    """At most that much of a text."""
    return text if len(text) <= width else text[: max(0, width - 1)] + ("~" if plain else "…")


def _bar(left: float, right: float, width: int, plain: bool) -> str:
    start, end = left * width, max(right * width, left * width + 0.25)
    cell = min(int(start), width - 1)
    filled = min(end, width) - cell
    whole, rest = int(filled), filled - int(filled)
    drawn = "#" * max(1, round(filled)) if plain else "█" * whole + EIGHTHS[round(rest * 8)].strip()
    return f"{' ' * cell + (drawn or EIGHTHS[1]):{width}}"[:width]


def _ms(ns: int, sign: str = "") -> str:
    return f"{sign}{ns / 1e6:,.1f} ms" if ns < 10**8 else f"{sign}{ns / 1e6:,.0f} ms"
