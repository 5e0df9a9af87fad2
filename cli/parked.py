"""`counterpoint parked`: what waits in which service and why; try it again, or drop it with a reason."""

from typing import Annotated, Any

import typer

from cli import running
from cli.failure import USAGE, Failure
from cli.screen import AsJson, as_json, out, table
from local.stackfile import StackFile

parked = typer.Typer(help="What waits for a missing fact or for somebody.", invoke_without_command=True)

Service = Annotated[str | None, typer.Option("--service", help="Only this service; every one if not named.")]
Stream = Annotated[str | None, typer.Argument(metavar="[STREAM]", help="A parked stream.")]
TaskId = Annotated[str | None, typer.Option("--task", metavar="ID", help="A parked task instead of a stream.")]

COLUMNS = ("service", "kind", "which", "why", "since", "waiting")
KINDS = {"streams": "stream", "records": "record", "tasks": "task"}


@parked.callback()
def listed(
    context: typer.Context,
    dropped: Annotated[bool, typer.Option("--dropped", help="What was dropped instead: when, by whom, why.")] = False,
    json: AsJson = False,
) -> None:
    """Show every stream, record and task that waits: why, since when, and how many facts wait with it."""
    if context.invoked_subcommand is not None:
        return
    told = running.stack()
    path = "/parked/dropped" if dropped else "/parked"
    found = {name: running.operate(told, "GET", name, path) for name in _services(told)}
    if json:
        as_json(found)
    elif dropped:
        _show(("service", "at", "by", "what", "reason", "had stopped"), drop_rows(found), "Nothing was dropped.")
    else:
        _show(COLUMNS, rows(found), "Nothing is parked.")


def rows(found: dict[str, dict[str, Any]]) -> list[tuple[object, ...]]:
    """One row for each parked thing."""
    return [
        (name, kind, item[kind], _why(item), item["since"], item.get("waiting"))
        for name, health in found.items()
        for plural, kind in KINDS.items()
        for item in health[plural]
    ]


def drop_rows(found: dict[str, dict[str, Any]]) -> list[tuple[object, ...]]:
    """One row for each drop."""
    return [
        (name, d["at"], d["by"], d["what"], d["reason"], _why(d["stopped"]))
        for name, dropped in found.items()
        for d in dropped["items"]
    ]


@parked.command("show")
def show(
    stream: Annotated[str, typer.Argument(help="A parked stream.")], service: Service = None, json: AsJson = False
) -> None:
    """Show one parked stream: what it stopped at, and the facts that wait."""
    told = running.stack()
    for name in _holding(told, service, "stream", stream):
        found = running.operate(told, "GET", name, "/parked/stream", params={"stream": stream})
        if json:
            as_json(found)
            continue
        out.print(f"{name} has seen {stream} up to version {found['seen']}; since {found['since']} it waits:")
        out.print(f"{found['reason']} at version {found['version']}: {found['detail']}", markup=False)
        facts = [(f["version"], f["type"], f["time"], f["trouble"], f["data"]) for f in found["facts"]]
        out.print(table("", ("version", "fact", "said", "trouble", "data"), facts))


@parked.command("retry")
def retry(
    stream: Stream = None,
    task: TaskId = None,
    all_: Annotated[bool, typer.Option("--all", help="Everything that is parked.")] = False,
    service: Service = None,
    json: AsJson = False,
) -> None:
    """Try again: apply what waits on a stream as far as it goes, or give a task all its tries again."""
    if len([x for x in (stream, task, all_) if x]) != 1:
        raise Failure("Name a stream, a task with --task, or --all", USAGE)
    told = running.stack()
    if all_:
        found = {name: _retry_all(told, name) for name in _services(told, service)}
    else:
        which = {"stream": stream} if stream else {"task": task}
        (kind, id), *_ = which.items()
        holding = _holding(told, service, kind, str(id))
        found = {n: {"items": [running.operate(told, "POST", n, "/parked/retry", json=which)]} for n in holding}
    if json:
        as_json(found)
        return
    for name, answer in found.items():
        for item in answer["items"]:
            out.print(f"{name}: {_outcome(item)}", markup=False)
        if answer.get("tasks"):
            out.print(f"{name}: {answer['tasks']} tasks are tried again")
    if not any(a["items"] or a.get("tasks") for a in found.values()):
        out.print("Nothing is parked.")


