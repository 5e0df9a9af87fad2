"""What a service's program does once, when it is asked by an argument, and then ends."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from chassis.distributing.auditing import Audit
from chassis.distributing.healing import Healed
from chassis.distributing.topics import WrongTopic
from chassis.receiving.consumer import KafkaError
from chassis.running import rights
from chassis.running.mongo import PyMongoError, Unprepared, in_short
from chassis.running.settings import Role, Settings

if TYPE_CHECKING:
    from chassis.running.runtime import Runtime

DONE, FAILED, USAGE = 0, 1, 2


def settings() -> Settings:
    """The settings of a process that neither serves nor relays: one database user is enough."""
    return Settings(role=Role.api, relay_mongo_uri="", relay_mongo_uri_file=None)


def main(make: Callable[[], Runtime], arguments: Sequence[str]) -> int:
    """Do what the arguments say with a runtime that is not started; answers the exit code."""
    what = _KNOWN.get(arguments[0])
    if what is None or len(arguments) > 1:
        sys.stderr.write(f"Either no argument or one of: {', '.join(_KNOWN)}\n")
        return USAGE
    return asyncio.run(_run(make, what))


async def _run(make: Callable[[], Runtime], what: Callable[[Runtime], Awaitable[int]]) -> int:
    runtime = make()
    try:
        return await what(runtime)
    except (PyMongoError, Unprepared, WrongTopic, KafkaError, OSError) as error:
        sys.stderr.write(f"{in_short(error)}\n")
        return FAILED
    finally:
        await runtime.database.close()


async def _prepare(runtime: Runtime) -> int:
    """Create collections, indexes and rights: as a user who may, before the processes start."""
    await runtime.prepare()
    return DONE


async def _users(runtime: Runtime) -> int:
    """Make the three users of the service's database, as one who may: each with name and password of its address."""
    folder = runtime.settings.users
    if folder is None:
        sys.stderr.write("set COUNTERPOINT_USERS: the folder with the addresses, one file for each user\n")
        return USAGE
    for name, role in rights.USERS.items():
        try:
            await runtime.database.let_in((folder / name).read_text().strip(), role)
        except ValueError as error:
            sys.stderr.write(f"{name}: {error}\n")
            return USAGE
        sys.stdout.write(f"{name}: role {role}\n")
    return DONE


async def _topics(runtime: Runtime) -> int:
    """Create the service's topics that are missing, change none, and say which are not as they must be."""
    for topic in await runtime.make_topics():
        sys.stdout.write(f"created {topic}\n")
    return DONE


async def _audit(runtime: Runtime) -> int:
    """Compare the journal with itself and with Kafka; print the report as JSON."""
    audit = Audit(runtime.service.name, runtime.service.catalog, runtime.database)
    report = await audit.run(runtime.settings.kafka)
    sys.stdout.write(json.dumps({"service": runtime.service.name, **asdict(report)}, indent=2) + "\n")
    return FAILED if report.findings else DONE


async def _heal(runtime: Runtime) -> int:
    """Bring back from Kafka what the journal lacks; print what came back, and what could not."""
    return _told(runtime, await runtime.history.heal())


async def _heal_and_accept(runtime: Runtime) -> int:
    """The same, and go on without what could not be brought back."""
    healed = await runtime.history.heal()
    await runtime.history.accept(healed.troubles, runtime.clock.now())
    return _told(runtime, healed)


def _told(runtime: Runtime, healed: Healed) -> int:
    sys.stdout.write(json.dumps({"service": runtime.service.name, **asdict(healed)}, indent=2) + "\n")
    return FAILED if healed.troubles else DONE


_KNOWN: dict[str, Callable[[Runtime], Awaitable[int]]] = {
    "--users": _users,
    "--prepare": _prepare,
    "--topics": _topics,
    "--audit": _audit,
    "--heal": _heal,
    "--heal-and-accept": _heal_and_accept,
}
