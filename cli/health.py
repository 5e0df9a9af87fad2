"""Commands for operators: how far behind every inbox is, and what is parked."""

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


def parked(json: AsJson = False) -> None:
    """Show every stream, record and task that waits for somebody, and why."""
    told = running.stack()
    found = {name: running.answer("GET", f"{url}/parked") for name, url in told["services"].items()}
    if json:
        as_json(found)
        return
    rows = [
        *((name, "stream", s["stream"], s.get("reason")) for name, p in found.items() for s in p["streams"]),
        *((name, "record", _place(r), r["reason"]) for name, p in found.items() for r in p["records"]),
        *((name, "task", t["task"], t["error"]) for name, p in found.items() for t in p["tasks"]),
    ]
    out.print(table("", ("service", "kind", "which", "why"), rows) if rows else "Nothing is parked.")


def _place(record: dict[str, Any]) -> str:
    return f"{record['topic']}[{record['partition']}]@{record['offset']}"
