"""The outlet's program: what `python -m outlet` runs."""

from __future__ import annotations

import asyncio
import sys

from fastapi import FastAPI

from chassis.running import program, rights
from chassis.running.mongo import Database, PyMongoError, in_short
from contracts.all import CATALOG
from contracts.catalog import Catalog
from outlet.api import router
from outlet.hooks.api import router as hooks
from outlet.hooks.keeping import COLLECTIONS, Keeping
from outlet.runtime import Runtime
from outlet.settings import Settings

NAME = "outlet"


def build(settings: Settings, catalog: Catalog = CATALOG) -> FastAPI:
    """The outlet's HTTP application."""
    described_at = "/facts/v1/openapi.json"
    return program.application(NAME, lambda: Runtime(settings, catalog), router, hooks, described_at=described_at)


def run() -> None:
    """Run one process until it is told to stop. Exits with 2 where the settings are wrong.

    With `--prepare` it makes the database of webhooks ready, and ends.
    """
    settings = program.told(Settings)
    if sys.argv[1:]:
        known = sys.argv[1:] == ["--prepare"] and settings.has_webhooks
        sys.exit(asyncio.run(_prepare(settings)) if known else "Either no argument, or --prepare with a MONGO_URI")
    provider = program.begin(NAME, "api", settings)
    program.serve(build(settings), settings, provider)


async def _prepare(settings: Settings) -> int:
    """Make the database of webhooks ready, as the user who may, and say what the user of the processes may do."""
    database = Database(settings.mongo, settings.mongo_database)
    try:
        await Keeping(database).prepare()
        await database.grant(rights.DECIDER, dict.fromkeys(COLLECTIONS, rights.ALL))
    except (PyMongoError, OSError) as error:
        sys.stderr.write(f"{in_short(error)}\n")
        return 1
    finally:
        await database.close()
    return 0
