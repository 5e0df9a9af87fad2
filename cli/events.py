"""`counterpoint events tail`: the records of Counterpoint's topics, decoded, from now on or from the beginning."""

import asyncio
import json as json_
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError
from rich.text import Text

from cli import running
from cli.failure import FAILED, NOT_RUNNING, Failure
from cli.screen import AsJson, as_json_line, out
from contracts.envelope import Unreadable, from_headers
from contracts.streams import topic_of
from local.topics import SERVICES, topic_configs

events = typer.Typer(no_args_is_help=True, help="The facts on Kafka.")

FACTS = [f"counterpoint.{service}.{kind}" for service in SERVICES for kind in ("events", "internal")]


@events.command("tail")
def tail(
    topics: Annotated[list[str] | None, typer.Argument(help="Topics; by default every topic of facts.")] = None,
    type_: Annotated[list[str] | None, typer.Option("--type", help="Only these facts, such as PairFormed.")] = None,
    stream: Annotated[str, typer.Option(help="Only streams whose name contains this.")] = "",
    from_beginning: Annotated[bool, typer.Option("--from-beginning", help="From the first record on.")] = False,
    follow: Annotated[bool, typer.Option("--follow/--no-follow", help="Wait for more at the end.")] = True,
    limit: Annotated[int | None, typer.Option(min=1, help="Stop after so many.")] = None,
    json: AsJson = False,
) -> None:
    """Print records as they come, until Ctrl-C. Order is promised within a stream, not between streams."""
    told = running.stack()
    names = [name if name.startswith("counterpoint.") else f"counterpoint.{name}" for name in topics or FACTS]
    if unknown := {topic_of(name) for name in names} - topic_configs().keys():
        raise Failure(f"Unknown topic {', '.join(sorted(unknown))}. Known: {', '.join(topic_configs())}", FAILED)

    async def print_them() -> None:
        shown = 0
        there = await generations(told["kafka"], names)
        async for record in records(told["kafka"], there, from_beginning=from_beginning, follow=follow):
            found = decode(record)
            if (type_ and found["type"] not in type_) or stream not in (found["stream"] or ""):
                continue
            _print(found, json)
            shown += 1
            if shown == limit:
                return

    try:
        asyncio.run(print_them())
    except KafkaError as error:
        raise Failure(f"Kafka at {told['kafka']} does not answer ({type(error).__name__})", NOT_RUNNING) from None
    except KeyboardInterrupt:
        return


async def generations(bootstrap: str, topics: Sequence[str]) -> list[str]:
    """Every generation that Kafka has of these topics."""
    kafka = AIOKafkaConsumer(bootstrap_servers=bootstrap)
    await kafka.start()
    try:
        return sorted(name for name in await kafka.topics() if name in topics or topic_of(name) in topics)
    finally:
        await kafka.stop()


async def records(bootstrap: str, topics: Sequence[str], *, from_beginning: bool, follow: bool) -> AsyncIterator[Any]:
    """The records of the topics, without joining any group and without committing anything."""
    start = "earliest" if from_beginning else "latest"
    consumer = AIOKafkaConsumer(*topics, bootstrap_servers=bootstrap, enable_auto_commit=False, auto_offset_reset=start)
    await consumer.start()
    try:
        places = list(consumer.assignment())
        ends = await consumer.end_offsets(places)
        while True:
            for batch in (await consumer.getmany(timeout_ms=300)).values():
                for record in batch:
                    yield record
            if not follow and all([await consumer.position(place) >= ends[place] for place in places]):
                return
    finally:
        await consumer.stop()


def decode(record: Any) -> dict[str, Any]:
    """A record as a document: a fact with its envelope, a state record with its key, or what is wrong with it."""
    found: dict[str, Any] = {
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "time": datetime.fromtimestamp(record.timestamp / 1000, UTC).isoformat(timespec="milliseconds"),
        "type": None,
        "stream": None,
        "version": None,
        "data": None,
    }
    try:
        if topic_of(record.topic) in FACTS:
            envelope = from_headers(record.headers)
            found |= {"type": envelope.type, "stream": envelope.stream, "version": envelope.version}
            found |= {"time": envelope.at.isoformat(timespec="milliseconds"), "trace": envelope.traceparent}
        else:
            key = (record.key or b"").decode()
            found |= {"type": record.topic.rpartition(".")[2] if record.value else "tombstone", "stream": key}
        found["data"] = json_.loads(record.value) if record.value else None
    except (Unreadable, ValueError) as wrong:
        found |= {"type": "foreign", "trouble": str(wrong)}
    return found


def _print(found: dict[str, Any], json: bool) -> None:
    if json:
        as_json_line(found)
        return
    said = found.get("trouble") or json_.dumps(found["data"], ensure_ascii=False)
    version = "" if found["version"] is None else f"@{found['version']}"
    line = Text.assemble(
        (found["time"][:19], "dim"), "  ", (f"{found['type']:<22}", "bold cyan"), f" {found['stream']}{version}  "
    )
    out.print(line.append(said, "dim"), soft_wrap=True)
