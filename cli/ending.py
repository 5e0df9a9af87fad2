"""The screens at the end of the demo: figures, a card, pairs, one trace, lag, and what to try next as whom."""

import time
from pathlib import Path
from typing import Any

from rich.text import Text

from cli import explained, running, traces
from cli.health import LAG_COLUMNS, LAG_RIGHT, inboxes, lag_rows
from cli.screen import out, table
from local import story
from local.stackfile import StackFile

SPANS_SECONDS = 5.0
SERVICES = 4


def collect(told: StackFile, ended: story.Ending) -> dict[str, Any]:
    """Everything the demo shows in the end, as one JSON document."""
    spans = _whole_trace(Path(told["spans_dir"]), ended.trace)
    return {
        "program": ended.program,
        "report": ended.report,
        "pairs": ended.journeys,
        "card": ended.card,
        "trace": {"id": ended.trace, "services": sorted(traces.services(spans)), "spans": len(spans)},
        "lag": inboxes(told),
        "tokens": {role: running.token(told, role) for role in ended.personas},
    }


def _whole_trace(folder: Path, trace: str) -> list[traces.Span]:
    deadline = time.monotonic() + SPANS_SECONDS
    while True:
        spans = traces.read(folder, trace)
        if len(traces.services(spans)) == SERVICES or time.monotonic() > deadline:
            return spans
        time.sleep(0.1)


def show(told: StackFile, shown: dict[str, Any]) -> None:
    """Print the six screens."""
    _figures(shown["report"])
    _card(shown["card"])
    _pairs(shown["pairs"])
    out.print("\n[bold]One command through all four services[/bold] (a mentor leaves)")
    traces.show(traces.read(Path(told["spans_dir"]), shown["trace"]["id"]))
    out.print(f"   again: counterpoint trace {shown['trace']['id'][:8]}")
    out.print("\n[bold]How far behind every inbox is[/bold]")
    out.print(table("", LAG_COLUMNS, lag_rows(shown["lag"]), LAG_RIGHT))
    _next(told, shown["program"])


STYLES = {"figure": "bold", "no_data": "dim", "hidden": "yellow"}


def _figures(report: dict[str, Any]) -> None:
    period = report["period"]
    out.print(f"\n[bold]The published figures[/bold] {period['first']} to {period['last']}")
    for each in report["tables"]:
        columns = list(dict.fromkeys(cell["column"] for row in each["rows"] for cell in row["cells"]))
        rows = []
        for row in each["rows"]:
            cells = {cell["column"]: Text(str(cell["shown"]), STYLES[cell["state"]]) for cell in row["cells"]}
            rows.append((row["label"], *(cells.get(column, "") for column in columns)))
        out.print()
        out.print(table(each["title"], ("", *columns), rows, columns))


def _card(card: dict[str, Any]) -> None:
    out.print("\n[bold]Why this pair[/bold], as the two of it read it")
    out.print(f"   {card['mentor']} and {card['executive']}", markup=False)
    explained.show_terms(card["terms"])


def _pairs(pairs: list[dict[str, Any]]) -> None:
    rows = [
        (
            pair["names"]["mentor"],
            pair["names"]["executive"],
            pair["state"],
            f"{pair['held']} of {pair['planned']}",
            _step(pair["next"]),
        )
        for pair in pairs
    ]
    out.print("\n[bold]The pairs and their next step[/bold]")
    out.print(table("", ("mentor", "executive", "state", "sessions", "next step"), rows))


def _step(step: dict[str, Any] | None) -> str:
    if not step:
        return "–"
    when = f" on {step['start'][:16].replace('T', ' ')} UTC" if step.get("start") else ""
    return f"{step['who']}: {step['what'].replace('_', ' ')}{when}"


def asks(told: StackFile, program: str) -> dict[str, str]:
    """What each persona may ask first: role to URL."""
    services = {name: f"{url}/{name}/v1/programs/{program}" for name, url in told["services"].items()}
    return {
        "coordinator": f"{services['matching']}/pairs",
        "mentor": f"{services['scheduling']}/journeys",
        "executive": f"{services['scheduling']}/journeys",
        "sponsor": f"{services['insights']}/reports",
    }


def _next(told: StackFile, program: str) -> None:
    out.print("\n[bold]What to try next, as whom[/bold] (each with a token of its own)")
    for role, url in asks(told, program).items():
        out.print(f"   {role}:", style="bold")
        out.print(
            f'   curl -H "Authorization: Bearer $(.venv/bin/counterpoint token --as {role})" {url}', soft_wrap=True
        )
    if told["outlet"]:
        out.print("   subscriber:", style="bold")
        bearer = "Bearer $(.venv/bin/counterpoint token --as subscriber)"
        asked = f"{told['outlet']}/facts/v1?types=PairFormed&limit=3"
        out.print(f'   curl -i -H "Authorization: {bearer}" "{asked}"', soft_wrap=True)
    out.print("   .venv/bin/counterpoint events tail --from-beginning --type PairFormed --no-follow")
    out.print("   .venv/bin/counterpoint ui      how each command travelled, in a browser")