@parked.command("drop")
def drop(
    reason: Annotated[str, typer.Option("--reason", help="Why; it is kept with your name. Name no person in it.")],
    stream: Stream = None,
    version: Annotated[int | None, typer.Option("--version", help="The version the stream stopped at.")] = None,
    task: TaskId = None,
    record: Annotated[
        str | None, typer.Option("--record", metavar="TOPIC/PARTITION@OFFSET", help="A record nobody can place.")
    ] = None,
    service: Service = None,
    json: AsJson = False,
) -> None:
    """Leave out the fact a stream stopped at, and go on behind it; or take a task or a record away."""
    if len([x for x in (stream, task, record) if x]) != 1 or bool(stream) != bool(version):
        raise Failure("Name a stream with its --version, or one of --task and --record", USAGE)
    told = running.stack()
    kind, id = next((k, v) for k, v in (("stream", stream), ("task", task), ("record", record)) if v)
    holding = _holding(told, service, kind, id)
    if len(holding) > 1:
        raise Failure(f"It is parked in {', '.join(holding)}: name one with --service", USAGE)
    what = {kind: id, "reason": reason} | ({"version": version} if version else {})
    done = running.operate(told, "POST", holding[0], "/parked/drop", json=what)
    if json:
        as_json(done)
    else:
        out.print(f"{holding[0]}: dropped. {_outcome(done)}" if kind == "stream" else f"{holding[0]}: dropped.")


def _services(told: StackFile, service: str | None = None) -> list[str]:
    """One process of each service, or of the one that is named: each answers for the whole service, but for a relay."""
    found: dict[str, str] = {}
    for process in told["services"]:
        name, _, role = process.partition(".")
        if role != "relay":
            found.setdefault(name, process)
    if service is not None and service not in found:
        raise Failure(f"There is no service {service!r}: {', '.join(found)}", USAGE)
    return [found[service]] if service else list(found.values())


def _holding(told: StackFile, service: str | None, kind: str, id: str) -> list[str]:
    """The services in which it is parked; the one that is named is taken at its word."""
    if service is not None:
        return _services(told, service)
    plural = next(p for p, k in KINDS.items() if k == kind)
    shown = {name: running.operate(told, "GET", name, "/parked")[plural] for name in _services(told)}
    found = [name for name, items in shown.items() if any(item[kind] == id for item in items)]
    if not found:
        raise Failure(f"No {kind} {id} is parked anywhere that is shown; if many are, name the service with --service")
    return found


def _retry_all(told: StackFile, service: str) -> dict[str, Any]:
    found: dict[str, Any] = {"items": [], "tasks": 0}
    after: str | None = ""
    while after is not None:
        page = running.operate(told, "POST", service, "/parked/retry/all", params={"after": after})
        found["items"] += page["items"]
        found["tasks"] += page["tasks"]
        after = page["next"]
    return found


def _outcome(item: dict[str, Any]) -> str:
    if "task" in item:
        return f"{item['task']} is tried again"
    if "trouble" in item:
        return f"{item['stream']}: {item['trouble']}"
    applied = f"{item['stream']}: {item['applied']} facts applied, seen up to version {item['seen']}"
    return f"{applied}; still parked: {_why(item['parked'])}" if item["parked"] else f"{applied}; it goes on"


def _why(item: dict[str, Any]) -> str:
    at = f"version {item['version']}" if item.get("version") else None
    return ": ".join(str(x) for x in (item.get("reason"), at, item.get("detail") or item.get("error")) if x)


def _show(columns: tuple[str, ...], found: list[tuple[object, ...]], nothing: str) -> None:
    out.print(table("", columns, found, ("waiting",)) if found else nothing)
