"""`counterpoint lag`: how far behind every inbox is."""

from typing import Any

from cli import running
from cli.screen import AsJson, as_json, out, table
from local.stackfile import StackFile


def inboxes(told: StackFile) -> dict[str, dict[str, Any]]:
    """What each service says of its lag, by service."""
    return {name: running.answer("GET", f"{url}/health/lag") for name, url in told["services"].items()}


def lag_rows(found: dict[str, dict[str, Any]]) -> list[tuple[object, ...]]:
    """One row for each inbox and topic, its partitions summed; the lag in seconds is that of the slowest partition."""
    rows: dict[tuple[str, str], tuple[int, float]] = {}
    for health in found.values():
        for item in health["items"]:
            key = (item["inbox"], item["topic"])
            behind, seconds = rows.get(key, (0, 0.0))
            rows[key] = (behind + item["behind"], max(seconds, item["seconds"] or 0.0))
    return [(*key, behind, f"{seconds:.1f}") for key, (behind, seconds) in sorted(rows.items())]


LAG_COLUMNS = ("inbox", "topic", "records behind", "seconds behind")
LAG_RIGHT = LAG_COLUMNS[2:]


def lag(json: AsJson = False) -> None:
    """Show the lag of every inbox, in records and in seconds."""
    found = inboxes(running.stack())
    if json:
        as_json(found)
        return
    out.print(table("", LAG_COLUMNS, lag_rows(found), LAG_RIGHT))
    for name, health in found.items():
        tasks = health["tasks"]
        waiting = ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in tasks.items())
        out.print(f"{name}: parked {health['parked']}; tasks: {waiting}")
