"""The outlet's program: what `python -m outlet` runs."""

from __future__ import annotations

from fastapi import FastAPI

from chassis.running import program
from contracts.all import CATALOG
from contracts.catalog import Catalog
from outlet.api import router
from outlet.runtime import Runtime
from outlet.settings import Settings

NAME = "outlet"


def build(settings: Settings, catalog: Catalog = CATALOG) -> FastAPI:
    """The outlet's HTTP application."""
    described_at = "/facts/v1/openapi.json"
    return program.application(NAME, lambda: Runtime(settings, catalog), router, described_at=described_at)


def run() -> None:
    """Run one process until it is told to stop. Exits with 2 where the settings are wrong."""
    settings = program.told(Settings)
    provider = program.begin(NAME, "api", settings)
    program.serve(build(settings), settings, provider)
